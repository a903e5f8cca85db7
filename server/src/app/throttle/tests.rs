//! Guesses as counts alone, without passwords.

use super::*;

const NOW: Duration = Duration::from_secs(1_000_000);

fn peer(address: [u8; 4], port: u16) -> Origin {
    Origin::Stranger((address, port).into())
}

/// A try that is wrong where it is looked at: how long it waited, or why it was not looked at.
fn guess(throttle: &Throttle, origin: Origin, account: &str, now: Duration) -> Result<Duration, Duration> {
    let ticket = throttle.enter(origin, account, now)?;
    let waited = ticket.opens_in;
    ticket.wrong(None, now);
    Ok(waited)
}

#[test]
fn a_computer_with_many_ipv6_addresses_is_one_place() {
    let code = |address: &str| Origin::Stranger((address.parse::<std::net::IpAddr>().unwrap(), 1).into()).code();
    assert_eq!(code("2001:db8::1"), code("2001:db8::ffff:1"));
    assert_ne!(code("2001:db8::1"), code("2001:db8:0:1::1"));
    assert_eq!(code("::ffff:10.0.0.5"), "10.0.0.5");
    assert_ne!(code("10.0.0.5"), code("10.0.0.6"));
}

#[test]
fn one_address_slows_down_over_all_accounts() {
    let throttle = Throttle::default();
    let tries = |now| {
        (0..400).filter(|n| guess(&throttle, peer([10, 0, 0, 5], 1), &format!("a{}", n % 100), now).is_ok()).count()
    };
    assert_eq!(tries(NOW), 20);
    assert_eq!(tries(NOW + Duration::from_secs(5)), 10, "then two a second");
    // The neighbour is not concerned.
    assert_eq!(guess(&throttle, peer([10, 0, 0, 6], 1), "a1", NOW), Ok(Duration::ZERO));
}

#[test]
fn one_account_slows_down_over_all_addresses_and_stays_open() {
    let throttle = Throttle::default();
    let attack = |now| (0..229).filter(|n| guess(&throttle, peer([10, 1, 0, *n], 1), "lan", now).is_ok()).count();
    assert_eq!(attack(NOW), 20, "ten at once and ten in line");
    // An address without mistakes finds the rest of the line, whatever those with some do.
    let mut now = NOW;
    for _ in 0..60 {
        now += Duration::from_secs(10);
        for n in 0..229 {
            for port in 0..3 {
                let _ = guess(&throttle, peer([10, 1, 0, n], port), "lan", now);
            }
        }
    }
    let ticket = throttle.enter(peer([10, 9, 0, 1], 1), "lan", now + Duration::from_secs(1)).unwrap();
    assert!(ticket.opens_in <= PATIENCE);
    // And a browser that is known waits for nobody.
    let known = throttle.enter(Origin::Known("browser".to_owned()), "lan", now).unwrap();
    assert!(known.opens_in.is_zero());
}

#[test]
fn sixteen_connections_of_one_address_leave_a_new_one_its_turn() {
    // Each keeps its connection, or opens a new one for every try: with one try at a time of each there is always room in line.
    for keeps in [true, false] {
        let throttle = Throttle::default();
        let (mut free_at, mut port) = ([NOW; 16], 100_u16);
        for second in 0..60 {
            let now = NOW + Duration::from_secs(second);
            for (one, free_at) in free_at.iter_mut().enumerate() {
                if *free_at <= now {
                    port += 1;
                    let port = if keeps { one as u16 } else { port };
                    let waited = guess(&throttle, peer([10, 0, 0, 5], port), &format!("x{second}-{one}"), now);
                    *free_at = now + waited.unwrap_or_default();
                }
            }
            let newcomer = throttle.enter(peer([10, 0, 0, 5], 60_000), "lan", now);
            assert!(newcomer.is_ok_and(|ticket| ticket.opens_in <= PATIENCE), "{keeps} {second}");
        }
    }
}

#[test]
fn one_connection_does_not_fill_the_line_by_tries_at_the_same_time() {
    let throttle = Throttle::default();
    for n in 0..20 {
        assert!(guess(&throttle, peer([10, 0, 0, 5], n), &format!("a{n}"), NOW).is_ok(), "the free ones");
    }
    let held: Vec<_> = (0..64).map(|n| throttle.enter(peer([10, 0, 0, 5], 99), &format!("b{n}"), NOW)).collect();
    assert_eq!(held.iter().filter(|ticket| ticket.is_ok()).count(), 3);
    assert!(throttle.enter(peer([10, 0, 0, 5], 100), "lan", NOW).unwrap().opens_in <= Duration::from_secs(2));
}

#[test]
fn a_right_password_and_a_browser_that_went_away_cost_nothing() {
    let throttle = Throttle::default();
    for n in 0..500 {
        let ticket = throttle.enter(peer([10, 0, 0, 5], n), "lan", NOW).unwrap();
        assert!(ticket.opens_in.is_zero());
    }
    for _ in 0..50 {
        assert!(throttle.enter(Origin::Session("s".to_owned()), "lan", NOW).is_ok());
    }
}

#[test]
fn own_mistakes_slow_a_known_browser_down_and_no_other() {
    let throttle = Throttle::default();
    let known = || Origin::Known("browser".to_owned());
    for _ in 0..5 {
        assert!(guess(&throttle, known(), "lan", NOW).is_ok());
    }
    assert_eq!(guess(&throttle, known(), "lan", NOW), Err(Duration::from_secs(30)));
    assert!(guess(&throttle, Origin::Known("other".to_owned()), "lan", NOW).is_ok());
    assert!(guess(&throttle, known(), "lan", NOW + Duration::from_secs(30)).is_ok());
    throttle.right(&known(), "lan");
    assert!(guess(&throttle, known(), "lan", NOW + Duration::from_secs(30)).is_ok());
    // Tries at the same time count before they are known to be wrong.
    let together: Vec<_> = (0..9).map(|_| throttle.enter(Origin::Session("s".to_owned()), "lan", NOW)).collect();
    assert_eq!(together.iter().filter(|ticket| ticket.is_ok()).count(), 5);
}

#[test]
fn mistakes_are_told_in_sums() {
    let throttle = Throttle::default();
    let mut told = Vec::new();
    for n in 0..300 {
        if let Ok(ticket) = throttle.enter(peer([10, 0, 0, 5], 1), &format!("a{n}"), NOW) {
            told.extend(ticket.wrong(None, NOW));
        }
    }
    let address = || Subject::Address("10.0.0.5".to_owned());
    assert_eq!(told, [Sum { subject: address(), wrong: 20, refused: 0 }], "names that do not exist are not told");
    assert!(throttle.sums(NOW + WINDOW / 2, false).is_empty());
    assert_eq!(throttle.sums(NOW + WINDOW, false), [Sum { subject: address(), wrong: 20, refused: 280 }]);
    assert!(throttle.sums(NOW + WINDOW, true).is_empty());
    assert_eq!(throttle.sums(NOW + 3 * WINDOW, false), []);
    assert_eq!(throttle.counts().addresses.len(), 0);
}

#[test]
fn the_tables_are_bounded() {
    let throttle = Throttle::default();
    for n in 0..2_000_u32 {
        let address = (0x0B00_0000 + n).to_be_bytes();
        for port in 0..3 {
            let _ = guess(&throttle, peer(address, port), &format!("a{n} {port}"), NOW);
        }
    }
    let counts = throttle.counts();
    for table in [&counts.addresses, &counts.accounts, &counts.pairs, &counts.connections] {
        assert!(table.len() <= 4096);
    }
}
