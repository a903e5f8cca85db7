//! Who may rename an office, who may set how long it is being set up, and the effect on its letter.

use jiff::Timestamp;
use policies::grade::{LetterResult, NoLetter};

use super::*;
use crate::act::roster::{NewLine, roster_add, roster_declare};
use crate::ingest::tests::TestServer;
use crate::jobs::grader::grades_catch_up;
use crate::store::test_database::{self, on_both};
use crate::view::office_view;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn is_outside<T: std::fmt::Debug>(result: anyhow::Result<T>) -> bool {
    matches!(result.unwrap_err().downcast_ref(), Some(StoreError::NotFound { .. }))
}

async fn result(test_server: &TestServer, now: i64) -> LetterResult {
    let judge = test_server.app.policies.judge().unwrap();
    test_database::regrade(&test_server.app.db).await;
    grades_catch_up(&test_server.app.db, &judge, now).await.unwrap();
    let mut tx = test_server.app.db.read().await.unwrap();
    let now = Timestamp::from_millisecond(now).unwrap();
    let view = office_view(&mut tx, Some(&judge), &Scope::whole(), &test_server.office, now).await.unwrap();
    view.grade.unwrap().result
}

on_both! {
    async fn an_office_is_renamed_by_its_own_people(test_database: &TestDatabase) {
        let office = test_database::office_made(&test_database.db, "Xã An", None).await;
        let elsewhere = test_database::office_made(&test_database.db, "Xã khác", None).await;
        let lan = By::person("lan", Scope::office(&office), 1);
        assert!(is_outside(office_rename(&test_database.db, &lan, &elsewhere, "Xã Bình").await));
        let said = office_rename(&test_database.db, &lan, &office, "  ").await.unwrap_err().to_string();
        assert!(said.contains("must not be empty"), "{said}");
        assert_eq!(office_rename(&test_database.db, &lan, &office, " Xã Bình ").await.unwrap().name, "Xã Bình");
        office_rename(&test_database.db, &lan, &office, "Xã Bình").await.unwrap();
        let mut tx = test_database.db.read().await.unwrap();
        assert_eq!(tx.office_get(&Scope::whole(), &office).await.unwrap().unwrap().name, "Xã Bình");
        let log = tx.audit_list(&Scope::whole(), i64::MAX, 9).await.unwrap();
        assert_eq!(log.len(), 1, "the same name again changes nothing");
        let entry = (log[0].action.as_str(), log[0].detail.as_str());
        assert_eq!(entry, ("office_changed", r#"{"before":"Xã An","name":"Xã Bình"}"#));
    }

    async fn only_from_above_an_office_is_said_to_be_set_up(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        test_server.publish().await;
        let (db, now) = (&test_database.db, test_server.app.clock.now_ms());
        let below = test_database::office_made(db, "Phòng", Some(&test_server.office)).await;
        let elsewhere = test_database::office_made(db, "Xã khác", None).await;
        let (lan, above) = (By::person("lan", Scope::office(&test_server.office), now), By::person("ha", Scope::whole(), now));
        roster_add(db, &lan, &test_server.office, &[NewLine::named("PC-01")]).await.unwrap();
        roster_declare(db, &lan, &test_server.office, 0).await.unwrap();
        let mut machine = test_server.machine().await;
        let report = machine.full();
        test_server.accepted(&machine, &report).await;
        assert!(matches!(result(&test_server, now).await, LetterResult::Letter { .. }));

        let until = now + 30 * DAY;
        let own = office_setup(db, &lan, &test_server.office, SetUp::Until(until)).await.unwrap_err().to_string();
        assert!(own.contains("from above"), "an office does not hide its letter: {own}");
        assert!(is_outside(office_setup(db, &lan, &elsewhere, SetUp::Over).await));
        for (end, why) in [(now, "has passed"), (now + 367 * DAY, "at most a year")] {
            let said = office_setup(db, &above, &test_server.office, SetUp::Until(end)).await.unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }

        let changed = office_setup(db, &above, &test_server.office, SetUp::Until(until)).await.unwrap();
        let mut ids: Vec<&str> = changed.iter().map(|office| office.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [test_server.office.as_str(), below.as_str()], "one day for all below");
        assert!(office_setup(db, &above, &test_server.office, SetUp::Until(until)).await.unwrap().is_empty());
        let reason = NoLetter::StartUp { until: Some(Timestamp::from_millisecond(until).unwrap()) };
        assert_eq!(result(&test_server, now + 1).await, LetterResult::NoLetter { reason });

        let later = By { at: now + 2, ..above };
        assert_eq!(office_setup(db, &later, &test_server.office, SetUp::Over).await.unwrap().len(), 2);
        let again = By { at: now + 3, ..later.clone() };
        assert!(office_setup(db, &again, &test_server.office, SetUp::Over).await.unwrap().is_empty(), "it is over already");
        assert!(matches!(result(&test_server, now + 4).await, LetterResult::Letter { .. }));
        let by_policy = office_setup(db, &later, &below, SetUp::OfPolicy).await.unwrap();
        assert_eq!(by_policy[0].setup_until_at, None);
        let log = db.read().await.unwrap().audit_list(&Scope::office(&below), i64::MAX, 9).await.unwrap();
        let details: Vec<&str> = log.iter().map(|entry| entry.detail.as_str()).collect();
        let ends = [until, later.at].map(|at| format!(r#"{{"setup_until_at":"{at}"}}"#));
        assert_eq!(details, [r#"{"setup":"policy"}"#, &ends[1], &ends[0]]);
    }
}
