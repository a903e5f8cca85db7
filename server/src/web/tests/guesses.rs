//! Guesses of passwords: they slow down by address and by account, are reported in sums, and lock nobody out.

use axum::http::{StatusCode, header};

use super::browser::{Answer, Browser};
use super::{PASSWORD, Site};
use crate::jobs::guesses::guesses_close;
use crate::store::Scope;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;
use crate::web::secret::hash_token;

const WRONG: &str = "sai mật khẩu";
const QUARTER_HOUR: i64 = 15 * 60 * 1000;

/// A browser nobody has used before, on a connection of its own.
fn stranger(site: &Site, address: [u8; 4], port: u16) -> Browser {
    let mut browser = site.browser();
    (browser.address, browser.port) = (address, port);
    browser
}

/// True when a guess was checked; false when it must be retried later.
fn looked_at(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds: u64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=15 * 60 + 1).contains(&seconds) && answer.has("Hãy thử lại sau"));
            false
        }
        other => panic!("{other}: {}", answer.body),
    }
}

/// The details of all entries about wrong passwords, the newest first, by subject.
async fn told(site: &Site) -> Vec<(String, String)> {
    let entries = site.app.db.read().await.unwrap().audit_list(&Scope::whole(), i64::MAX, 10_000).await.unwrap();
    let about = entries.into_iter().filter(|entry| entry.action == "login_throttled");
    about.map(|entry| (entry.subject, entry.detail)).collect()
}

/// The person with an account, logged out, whose browser has logged in before.
async fn owner(site: &Site) -> Browser {
    let mut owner = site.person("lan", PersonRole::Officer, None).await;
    owner.get("/offices").await;
    assert_eq!(owner.post("/logout", &[]).await.location(), "/login");
    owner
}

