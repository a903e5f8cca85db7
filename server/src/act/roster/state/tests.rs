//! Which absences are accepted, which are refused, and how the grade follows.

use policies::grade::{LineKind, Points};

use super::*;
use crate::act::roster::link::roster_link;
use crate::act::roster::{NewLine, roster_add, roster_declare};
use crate::ingest::tests::TestServer;
use crate::jobs::grader::grades_catch_up;
use crate::store::test_database::{self, on_both};
use crate::store::{Scope, StoreError};
use crate::view::{OfficeView, office_view};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn refusal(result: Result<RosterLine, RosterError>) -> Refusal {
    match result {
        Err(RosterError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// The office once every grade is made that is due at `now`.
async fn graded(test_server: &TestServer, now: i64) -> OfficeView {
    let judge = test_server.app.policies.judge().unwrap();
    grades_catch_up(&test_server.app.db, &judge, now).await.unwrap();
    let mut tx = test_server.app.db.read().await.unwrap();
    let now = Timestamp::from_millisecond(now).unwrap();
    office_view(&mut tx, Some(&judge), &Scope::whole(), &test_server.office, now).await.unwrap()
}

on_both! {
    async fn a_machine_that_is_away_does_not_count_until_its_day_is_over(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        test_server.publish().await;
        let (db, now) = (&test_database.db, test_server.app.clock.now_ms());
        let lan = By::person("lan", Scope::office(&test_server.office), now);
        let judge = test_server.app.policies.judge();
        roster_add(db, &lan, &test_server.office, &[NewLine::named("PC-01"), NewLine::named("PC-02")]).await.unwrap();
        roster_declare(db, &lan, &test_server.office, 0).await.unwrap();
        let mut machine = test_server.machine().await;
        roster_link(db, &lan, &test_server.office, "PC-01", &machine.id, false).await.unwrap();
        machine.sections.insert("time".to_owned(), r#"{"synchronised":{"known":true}}"#.to_owned());
        let report = machine.full();
        test_server.accepted(&machine, &report).await;
        let halved = graded(&test_server, now).await.grade.unwrap();
        assert!(halved.ledger.iter().any(|line| line.kind == LineKind::Unreported));

        let until = now + DAY;
        let repair = |who: By| {
            let (judge, office) = (judge.clone(), test_server.office.clone());
            async move {
                roster_state(&test_database.db, &who, judge.as_deref(), (&office, "pc 02"), RosterState::InRepair, Some(until)).await
            }
        };
        let away = repair(lan.clone()).await.unwrap();
        assert_eq!((away.state_by.as_deref(), away.state_from_at), (Some("person:lan"), Some(now)));
        test_database::regrade(db).await;
        let view = graded(&test_server, now + 1).await;
        let whole = view.grade.unwrap();
        assert!(whole.ledger.iter().all(|line| line.kind != LineKind::Unreported));
        assert!(whole.score > halved.score);
        assert_eq!((view.history[0].movement.roster, view.history[0].movement.office), (whole.score - halved.score, Points::ZERO));

        let head = db.read().await.unwrap().audit_head().await.unwrap().number;
        assert_eq!(repair(By { at: now + 5, ..lan.clone() }).await.unwrap(), away, "the same again changes nothing");
        assert_eq!(db.read().await.unwrap().audit_head().await.unwrap().number, head);
        // No event announces the end: the grade becomes due by itself.
        assert_eq!(graded(&test_server, until + 1).await.grade.unwrap().score, halved.score);

        // A report of a machine recorded as in store ends that state.
        let stored = roster_state(db, &lan, judge.as_deref(), (&test_server.office, "PC-01"), RosterState::InStore, Some(until));
        assert_eq!(stored.await.unwrap().state, RosterState::InStore);
        let report = machine.full();
        test_server.accepted(&machine, &report).await;
        let line = db.read().await.unwrap().roster_line_of_machine(&Scope::whole(), &machine.id).await.unwrap().unwrap();
        assert_eq!((line.state, line.state_until_at), (RosterState::InUse, None));
    }

    async fn an_absence_has_an_end_in_time_and_its_own_office(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (db, now) = (&test_database.db, test_server.app.clock.now_ms());
        let lan = By::person("lan", Scope::office(&test_server.office), now);
        roster_add(db, &lan, &test_server.office, &[NewLine::named("PC-01")]).await.unwrap();
        let say = |who: &By, at: i64, line: &'static str, state: RosterState, until_at: Option<i64>| {
            let (who, judge, office) = (By { at, ..who.clone() }, test_server.app.policies.judge(), test_server.office.clone());
            async move { roster_state(&test_database.db, &who, judge.as_deref(), (&office, line), state, until_at).await }
        };
        let (leave, store) = (RosterState::OnLeave, RosterState::InStore);
        assert_eq!(refusal(say(&lan, now, "PC-01", leave, Some(now + DAY)).await), Refusal::NoPolicy);
        test_server.publish().await;
        assert_eq!(refusal(say(&lan, now, "PC-01", leave, None).await), Refusal::NoEnd);
        assert_eq!(refusal(say(&lan, now, "PC-01", leave, Some(now)).await), Refusal::EndPassed);
        assert_eq!(refusal(say(&lan, now, "PC-01", leave, Some(now + 60 * DAY + 1)).await), Refusal::EndTooFar(60));
        assert_eq!(refusal(say(&lan, now, "PC-01", RosterState::InUse, Some(now + DAY)).await), Refusal::InUseHasNoEnd);
        assert_eq!(refusal(say(&lan, now, "PC-09", leave, Some(now + DAY)).await), Refusal::NoLine("PC-09".to_owned()));
        let elsewhere = test_database::office_made(db, "Xã khác", None).await;
        let stranger = By::person("son", Scope::office(&elsewhere), now);
        let outside = say(&stranger, now, "PC-01", leave, Some(now + DAY)).await;
        assert!(matches!(outside, Err(RosterError::Store(StoreError::NotFound { .. }))), "{outside:?}");

        // Prolonged, and for another reason: one absence, counted from its first day.
        say(&lan, now, "PC-01", leave, Some(now + 30 * DAY)).await.unwrap();
        let later = now + 20 * DAY;
        assert_eq!(refusal(say(&lan, later, "PC-01", store, Some(now + 61 * DAY)).await), Refusal::EndTooFar(60));
        let prolonged = say(&lan, later, "PC-01", store, Some(now + 60 * DAY)).await.unwrap();
        assert_eq!((prolonged.state, prolonged.state_from_at), (store, Some(now)));
        // Once it has ended, another may begin.
        let over = now + 60 * DAY;
        assert_eq!(say(&lan, over, "PC-01", store, Some(over + DAY)).await.unwrap().state_from_at, Some(over));
        let back = say(&lan, over, "PC-01", RosterState::InUse, None).await.unwrap();
        assert_eq!((back.state_by, back.state_from_at, back.state_until_at), (None, None, None));
        let log = db.read().await.unwrap().audit_list(&lan.scope, i64::MAX, 9).await.unwrap();
        assert_eq!((log[0].action.as_str(), log[0].detail.as_str()), ("roster_changed", r#"{"state":"in_use"}"#));
        assert_eq!(log.iter().filter(|entry| entry.action == "roster_changed").count(), 4);
    }
}
