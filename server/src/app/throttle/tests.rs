//! Password guesses as counts only, without passwords.

use std::collections::HashMap;

use super::*;

const NOW: Duration = Duration::from_secs(1_000_000);

fn peer(address: [u8; 4], port: u16) -> SocketAddr {
    (address, port).into()
}

/// A clock fixed at `now`: waiting on it returns at once.
fn at(now: Duration) -> Clock {
    Clock::fixed(now.as_millis().try_into().unwrap())
}

/// A wrong attempt, if it is checked.
async fn guess(throttle: &Throttle, origin: Origin, account: &str, now: Duration) -> Result<Vec<Sum>, Duration> {
    Ok(throttle.enter(origin, account, &at(now)).await?.wrong(None, now))
}

async fn guesses(throttle: &Throttle, of: impl Iterator<Item = (SocketAddr, String)>, now: Duration) -> usize {
    let mut seen = 0;
    for (peer, account) in of {
        seen += usize::from(guess(throttle, Origin::Stranger(peer), &account, now).await.is_ok());
    }
    seen
}

#[tokio::test]
async fn one_address_slows_down_over_all_accounts() {
    let throttle = Throttle::default();
    let tries = || (0..400).map(|n| (peer([10, 0, 0, 5], n), format!("a{}", n % 100)));
    assert_eq!(guesses(&throttle, tries(), NOW).await, 20 + 120, "twenty at once, and what waits for half a minute");
    assert_eq!(guesses(&throttle, tries(), NOW + Duration::from_secs(5)).await, 20, "then four a second");
    // The neighbour is not affected.
    assert_eq!(guesses(&throttle, [(peer([10, 0, 0, 6], 1), "another".to_owned())].into_iter(), NOW).await, 1);
    assert_eq!(throttle.counts().wait("10.0.0.6", "another", NOW), Duration::ZERO);
}

#[tokio::test]
async fn one_account_slows_down_over_all_addresses() {
    let throttle = Throttle::default();
    let tries = || (0..229).map(|n| (peer([10, 1, 0, n], 1), "lan".to_owned()));
    assert_eq!(guesses(&throttle, tries(), NOW).await, 10 + 30, "ten at once, and what waits for half a minute");
    assert_eq!(guesses(&throttle, tries(), NOW + Duration::from_secs(7)).await, 7, "then one a second");
    // A known browser waits for nobody.
    assert!(throttle.enter(Origin::Known("browser".to_owned()), "lan", &at(NOW)).await.is_ok());
}

/// Attackers who fill every place they can, each on a new connection for every guess, and one newcomer among them.
struct Crowd {
    counts: Counts,
    now: Duration,
    /// Those who wait, by connection.
    calls: HashMap<SocketAddr, oneshot::Receiver<Ticket>>,
    opened: u32,
}

const NEWCOMER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 1)), 1);

impl Crowd {
    fn join(&mut self, peer: SocketAddr, account: &str) {
        let (call, called) = oneshot::channel();
        self.counts.line.join(peer, account, call);
        self.calls.insert(peer, called);
    }

    /// An attacker's new connection from one of as many addresses.
    fn attack(&mut self, from: &[std::net::IpAddr], account: Option<&str>) {
        self.opened += 1;
        let port = u16::try_from(2 + self.opened % 60_000).unwrap();
        let address = from[self.opened as usize % from.len()];
        let made_up = format!("made up {}", self.opened);
        self.join((address, port).into(), account.unwrap_or(&made_up));
    }

    /// How long a newcomer takes to get in who comes `later` than they do; `attackers` connections come from the addresses `from` and
    /// guess at `account`, or make up names.
    fn run(attackers: u32, from: &[std::net::IpAddr], account: Option<&str>, later: u64) -> Duration {
        let mut crowd = Self { counts: Counts::default(), now: NOW, calls: HashMap::new(), opened: 0 };
        let step = if account.is_some() { Duration::from_secs(1) } else { Duration::from_millis(250) };
        for _ in 0..attackers {
            crowd.attack(from, account);
        }
        let begins = NOW + Duration::from_secs(later);
        loop {
            if crowd.now == begins {
                crowd.join(NEWCOMER, "lan");
            }
            while let Some(drawn) = crowd.counts.draw(crowd.now) {
                if drawn.peer == NEWCOMER {
                    return crowd.now - begins;
                }
                crowd.calls.remove(&drawn.peer);
                let pair = pair(&drawn.account, drawn.peer);
                crowd.counts.pairs.entry(&pair, crowd.now).mistake(crowd.now);
                crowd.attack(from, account);
            }
            crowd.now += step;
        }
    }
}

/// Against attackers at its own address who come when the free checks are used up, 95 of a hundred newcomers get in within the stated
/// seconds on average; by chance fewer than 14 of 20, or 2 of 5, do so once in thirty thousand runs.
fn is_in_time(attackers: u32, account: Option<&str>, stated: u64) {
    // Many attackers take long to simulate.
    let (runs, enough) = if attackers > 200 { (5, 2) } else { (20, 14) };
    let times = (0..runs).map(|_| Crowd::run(attackers, &[NEWCOMER.ip()], account, 10));
    let seen = times.filter(|time| *time <= Duration::from_secs(stated)).count();
    assert!(seen >= enough, "{attackers}: {seen} of {runs}");
}

