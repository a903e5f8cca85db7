//! What a hold keeps and for how long, who may release it, and that it wins against a retention that runs at the same time.

use policies::text::Language;
use protocol::{Digest, Position};

use super::*;
use crate::act::machine::machine_revoke;
use crate::config::retention::Retention;
use crate::ingest::tests::{Machine as Reporter, TestServer};
use crate::jobs::packing::headers_pack;
use crate::jobs::retention::retention_apply;
use crate::store::machine::event::{AgentEvent, AgentEventKind};
use crate::store::report::NewFork;
use crate::store::test_database::{self, on_both};
use crate::store::{Db, Scope};

/// When the machines of these tests report.
const START: i64 = 1_795_305_600_000;
const DAY: i64 = 24 * 60 * 60 * 1000;
/// Bodies that each machine sent and that are not the current ones.
const OLD: i64 = 3;

fn by(login: &str) -> By {
    By::person(login, Scope::whole(), START + 20 * DAY)
}

fn new(machine: &str) -> NewHold {
    NewHold {
        machine: machine.to_owned(),
        from_at: START - DAY,
        until_at: None,
        sections: Vec::new(),
        paper: Paper {
            number: " 15/CV-PA05 ".to_owned(),
            date: "2026-11-20".to_owned(),
            issuer: "Phòng An ninh mạng".to_owned(),
        },
    }
}

fn refused<T: std::fmt::Debug>(done: Result<T, HoldError>) -> String {
    match done {
        Err(HoldError::Refused(text)) => text.get(Language::En).to_owned(),
        other => panic!("{other:?}"),
    }
}

