//! What a hostile machine sends is refused with a clear reason, counted, and harms nobody else.

use proptest::prelude::*;
use protocol::limits;

use super::*;
use crate::store::test_database::on_both;

async fn counted(test_server: &TestServer, machine: &Machine, reason: Reason) -> i64 {
    // Refusals are written with the next commit: an honest report of another machine brings one.
    let mut other = test_server.machine().await;
    let report = other.full();
    test_server.accepted(&other, &report).await;
    let mut tx = test_server.app.db.read().await.unwrap();
    let sql = "select cast(coalesce(sum(count), 0) as bigint) from refusal where machine || ' ' || reason = $1";
    test_database::count(&mut tx, sql, &format!("{} {}", machine.id, reason.code())).await
}

async fn segments(test_server: &TestServer, machine: &Machine) -> i64 {
    test_server.count("select count(*) from segment where machine = $1", machine).await
}

on_both! {
    async fn bytes_that_are_no_reports_are_refused(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let machine = test_server.machine().await;
        for body in [Vec::new(), b"{}".to_vec(), vec![0xff; 64]] {
            let (status, refusal) = test_server.refusal(&machine, body).await;
            assert_eq!((status, refusal.code.as_str()), (StatusCode::BAD_REQUEST, "bad_frame"));
        }
        let (status, refusal) = test_server.refusal(&machine, vec![0; limits::REPORTS_BODY + 1]).await;
        assert_eq!((status, refusal.code.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"));
        assert_eq!(counted(&test_server, &machine, Reason::BadFrame).await, 4);
    }

    async fn a_report_must_be_signed_by_its_own_machine(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (mut machine, victim) = (test_server.machine().await, test_server.machine().await);
        let honest = machine.full();
        let mut flipped = honest.clone();
        flipped.header[20] ^= 1;
        test_server.refused(&machine, &flipped, Reason::BadSignature).await;
        let foreign = Report { signature: victim.clone().full().signature, ..honest.clone() };
        test_server.refused(&machine, &foreign, Reason::BadSignature).await;

        // Someone else's number: signed with its own key, naming another machine.
        let mut header = victim.header();
        header.machine.clone_from(&victim.id);
        let stolen = machine.sign(&header, Vec::new());
        test_server.refused(&machine, &stolen, Reason::WrongMachine).await;
        assert_eq!(test_server.reports(&victim).await, 0);
        assert_eq!(counted(&test_server, &machine, Reason::BadSignature).await, 2);
        assert_eq!(counted(&test_server, &machine, Reason::WrongMachine).await, 1);
        test_server.accepted(&machine, &honest).await;
    }

    async fn bombs_and_bodies_that_do_not_fit_are_refused(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let header = machine.header();
        let bomb = machine.sign(&header, compress::deflate(&vec![b' '; limits::BODIES * 50]));
        test_server.refused(&machine, &bomb, Reason::BadBodies).await;
        let garbage = machine.sign(&header, vec![0xff; 100]);
        test_server.refused(&machine, &garbage, Reason::BadBodies).await;
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        let deep = machine.sign(&header, compress::encode([("lan", deep.as_str())]).unwrap());
        test_server.refused(&machine, &deep, Reason::BadBodies).await;
        let other = machine.sign(&header, compress::encode([("lan", "{}")]).unwrap());
        test_server.refused(&machine, &other, Reason::BadDigest).await;
        let unnamed = machine.sign(&header, compress::encode([("secret", "{}")]).unwrap());
        test_server.refused(&machine, &unnamed, Reason::BadDigest).await;

        let mut odd = machine.header();
        odd.sections.insert("a name\nwith a line".to_owned(), odd.sections["lan"]);
        let odd = machine.sign(&odd, Vec::new());
        test_server.refused(&machine, &odd, Reason::BadHeader).await;
        let nonsense = Report { signature: machine.key.sign(protocol::sign::Purpose::Report, b"{}").unwrap(), header: b"{}".to_vec(), bodies: Vec::new() };
        test_server.refused(&machine, &nonsense, Reason::BadHeader).await;
        assert_eq!(test_server.reports(&machine).await, 0);
        // PostgreSQL keeps no NUL in a text: a section's is stored as bytes, and that of a version left out.
        machine.agent = "0.2.0\0".to_owned();
        machine.set("lan", r#"{"dns":{"known":{"items":["\u0000"]}}}"#);
        let honest = machine.full();
        test_server.accepted(&machine, &honest).await;
    }

    async fn a_forked_number_is_refused_and_kept(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let mut twin = machine.clone();
        let second = machine.report(&[]);
        test_server.accepted(&machine, &second).await;
        twin.set("lan", r#"{"forwards":{"known":true}}"#);
        let forked = twin.report(&["lan"]);
        assert_eq!(test_server.refused(&twin, &forked, Reason::Fork).await, machine.head);
        assert_eq!(test_server.refused(&twin, &forked, Reason::Fork).await, machine.head);
        assert_eq!(test_server.count("select count(*) from fork where machine = $1", &machine).await, 1, "kept once");
        let mut tx = test_server.app.db.read().await.unwrap();
        assert_eq!(tx.fork_list(&Scope::whole(), &machine.id).await.unwrap()[0].hash, forked.hash().to_string());
        assert_eq!(tx.section_texts(&Scope::whole(), &machine.id).await.unwrap(), machine.sections);
        drop(tx);
        // Another past: right number, but continuing a report that was never accepted.
        let other_past = twin.report(&[]);
        test_server.refused(&twin, &other_past, Reason::Fork).await;
        let third = machine.report(&[]);
        test_server.accepted(&machine, &third).await;
    }

    async fn a_machine_in_haste_hurts_only_itself(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (mut machine, mut other) = (test_server.machine().await, test_server.machine().await);
        let report = machine.full();
        let mut body = Vec::new();
        report.encode_into(&mut body);
        let mut refused = 0;
        for _ in 0..70 {
            let (status, _) = test_server.post(&machine, body.clone()).await;
            refused += i64::from(status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(refused, 10);
        let honest = other.full();
        test_server.accepted(&other, &honest).await;
    }

    async fn an_unconfirmed_machine_stores_little_and_loses_nothing_by_it(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let (mut machine, mut other) = (test_server.machine().await, test_server.machine().await);
        let mut tx = test_server.app.db.write().await.unwrap();
        test_database::unconfirm(&mut tx, &machine.id, START).await;
        test_database::unconfirm(&mut tx, &other.id, START).await;
        tx.commit().await.unwrap();
        let mut number = 0;
        let waits = loop {
            number += 1;
            test_server.app.clock.advance(1000);
            let long = format!("\"{}\",", "y".repeat(1000)).repeat(300);
            machine.set("lan", &format!("{{\"x\":[{long}{number}]}}"));
            let report = if number == 1 { machine.full() } else { machine.report(&["lan"]) };
            match &test_server.send(&machine, std::slice::from_ref(&report)).await[0] {
                ReportAnswer::Accepted { .. } => {}
                ReportAnswer::Refused { refusal, .. } if refusal.code == "unconfirmed" => {
                    assert_eq!(refusal.action, protocol::RefusalAction::Retry);
                    break report;
                }
                unexpected => panic!("{unexpected:?}"),
            }
        };
        let stored = test_server.head(&machine).await.stored_all;
        assert!(number > 2 && stored < 3 << 20, "{number} {stored}");
        // Another pending machine has its own room, and an honest full report fits.
        let honest = other.full();
        test_server.accepted(&other, &honest).await;
        // The next day brings little more, the same after a restart of the server.
        let again = TestServer::over(test_database.second().await, test_server.office.clone()).await;
        again.refused(&machine, &waits, Reason::Unconfirmed).await;
        again.app.db.close().await;
        // Once confirmed, it continues where it was.
        let by = By { actor: Actor::Program, scope: Scope::whole(), at: START };
        crate::act::machine::machine_confirm(&test_server.app.db, &by, &machine.id).await.unwrap();
        test_server.accepted(&machine, &waits).await;
        assert_eq!(test_server.reports(&machine).await, number);
        assert_eq!(segments(&test_server, &machine).await, 1, "no break in the chain");
    }

    async fn a_revoked_machine_is_refused_at_once(test_database: &TestDatabase) {
        let test_server = TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let first = machine.full();
        test_server.accepted(&machine, &first).await;
        let mut tx = test_server.app.db.write().await.unwrap();
        tx.machine_revoke(&Scope::whole(), &machine.id, START, "lan", "lost").await.unwrap();
        tx.commit().await.unwrap();
        let mut body = Vec::new();
        machine.report(&[]).encode_into(&mut body);
        let (status, refusal) = test_server.refusal(&machine, body).await;
        assert_eq!((status, refusal.code.as_str()), (StatusCode::FORBIDDEN, "revoked"));
        assert_eq!(test_server.reports(&machine).await, 1);
    }
}

/// Any bytes through the router: an answer, never a panic, and nothing stored.
#[test]
fn any_bytes_are_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (test_database, test_server, machine) = runtime.block_on(async {
        let test_database = TestDatabase::sqlite().await;
        let test_server = TestServer::open(&test_database).await;
        let machine = test_server.machine().await;
        (test_database, test_server, machine)
    });
    let whole = {
        let mut body = Vec::new();
        machine.clone().full().encode_into(&mut body);
        body
    };
    let mutated = (0..whole.len(), any::<u8>(), 0..whole.len()).prop_map(move |(at, byte, keep)| {
        let mut body = whole.clone();
        body[at] = body[at].wrapping_add(byte.max(1));
        // Cut some of them, so that lengths do not match either.
        body.truncate(if keep % 3 == 0 { keep } else { body.len() });
        body
    });
    let bodies = prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), mutated];
    proptest!(ProptestConfig::with_cases(200), |(body in bodies)| {
        test_server.app.clock.advance(2_000);
        let (status, answer) = runtime.block_on(test_server.post(&machine, body));
        prop_assert!(status == StatusCode::OK || status == StatusCode::BAD_REQUEST, "{status}");
        if status == StatusCode::OK {
            let answers: ReportAnswers = serde_json::from_slice(&answer).unwrap();
            let accepted = answers.results.iter().any(|answer| matches!(answer, ReportAnswer::Accepted { .. }));
            prop_assert!(!accepted);
        }
    });
    runtime.block_on(async {
        assert_eq!(test_server.reports(&machine).await, 0);
        test_database.end().await;
    });
}