#[test]
fn a_newcomer_beside_connections_that_make_names_up_is_in_within_the_stated_time() {
    is_in_time(40, None, 41);
    is_in_time(100, None, 101);
    is_in_time(200, None, 201);
    is_in_time(320, None, 321);
    is_in_time(600, None, 601);
}

#[test]
fn a_newcomer_beside_connections_that_guess_at_its_account_is_in_within_the_stated_time() {
    is_in_time(40, Some("lan"), 123);
    is_in_time(100, Some("lan"), 303);
    is_in_time(320, Some("lan"), 963);
}

#[test]
fn an_owner_elsewhere_has_a_quarter_of_the_checks_once_each_of_a_hundred_addresses_has_guessed() {
    let from: Vec<std::net::IpAddr> = (0..100).map(|n| [10, 1, 0, n].into()).collect();
    let times = (0..20).map(|_| Crowd::run(100, &from, Some("lan"), 400));
    assert!(times.filter(|time| *time <= Duration::from_secs(20)).count() >= 14);
}

#[test]
fn a_connection_has_one_place_in_line_and_who_left_has_none() {
    let mut counts = Counts::default();
    let calls: Vec<_> = (0..64)
        .map(|n| {
            let (call, called) = oneshot::channel();
            counts.line.join(peer([10, 0, 0, 5], 99), &format!("b{n}"), call);
            called
        })
        .collect();
    assert_eq!(counts.draw(NOW).unwrap().account, "b63", "the newest try");
    assert!(counts.draw(NOW).is_none());
    let (call, called) = oneshot::channel();
    counts.line.join(peer([10, 0, 0, 5], 100), "c", call);
    drop((calls, called));
    assert!(counts.draw(NOW).is_none());
}

#[tokio::test]
async fn many_who_wait_at_once_are_each_looked_at_in_their_turn() {
    let throttle = Throttle::default();
    let mut all = tokio::task::JoinSet::new();
    for n in 0..60 {
        let throttle = throttle.clone();
        all.spawn(async move {
            guess(&throttle, Origin::Stranger(peer([10, 0, 0, 5], n)), &format!("a{n}"), NOW).await.is_ok()
        });
    }
    assert!(all.join_all().await.into_iter().all(|seen| seen), "twenty at once and four a second");
    assert_eq!(throttle.strangers.available_permits(), CHECKS);
}

#[tokio::test]
async fn a_right_password_costs_nothing() {
    let throttle = Throttle::default();
    for n in 0..500 {
        let ticket = throttle.enter(Origin::Stranger(peer([10, 0, 0, 5], n)), "lan", &at(NOW)).await.unwrap();
        assert_eq!(ticket.right(), 0);
    }
    assert_eq!(throttle.counts().wait("10.0.0.5", "lan", NOW), Duration::ZERO);
    for _ in 0..50 {
        throttle.enter(Origin::Session("s".to_owned()), "lan", &at(NOW)).await.unwrap().right();
    }
}

#[tokio::test]
async fn own_mistakes_slow_a_known_browser_down_and_no_other() {
    let throttle = Throttle::default();
    let known = || Origin::Known("browser".to_owned());
    for _ in 0..5 {
        assert!(guess(&throttle, known(), "lan", NOW).await.is_ok());
    }
    let later = NOW + Duration::from_secs(30);
    assert_eq!(guess(&throttle, known(), "lan", NOW).await, Err(Duration::from_secs(30)));
    assert!(guess(&throttle, Origin::Known("other".to_owned()), "lan", NOW).await.is_ok());
    let ticket = throttle.enter(known(), "lan", &at(later)).await.unwrap();
    assert_eq!(ticket.right(), 6);
    assert!(guess(&throttle, known(), "lan", later).await.is_ok());
}

#[tokio::test]
async fn mistakes_are_told_in_sums() {
    let throttle = Throttle::default();
    let mut told = Vec::new();
    for n in 0..300 {
        let origin = Origin::Stranger(peer([10, 0, 0, 5], 1));
        told.extend(guess(&throttle, origin, &format!("a{n}"), NOW).await.into_iter().flatten());
    }
    let address = || Subject::Address("10.0.0.5".to_owned());
    assert_eq!(told, [Sum { subject: address(), wrong: 20, refused: 0 }], "names that do not exist are not told");
    assert!(throttle.sums(NOW + WINDOW / 2, false).is_empty());
    assert_eq!(throttle.sums(NOW + WINDOW, false), [Sum { subject: address(), wrong: 140, refused: 160 }]);
    assert!(throttle.sums(NOW + WINDOW, true).is_empty());
    assert_eq!(throttle.sums(NOW + 3 * WINDOW, false), []);
    assert_eq!(throttle.counts().addresses.len(), 0);
}

#[tokio::test]
async fn the_tables_are_bounded() {
    let throttle = Throttle::default();
    for n in 0..2_000_u32 {
        let address = (0x0B00_0000 + n).to_be_bytes();
        for port in 0..3 {
            let _ = guess(&throttle, Origin::Stranger(peer(address, port)), &format!("a{n} {port}"), NOW).await;
        }
    }
    let counts = throttle.counts();
    for table in [&counts.addresses, &counts.accounts, &counts.pairs] {
        assert!(table.len() <= 4096);
    }
    assert_eq!(counts.line.len(), 0);
}
