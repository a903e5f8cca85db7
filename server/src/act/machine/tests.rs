//! What an officer decides about a machine, within which limits, and the effects.

use super::*;
use crate::act::roster::link::roster_link;
use crate::act::roster::{NewLine, roster_add};
use crate::act::waiver::{NewWaiver, waiver_ask, waiver_grant};
use crate::ingest::tests::TestServer;
use crate::jobs::grader::grades_catch_up;
use crate::store::judgement::JudgedFor;
use crate::store::test_database::{self, on_both};
use crate::store::waiver::WaiverState;
use crate::store::{Scope, StoreError};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn is_outside(result: anyhow::Result<Machine>) -> bool {
    matches!(result.unwrap_err().downcast_ref(), Some(StoreError::NotFound { .. }))
}

/// A machine that reported and was judged, with a line of the roster and a waiver in force.
async fn scene(test_server: &TestServer) -> (crate::ingest::tests::Machine, By) {
    test_server.publish().await;
    let (db, now) = (&test_server.app.db, test_server.app.clock.now_ms());
    let (lan, above) =
        (By::person("lan", Scope::office(&test_server.office), now), By::person("ha", Scope::whole(), now));
    let mut machine = test_server.machine().await;
    roster_add(db, &lan, &test_server.office, &[NewLine::named("PC-01")]).await.unwrap();
    roster_link(db, &lan, &test_server.office, "PC-01", &machine.id, false).await.unwrap();
    let report = machine.full();
    test_server.accepted(&machine, &report).await;
    let judge = test_server.app.policies.judge().unwrap();
    let new = NewWaiver {
        machine: machine.id.clone(),
        control: "firewall-active".to_owned(),
        reason: "Chờ thay máy".to_owned(),
        until_at: now + DAY,
    };
    let waiver = waiver_ask(db, &lan, Some(&judge), &new).await.unwrap();
    waiver_grant(db, &above, Some(&judge), &waiver.id).await.unwrap();
    (machine, lan)
}

async fn waiver_states(test_server: &TestServer, machine: &str) -> Vec<WaiverState> {
    let mut tx = test_server.app.db.read().await.unwrap();
    let waivers = tx.waiver_list_of_machine(&Scope::whole(), machine).await.unwrap();
    waivers.into_iter().map(|waiver| waiver.state).collect()
}

async fn head(test_server: &TestServer) -> i64 {
    test_server.app.db.read().await.unwrap().audit_head().await.unwrap().number
}

