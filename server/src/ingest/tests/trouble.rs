//! Honest trouble ends as the design says: gaps, restored servers and disks, copied state folders, wrong clocks, two servers.

use super::*;
use crate::act::machine::machine_settle;
use crate::ingest::Answer;
use crate::ingest::commit::Committer;
use crate::store::report::{NewReport, SegmentKind};
use crate::store::test_database::on_both;

fn operator() -> By {
    By { actor: Actor::Operator("test_database".to_owned()), scope: Scope::whole(), at: START }
}

async fn kinds(test_server: &TestServer, machine: &Machine) -> Vec<SegmentKind> {
    let mut tx = test_server.app.db.read().await.unwrap();
    let segments = tx.segment_list(&Scope::whole(), &machine.id).await.unwrap();
    segments.iter().rev().map(|segment| segment.kind).collect()
}

async fn clone_why(test_server: &TestServer, machine: &Machine) -> Option<String> {
    let mut tx = test_server.app.db.read().await.unwrap();
    tx.machine_get(&Scope::whole(), &machine.id).await.unwrap().unwrap().clone_why
}

on_both! {
    async fn a_gap_ends_in_a_new_segment_that_blocks_nothing(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let agreed = machine.head;
        let _lost = machine.report(&[]);
        let third = machine.report(&[]);
        assert_eq!(test_server.refused(&machine, &third, Reason::Gap).await, agreed);
        machine.open(OpenedReason::Refused, agreed);
        let opening = machine.full();
        test_server.accepted(&machine, &opening).await;
        let next = machine.report(&[]);
        test_server.accepted(&machine, &next).await;
        assert_eq!(kinds(&test_server, &machine).await, [SegmentKind::First, SegmentKind::Continued]);
        assert_eq!(clone_why(&test_server, &machine).await, None);
    }

    async fn a_restored_server_goes_on_with_a_machine_that_is_ahead(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        // Receipts that this server's database no longer knows of.
        let _forgotten = [machine.full(), machine.report(&[])];
        let ahead = machine.head;
        let third = machine.report(&[]);
        assert_eq!(test_server.refused(&machine, &third, Reason::Gap).await, None);
        machine.open(OpenedReason::ServerRestored, ahead);
        let opening = machine.full();
        test_server.accepted(&machine, &opening).await;
        assert_eq!(kinds(&test_server, &machine).await, [SegmentKind::ServerBehind]);

        // The same with a server that knows an earlier part.
        let known = machine.head;
        let _forgotten = machine.report(&[]);
        let ahead = machine.head;
        let next = machine.report(&[]);
        assert_eq!(test_server.refused(&machine, &next, Reason::Gap).await, known);
        machine.open(OpenedReason::ServerRestored, ahead);
        let opening = machine.full();
        test_server.accepted(&machine, &opening).await;
        assert_eq!(kinds(&test_server, &machine).await, [SegmentKind::ServerBehind, SegmentKind::ServerBehind]);
    }

    async fn a_restored_disk_is_shown_as_that_and_not_as_a_clone(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let mut frozen = machine.clone();
        for _ in 0..3 {
            let report = machine.report(&[]);
            test_server.accepted(&machine, &report).await;
        }
        frozen.start = "1".repeat(32);
        let behind = frozen.report(&[]);
        let before = first.hash();
        assert_eq!(test_server.refused(&frozen, &behind, Reason::Fork).await, machine.head);
        frozen.open(OpenedReason::Refused, Some(Position { segment: 1, number: 1, hash: before }));
        let opening = frozen.full();
        test_server.accepted(&frozen, &opening).await;
        assert_eq!(kinds(&test_server, &machine).await, [SegmentKind::First, SegmentKind::MachineBehind]);
        assert_eq!(clone_why(&test_server, &machine).await, None);
    }

    async fn a_fork_with_other_traits_marks_a_clone_and_the_grade_stands_still(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let agreed = machine.head;
        let sections_before = machine.sections.clone();
        let mut twin = machine.clone();
        (twin.start, twin.traits) = ("1".repeat(32), Digest::of(b"another board"));
        // The original continues, then the copy turns up at the same number.
        machine.set("lan", r#"{"forwards":{"known":true}}"#);
        let second = machine.report(&["lan"]);
        test_server.accepted(&machine, &second).await;
        let forked = twin.report(&[]);
        test_server.refused(&twin, &forked, Reason::Fork).await;
        assert_eq!(clone_why(&test_server, &machine).await.as_deref(), Some("fork_with_other_traits"));

        let mut tx = test_server.app.db.read().await.unwrap();
        assert_eq!(tx.section_texts(&Scope::whole(), &machine.id).await.unwrap(), sections_before, "as before the fork");
        drop(tx);
        // Both branches are kept from now on, and neither moves the grade.
        twin.open(OpenedReason::Refused, agreed);
        twin.set("time", r#"{"zone":{"known":"UTC"}}"#);
        let opening = twin.full();
        test_server.accepted(&twin, &opening).await;
        let mut tx = test_server.app.db.read().await.unwrap();
        assert_eq!(tx.section_texts(&Scope::whole(), &machine.id).await.unwrap(), sections_before);
        drop(tx);
        assert_eq!(test_server.reports(&machine).await, 3);

        // The officer decides: the next report counts again.
        machine_settle(&test_server.app.db, &operator(), &machine.id).await.unwrap();
        let next = twin.report(&[]);
        test_server.accepted(&twin, &next).await;
        let mut tx = test_server.app.db.read().await.unwrap();
        assert_eq!(tx.section_texts(&Scope::whole(), &machine.id).await.unwrap(), twin.sections);
    }

    async fn alternating_starts_mark_a_clone_with_the_same_traits(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let mut twin = machine.clone();
        twin.start = "1".repeat(32);
        let on_twin = twin.report(&[]);
        test_server.accepted(&twin, &on_twin).await;
        assert_eq!(clone_why(&test_server, &machine).await, None, "a restarted agent looks like this");
        let on_original = machine.report(&[]);
        test_server.refused(&machine, &on_original, Reason::Fork).await;
        assert_eq!(clone_why(&test_server, &machine).await.as_deref(), Some("alternating_starts"));
    }

    async fn a_copied_state_that_runs_in_turn_on_the_same_hardware_marks_a_clone(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let parted = machine.head;
        let sections_before = machine.sections.clone();
        let mut copy = machine.clone();
        // Every turn is a separate start, so that no start id ever repeats.
        let mut turn = 0;
        let mut next_turn = |machine: &mut Machine| {
            turn += 1;
            machine.start = format!("{turn:032x}");
        };
        next_turn(&mut machine);
        machine.set("lan", r#"{"forwards":{"known":true}}"#);
        let on_original = machine.report(&["lan"]);
        test_server.accepted(&machine, &on_original).await;
        next_turn(&mut copy);
        let on_copy = copy.report(&[]);
        test_server.refused(&copy, &on_copy, Reason::Fork).await;
        copy.open(OpenedReason::Refused, parted);
        let opening = copy.full();
        test_server.accepted(&copy, &opening).await;
        assert_eq!(clone_why(&test_server, &machine).await, None, "a disk that was put back looks like this");

        next_turn(&mut machine);
        let on_original = machine.report(&[]);
        test_server.refused(&machine, &on_original, Reason::Fork).await;
        assert_eq!(clone_why(&test_server, &machine).await.as_deref(), Some("alternating_branches"));
        let mut tx = test_server.app.db.read().await.unwrap();
        assert_eq!(tx.section_texts(&Scope::whole(), &machine.id).await.unwrap(), sections_before, "as before they parted");
        drop(tx);
        assert_eq!(test_server.count("select count(*) from fork where machine = $1", &machine).await, 2, "both branches are kept");

        // The officer decides for the original: its next fork says nothing new.
        machine_settle(&test_server.app.db, &operator(), &machine.id).await.unwrap();
        let again = machine.report(&[]);
        test_server.refused(&machine, &again, Reason::Fork).await;
        assert_eq!(clone_why(&test_server, &machine).await, None);
    }

    async fn a_disk_that_is_put_back_at_every_start_is_no_clone(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let frozen = machine.clone();
        let mut segment = frozen.segment;
        for start in 1..6 {
            let mut today = frozen.clone();
            today.start = format!("{start:032x}");
            if start == 1 {
                let report = today.report(&[]);
                test_server.accepted(&today, &report).await;
                continue;
            }
            let report = today.report(&[]);
            let stands = test_server.refused(&today, &report, Reason::Fork).await;
            segment = stands.unwrap().segment.max(segment);
            today.segment = segment;
            today.open(OpenedReason::Refused, frozen.head);
            today.segment = segment + 1;
            let opening = today.full();
            test_server.accepted(&today, &opening).await;
            let report = today.report(&[]);
            test_server.accepted(&today, &report).await;
        }
        assert_eq!(clone_why(&test_server, &machine).await, None);
    }

    async fn a_wrong_clock_costs_no_report(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        for made_at in [0, START + 10 * 365 * 24 * 60 * 60 * 1000, i64::MAX, i64::MIN] {
            let mut machine = test_server.machine().await;
            machine.made_at = made_at;
            let report = machine.full();
            test_server.accepted(&machine, &report).await;
            let head = test_server.head(&machine).await;
            let observed = head.sections.0["lan"].observed_at;
            // The machine of a test enrolled in 1970, so that 1970 is not impossible for it.
            assert_eq!(observed, if made_at == 0 { 0 } else { START });
            assert_eq!((head.made_at, head.clock_offset), (made_at, made_at.saturating_sub(START)));
        }
    }

    async fn two_servers_on_one_database_accept_a_report_once(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let second = TestServer::over(test_database.second().await, test_server.office.clone()).await;
        for _ in 0..5 {
            let mut machine = test_server.machine().await;
            let first = machine.full();
            test_server.accepted(&machine, &first).await;
            let mut twin = machine.clone();
            twin.made_at += 1;
            let reports = [machine.report(&[]), twin.report(&[])];
            let (one, other) = tokio::join!(
                test_server.send(&machine, std::slice::from_ref(&reports[0])),
                second.send(&twin, std::slice::from_ref(&reports[1]))
            );
            let accepted = [&one[0], &other[0]].iter().filter(|answer| matches!(answer, ReportAnswer::Accepted { .. })).count();
            assert_eq!(accepted, 1, "{one:?} {other:?}");
            assert_eq!(test_server.reports(&machine).await, 2);
        }
        second.app.db.close().await;
    }

    async fn old_bodies_go_and_the_chain_stays(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        machine.set("lan", r#"{"forwards":{"known":true}}"#);
        let second = machine.report(&["lan"]);
        test_server.accepted(&machine, &second).await;
        let retention = crate::config::retention::Retention::default();
        let after = |days: i64| jiff::Timestamp::from_millisecond(START + days * 24 * 60 * 60 * 1000).unwrap();
        let apply = async |days| crate::jobs::retention::retention_apply(&test_server.app.db, &retention, after(days)).await.unwrap();
        assert_eq!(apply(300).await, 0);
        assert_eq!(apply(400).await, 1, "only the body that is not current");
        let mut tx = test_server.app.db.read().await.unwrap();
        assert_eq!(tx.section_texts(&Scope::whole(), &machine.id).await.unwrap(), machine.sections);
        assert_eq!(tx.report_list(&Scope::whole(), &machine.id, 9).await.unwrap().len(), 2);
    }
    async fn a_report_that_cannot_be_written_takes_no_other_with_it(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machines = Vec::new();
        for _ in 0..5 {
            let mut machine = test_server.machine().await;
            let first = machine.full();
            test_server.accepted(&machine, &first).await;
            machines.push(machine);
        }
        let next: Vec<Report> = machines.iter_mut().map(|machine| machine.report(&[])).collect();
        // A row that no server writes is in the place of the third machine's report.
        let mut tx = test_server.app.db.write().await.unwrap();
        let place = Position { hash: Digest::ZERO, ..machines[2].head.unwrap() };
        let (machine, header) = (machines[2].id.clone(), b"in the way".to_vec());
        let row = NewReport { machine, position: place, header, signature: Vec::new(), received_at: START, made_at: START };
        tx.report_insert(&[&row]).await.unwrap();
        tx.commit().await.unwrap();

        let mut batch = Vec::new();
        let mut replies = Vec::new();
        for (machine, report) in machines.iter().zip(&next) {
            let (job, answer) = job(&test_server.app.db, machine, report).await;
            batch.push(job);
            replies.push(answer);
        }
        let counters = Arc::default();
        let mut committer = Committer::new(test_server.app.db.clone(), Arc::new(Unjudged), counters);
        committer.commit(batch, START).await;
        for (index, reply) in replies.into_iter().enumerate() {
            let answers = reply.await.unwrap().answers;
            let failed = matches!(answers[..], [Answer::Refused { reason: Reason::ServerFailed, .. }]);
            let accepted = matches!(answers[..], [Answer::Accepted { .. }]);
            assert!(if index == 2 { failed } else { accepted }, "{index}: {answers:?}");
            let stands = test_server.head(&machines[index]).await.position.number;
            assert_eq!(stands, if index == 2 { 1 } else { 2 });
        }
    }
}