/// A machine with some old bodies of `lan`, and 33 reports.
async fn reporter(test_server: &TestServer) -> Reporter {
    let mut machine = test_server.machine().await;
    let mut reports = vec![machine.full()];
    for number in 0..OLD {
        machine.sections.insert("lan".to_owned(), format!(r#"{{"forwards":{{"known":true}},"n":{number}}}"#));
        reports.push(machine.report(&["lan"]));
    }
    while reports.len() < 33 {
        machine.made_at += 1;
        reports.push(machine.report(&[]));
    }
    test_server.send(&machine, &reports).await;
    machine
}

/// Old bodies that are left.
async fn left(db: &Db, machine: &str) -> i64 {
    let sql = "select count(*) from body where machine = $1 and not current";
    test_database::count(&mut db.read().await.unwrap(), sql, machine).await
}

/// Headers that are left, packed or not.
async fn headers(db: &Db, machine: &str) -> usize {
    let reports = db.read().await.unwrap().report_list(&Scope::whole(), machine, 100).await.unwrap();
    reports.iter().filter(|report| !report.header.is_empty()).count()
}

async fn apply(db: &Db, days: i64) {
    let at = START + days * DAY;
    headers_pack(db, at).await.unwrap();
    let now = Timestamp::from_millisecond(at).unwrap();
    retention_apply(db, &Retention::default(), now).await.unwrap();
}

on_both! {
    async fn what_is_held_outlasts_retention_and_revocation(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let db = &test_server.app.db;
        let (held, free, other, before) = (
            reporter(&test_server).await,
            reporter(&test_server).await,
            reporter(&test_server).await,
            reporter(&test_server).await,
        );
        let (hold, gone) = hold_make(db, &by("lan"), &new(&held.id)).await.unwrap();
        assert_eq!((gone.reports, gone.is_empty(), hold.paper.number.as_str()), (33, true, "15/CV-PA05"));
        let of_time = NewHold { sections: vec!["time".to_owned()], ..new(&other.id) };
        hold_make(db, &by("lan"), &of_time).await.unwrap();
        let of_before = NewHold { from_at: START - 9 * DAY, until_at: Some(START - DAY), ..new(&before.id) };
        assert_eq!(hold_make(db, &by("lan"), &of_before).await.unwrap().1.reports, 0);
        machine_revoke(db, &by("lan"), &held.id, "thanh lý").await.unwrap();
        apply(db, 300).await;
        assert_eq!(left(db, &free.id).await, OLD);
        apply(db, 400).await;
        for (machine, bodies, whole) in [(&held, OLD, 33), (&free, 0, 0), (&other, 0, 33), (&before, 0, 0)] {
            assert_eq!((left(db, &machine.id).await, headers(db, &machine.id).await), (bodies, whole));
        }
        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.hold_list_of_machine(&Scope::whole(), &held.id, START + 400 * DAY).await.unwrap(), [hold]);
        assert_eq!(tx.hold_list(&Scope::whole(), &test_server.office, START, 10).await.unwrap().len(), 3);
        assert!(tx.hold_list(&Scope::office("elsewhere"), &test_server.office, START, 10).await.is_err());
    }

    async fn two_people_release_it_and_then_it_is_kept_for_five_years(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let db = &test_server.app.db;
        let machine = reporter(&test_server).await;
        let (lan, ha) = (by("lan"), by("ha"));
        let (hold, _) = hold_make(db, &lan, &new(&machine.id)).await.unwrap();
        assert!(refused(hold_release_agree(db, &ha, &hold.id).await).contains("Nobody has asked"));
        assert!(refused(hold_keep(db, &ha, &hold.id).await).contains("No request"));
        assert!(refused(hold_release_ask(db, &lan, &hold.id, " ").await).contains("reason"));
        hold_release_ask(db, &lan, &hold.id, "Đã kết luận vụ việc").await.unwrap();
        assert!(refused(hold_release_ask(db, &ha, &hold.id, "x").await).contains("person:lan has asked"));
        assert!(refused(hold_release_agree(db, &lan, &hold.id).await).contains("must not agree"));
        let inside = By::person("cuc", Scope::office(&test_server.office), START + 20 * DAY);
        assert!(refused(hold_release_agree(db, &inside, &hold.id).await).contains("from above"));
        let stranger = By::person("son", Scope::office("elsewhere"), START + 20 * DAY);
        assert!(matches!(hold_release_agree(db, &stranger, &hold.id).await, Err(HoldError::Store(StoreError::NotFound { .. }))));
        // The other keeps it; now she asks, and he agrees.
        assert_eq!(hold_keep(db, &ha, &hold.id).await.unwrap().asked_by, None);
        hold_release_ask(db, &ha, &hold.id, "Đã kết luận vụ việc").await.unwrap();
        apply(db, 400).await;
        assert_eq!(left(db, &machine.id).await, OLD, "asked is not released");
        let released = hold_release_agree(db, &lan, &hold.id).await.unwrap();
        assert_eq!((released.asked_by.as_deref(), released.released_by.as_deref()), (Some("person:ha"), Some("person:lan")));
        assert_eq!(released.kept_until_at, Some(START + (20 + 5 * 365 + 1) * DAY), "one leap day");
        assert!(refused(hold_release_agree(db, &lan, &hold.id).await).contains("released before"));
        assert!(refused(hold_keep(db, &lan, &hold.id).await).contains("released before"));
        apply(db, 20 + 5 * 365).await;
        assert_eq!((left(db, &machine.id).await, headers(db, &machine.id).await), (OLD, 33));
        apply(db, 20 + 5 * 365 + 2).await;
        assert_eq!((left(db, &machine.id).await, headers(db, &machine.id).await), (0, 0));
        let mut tx = db.read().await.unwrap();
        let entries = tx.audit_list(&Scope::whole(), i64::MAX, 9).await.unwrap();
        let done: Vec<&str> = entries.iter().rev().map(|entry| entry.action.as_str()).collect();
        assert_eq!(
            done,
            ["hold_made", "hold_release_asked", "hold_kept", "hold_release_asked", "hold_released", "headers_removed"]
        );
        assert!(entries[1].detail.contains("15/CV-PA05, 2026-11-20, Phòng An ninh mạng"), "{}", entries[1].detail);
        assert!(tx.audit_verify().await.unwrap().is_ok());
    }

    async fn refused_branches_and_events_are_held_too(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let db = &test_server.app.db;
        let (held, free) = (test_server.machine().await.id, test_server.machine().await.id);
        hold_make(db, &by("lan"), &new(&held)).await.unwrap();
        for machine in [&held, &free] {
            let header = format!("another report of {machine}").into_bytes();
            let fork = NewFork {
                machine: machine.clone(),
                position: Position { segment: 1, number: 1, hash: protocol::header::hash(&header) },
                header,
                signature: vec![1],
                bodies: b"bodies".to_vec(),
                start: "start".to_owned(),
                traits: Digest::of(b"traits"),
                received_at: START,
            };
            let mut tx = db.write().await.unwrap();
            tx.fork_insert(&fork).await.unwrap();
            for number in 0..103 {
                let event = AgentEvent { kind: AgentEventKind::Stopped, said_at: START, received_at: START + number };
                tx.agent_event_insert(machine, &event).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        apply(db, 400).await;
        let mut tx = db.read().await.unwrap();
        let whole = "select count(*) from fork where machine = $1 and length(header) > 0 and bodies is not null";
        for (machine, forks, events) in [(&held, 1, 103), (&free, 0, 100)] {
            assert_eq!(test_database::count(&mut tx, whole, machine).await, forks);
            assert_eq!(test_database::count(&mut tx, "select count(*) from agent_event where machine = $1", machine).await, events);
            assert_eq!(tx.fork_list(&Scope::whole(), machine).await.unwrap().len(), 1, "the branch itself is shown as before");
        }
        let checked = db.log_check(&crate::store::log::check::About::All, None).await.unwrap();
        assert_eq!((checked.removed, checked.faults), (1, vec![]));
    }

    async fn what_was_gone_before_is_told(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let db = &test_server.app.db;
        let machine = reporter(&test_server).await;
        let mut tx = db.write().await.unwrap();
        assert_eq!(tx.body_prune("lan", START + DAY, START + DAY, 2).await.unwrap(), 2);
        tx.commit().await.unwrap();
        let gone = hold_make(db, &by("lan"), &new(&machine.id)).await.unwrap().1;
        assert_eq!((gone.reports, gone.headers), (33, None));
        assert_eq!(gone.bodies.keys().collect::<Vec<_>>(), ["lan"]);
        assert_eq!((gone.bodies["lan"].count, gone.bodies["lan"].first_at), (2, START));
        let of_time = NewHold { sections: vec!["time".to_owned()], ..new(&machine.id) };
        assert!(hold_make(db, &by("lan"), &of_time).await.unwrap().1.is_empty());
        let entries = db.read().await.unwrap().audit_list(&Scope::whole(), i64::MAX, 9).await.unwrap();
        assert!(entries[1].detail.contains(r#""gone":"lan 2""#), "{}", entries[1].detail);
        // Of another machine the headers went, too.
        let old = reporter(&test_server).await;
        apply(db, 400).await;
        let gone = hold_make(db, &by("lan"), &new(&old.id)).await.unwrap().1;
        assert_eq!((gone.headers.map(|span| span.count), gone.bodies.len()), (Some(33), 0));
    }

    async fn what_makes_no_sense_is_refused(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (db, lan) = (&test_server.app.db, by("lan"));
        let machine = test_server.machine().await.id;
        let make = async |new: NewHold| hold_make(db, &lan, &new).await;
        assert!(matches!(make(new("no such machine")).await, Err(HoldError::Store(StoreError::NotFound { .. }))));
        let backwards = NewHold { until_at: Some(START - DAY), ..new(&machine) };
        assert!(refused(make(backwards).await).contains("before its first"));
        let unknown = NewHold { sections: vec!["acounts".to_owned()], ..new(&machine) };
        assert_eq!(refused(make(unknown).await), "Not held: there is no section `acounts`; did you mean `accounts`?");
        for (number, issuer) in [(" ", "Công an tỉnh"), ("15/CV", "")] {
            let paper = Paper { number: number.to_owned(), issuer: issuer.to_owned(), date: "2026-11-20".to_owned() };
            assert!(refused(make(NewHold { paper, ..new(&machine) }).await).contains("needs a document"));
        }
        let twice = NewHold { sections: vec!["lan".to_owned(), " accounts".to_owned(), "lan".to_owned()], ..new(&machine) };
        assert_eq!(make(twice).await.unwrap().0.sections.0, ["accounts", "lan"]);
        assert!(matches!(hold_release_ask(db, &lan, "no such hold", "x").await, Err(HoldError::Store(StoreError::NotFound { .. }))));
    }

    async fn a_hold_that_is_being_made_is_seen_by_a_retention_that_runs(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let db = test_server.app.db.clone();
        let machine = reporter(&test_server).await;
        let (hold, _) = hold_make(&db, &by("lan"), &new(&test_server.machine().await.id)).await.unwrap();
        let hold = Hold { id: new_id(), machine: machine.id.clone(), ..hold };
        let mut tx = db.write().await.unwrap();
        tx.hold_insert(&Scope::whole(), &hold).await.unwrap();
        let retention = tokio::spawn({
            let db = db.clone();
            async move { apply(&db, 400).await }
        });
        tokio::task::yield_now().await;
        tx.commit().await.unwrap();
        retention.await.unwrap();
        assert_eq!((left(&db, &machine.id).await, headers(&db, &machine.id).await), (OLD, 33));
    }

    async fn a_hold_that_comes_too_late_says_so(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let db = test_server.app.db.clone();
        let machine = reporter(&test_server).await;
        let mut tx = db.write().await.unwrap();
        assert_eq!(tx.body_prune("lan", START + DAY, START + DAY, 500).await.unwrap(), 3);
        let made = tokio::spawn({
            let (db, new) = (db.clone(), new(&machine.id));
            async move { hold_make(&db, &by("lan"), &new).await.unwrap().1 }
        });
        tokio::task::yield_now().await;
        tx.commit().await.unwrap();
        let gone = made.await.unwrap();
        assert_eq!(gone.bodies["lan"].count, 3, "whichever was first, nothing is told to be there that is not");
    }
}