on_both! {
    async fn another_role_brings_other_controls(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (machine, lan) = scene(&test_server).await;
        let (db, id) = (&test_database.db, machine.id.as_str());
        let elsewhere = test_database::office_made(db, "Xã khác", None).await;
        let stranger = By::person("son", Scope::office(&elsewhere), lan.at);
        assert!(is_outside(machine_role(db, &stranger, id, Role::Server).await));

        assert_eq!(machine_role(db, &lan, id, Role::Server).await.unwrap().role, Role::Server);
        assert_eq!(waiver_states(&test_server, id).await, [WaiverState::Withdrawn]);
        let mut tx = db.read().await.unwrap();
        let line = tx.roster_line_of_machine(&Scope::whole(), id).await.unwrap().unwrap();
        assert_eq!((line.role, tx.machine_require(&Scope::whole(), id).await.unwrap().role), (Role::Server, Role::Server));
        let log = tx.audit_list(&lan.scope, i64::MAX, 2).await.unwrap();
        assert_eq!((log[0].action.as_str(), log[0].detail.as_str()), ("machine_role_changed", r#"{"role":"server"}"#));
        assert_eq!(log[1].action, "waiver_withdrawn");
        drop(tx);
        let before = head(&test_server).await;
        machine_role(db, &lan, id, Role::Server).await.unwrap();
        assert_eq!(head(&test_server).await, before, "the same again changes nothing");

        // Judged again without a report, and the history says why.
        let judge = test_server.app.policies.judge().unwrap();
        grades_catch_up(db, &judge, lan.at + 1).await.unwrap();
        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.judgement_get(&Scope::whole(), id).await.unwrap().unwrap().role, Role::Server);
        let changes = tx.outcome_change_list(&Scope::whole(), id, 500).await.unwrap();
        assert!(changes.iter().any(|change| change.cause == JudgedFor::Role), "{changes:?}");
        assert!(changes.iter().all(|change| change.cause != JudgedFor::Policy), "{changes:?}");
        drop(tx);

        machine_revoke(db, &lan, id, "mất máy").await.unwrap();
        let said = machine_role(db, &lan, id, Role::Workstation).await.unwrap_err().to_string();
        assert!(said.contains("is revoked"), "{said}");
    }

    async fn a_machine_counts_where_it_was_moved_to(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (machine, lan) = scene(&test_server).await;
        let (db, id) = (&test_database.db, machine.id.as_str());
        let below = test_database::office_made(db, "Phòng", Some(&test_server.office)).await;
        let elsewhere = test_database::office_made(db, "Xã khác", None).await;
        let stranger = By::person("son", Scope::office(&elsewhere), lan.at);
        assert!(is_outside(machine_move(db, &stranger, id, &elsewhere).await), "not a foreign machine");
        assert!(is_outside(machine_move(db, &lan, id, &elsewhere).await), "not to a foreign office");
        let before = head(&test_server).await;
        machine_move(db, &lan, id, &test_server.office).await.unwrap();
        assert_eq!(head(&test_server).await, before, "it is there already");
        assert_eq!(waiver_states(&test_server, id).await, [WaiverState::Granted]);

        let judge = test_server.app.policies.judge().unwrap();
        grades_catch_up(db, &judge, lan.at + 1).await.unwrap();
        assert_eq!(machine_move(db, &lan, id, &below).await.unwrap().office, below);
        assert_eq!(waiver_states(&test_server, id).await, [WaiverState::Withdrawn], "granted from above the old office");
        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.machine_require(&Scope::office(&below), id).await.unwrap().office, below);
        let line = tx.roster_line_list(&Scope::whole(), &test_server.office).await.unwrap().remove(0);
        assert_eq!((line.label.as_str(), line.machine), ("PC-01", None));
        for (office, name, other) in [(&test_server.office, "to", "Phòng"), (&below, "from", "Xã An")] {
            let log = tx.audit_list(&Scope::whole(), i64::MAX, 2).await.unwrap();
            let entry = log.into_iter().find(|entry| entry.office.as_ref() == Some(office)).unwrap();
            assert_eq!(entry.action, "machine_moved");
            assert!(entry.detail.contains(&format!("\"{name}\":")) && entry.detail.contains(other), "{}", entry.detail);
        }
        let told = tx.change_list(0, 1000).await.unwrap();
        let told: Vec<_> = told.iter().rev().take(2).map(|change| change.office.as_deref()).collect();
        assert_eq!(told, [Some(below.as_str()), Some(test_server.office.as_str())], "both are graded anew");
        drop(tx);

        machine_revoke(db, &lan, id, "mất máy").await.unwrap();
        assert!(machine_move(db, &lan, id, &test_server.office).await.unwrap_err().to_string().contains("is revoked"));
    }

    async fn only_a_machine_with_a_double_is_settled(test_database: &TestDatabase) {
        let mut tx = test_database.db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã", None).await;
        let elsewhere = test_database::office(&mut tx, "Xã khác", None).await;
        let id = test_database::machine(&mut tx, &office).await;
        tx.commit().await.unwrap();
        let lan = By::person("lan", Scope::office(&office), 1);
        let said = machine_settle(&test_database.db, &lan, &id).await.unwrap_err().to_string();
        assert!(said.contains("nothing to settle"), "{said}");
        let mut tx = test_database.db.write().await.unwrap();
        tx.machine_clone_set(&Scope::whole(), &id, 1, "alternating_starts").await.unwrap();
        tx.commit().await.unwrap();
        assert!(is_outside(machine_settle(&test_database.db, &By::person("son", Scope::office(&elsewhere), 1), &id).await));
        assert_eq!(machine_settle(&test_database.db, &lan, &id).await.unwrap().clone_at, None);
        let mut tx = test_database.db.read().await.unwrap();
        assert_eq!(tx.machine_require(&Scope::whole(), &id).await.unwrap().clone_why, None);
        let log = tx.audit_list(&lan.scope, i64::MAX, 1).await.unwrap();
        let entry = (log[0].action.as_str(), log[0].detail.as_str());
        assert_eq!(entry, ("machine_settled", r#"{"reason":"alternating_starts"}"#));
    }
}