on_both! {
    /// A connection of a known browser does not give way to others of its address (`serve::tests::crowds`).
    async fn a_browser_is_known_until_the_account_is_closed(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let owner = owner(&site).await;
        let device = hash_token(owner.cookie("__Host-device").unwrap());
        let mut tx = site.app.db.write().await.unwrap();
        let person = tx.known_device_person(&device).await.unwrap().unwrap();
        assert_eq!(tx.known_device_person(&hash_token("another")).await.unwrap(), None);
        assert!(tx.person_close(&person, site.app.clock.now_ms()).await.unwrap());
        assert_eq!(tx.known_device_person(&device).await.unwrap(), None);
        tx.commit().await.unwrap();
    }

    async fn four_hundred_wrong_passwords_over_a_hundred_accounts_from_one_address(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut owner = owner(&site).await;
        let mut attacker = stranger(&site, owner.address, 1);
        attacker.get("/login").await;
        let mut seen = 0;
        for guess in 0..400 {
            let login = format!("nguoi-{}", guess % 100);
            let answer = attacker.post("/login", &[("login", &login), ("password", WRONG)]).await;
            seen += usize::from(looked_at(&answer));
        }
        // The clock of the test is fixed: waiting on it returns at once.
        assert_eq!(seen, 20 + 120, "twenty at once, and what waits for half a minute");
        // One entry at once, none for each guess, none with a typed name.
        let address = owner.address.map(|part| part.to_string()).join(".");
        assert_eq!(told(&site).await, [(address.clone(), r#"{"failures":"20"}"#.to_owned())]);

        // Behind the same address: the known browser at once, a new one and a colleague after a moment in line.
        assert_eq!(owner.login("lan", PASSWORD).await.location(), "/");
        site.app.clock.advance(1_000);
        assert_eq!(stranger(&site, owner.address, 2).login("lan", PASSWORD).await.location(), "/");
        assert!(looked_at(&stranger(&site, owner.address, 3).login("hoa", WRONG).await));
        // The slow pace continues, and the sum is reported when the period ends.
        site.app.clock.advance(QUARTER_HOUR);
        guesses_close(&site.app, false).await;
        let told = told(&site).await;
        assert_eq!(told.len(), 2);
        assert_eq!(told[0], (address, r#"{"failures":"141","refused":"260"}"#.to_owned()));
        assert_eq!(owner.get("/audit").await.status, StatusCode::OK);
    }

    async fn wrong_passwords_for_one_account_from_two_hundred_and_twenty_nine_addresses(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut owner = owner(&site).await;
        let mut seen = 0;
        for n in 0..229 {
            seen += usize::from(looked_at(&stranger(&site, [10, 7, 0, n], 1).login("lan", WRONG).await));
        }
        assert_eq!(seen, 10 + 30, "ten at once, and what waits for half a minute");
        let first = told(&site).await;
        assert_eq!(first.len(), 1);
        assert!(first[0].0 == "lan" && first[0].1.contains(r#""failures":"5""#), "{first:?}");

        assert_eq!(owner.login("lan", PASSWORD).await.location(), "/", "a browser that was in before waits for nobody");
        site.app.clock.advance(1000);
        let mut elsewhere = stranger(&site, [10, 8, 0, 1], 1);
        assert_eq!(elsewhere.login("lan", PASSWORD).await.location(), "/", "and a new one finds a place in line");
        let log = elsewhere.get("/audit").await;
        assert!(log.has("bị hạn chế đăng nhập") && log.has("số lần sai trước đó: 5") && log.has("số lần sai trước đó: 40"));
        guesses_close(&site.app, true).await;
        let sum = told(&site).await;
        assert!(sum.len() == 2 && sum[0].1.contains(r#""failures":"40""#) && sum[0].1.contains(r#""refused":"189""#), "{sum:?}");
    }

    async fn sixteen_connections_with_random_names_leave_a_new_browser_its_turn(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let owner = owner(&site).await;
        let mut attackers = tokio::task::JoinSet::new();
        for port in 1..=16 {
            let mut attacker = stranger(&site, owner.address, port);
            attackers.spawn(async move {
                attacker.get("/login").await;
                for guess in 0..6 {
                    let login = format!("ten-{port}-{guess}");
                    looked_at(&attacker.post("/login", &[("login", &login), ("password", WRONG)]).await);
                }
            });
        }
        while let Some(ended) = attackers.join_next().await {
            ended.unwrap();
        }
        site.app.clock.advance(5_000);
        assert_eq!(stranger(&site, owner.address, 99).login("lan", PASSWORD).await.location(), "/");
    }

    async fn own_mistakes_slow_down_a_known_browser_and_a_session(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut owner = owner(&site).await;
        for _ in 0..5 {
            assert!(looked_at(&owner.login("lan", WRONG).await));
        }
        let answer = owner.login("lan", PASSWORD).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "even the right one waits");
        assert!(answer.has("Hãy thử lại sau"));
        // A browser from elsewhere does not.
        let mut other = stranger(&site, [10, 0, 0, 6], 1);
        assert_eq!(other.login("lan", PASSWORD).await.location(), "/");
        site.app.clock.advance(30_000);
        assert_eq!(owner.login("lan", PASSWORD).await.location(), "/");
        let form = [("current", WRONG), ("new", "một câu khác hẳn"), ("again", "một câu khác hẳn")];
        owner.get("/password").await;
        for guess in 0..6 {
            let answer = owner.post("/password", &form).await;
            let expected = if guess < 5 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::TOO_MANY_REQUESTS };
            assert_eq!(answer.status, expected);
        }
    }

    async fn unknown_names_are_answered_like_wrong_passwords(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        site.person("lan", PersonRole::Officer, None).await;
        let mut answers = Vec::new();
        // Until no more are checked: ten at once, and thirty that wait.
        for (name, port) in [("lan", 1), ("nobody", 2)] {
            let mut browser = stranger(&site, [10, 0, 1, port], 1);
            let mut of_name = Vec::new();
            for _ in 0..41 {
                let answer = browser.login(name, WRONG).await;
                of_name.push((answer.status, answer.headers.get(header::RETRY_AFTER).cloned()));
                assert!(answer.has("Tên đăng nhập hoặc mật khẩu không đúng") == (answer.status == StatusCode::UNAUTHORIZED));
            }
            answers.push(of_name);
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0][40].0, StatusCode::TOO_MANY_REQUESTS);
    }
}
