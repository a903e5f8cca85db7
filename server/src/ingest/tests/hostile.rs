//! What a hostile machine sends is refused with a clear reason, counted, and harms nobody else.

use proptest::prelude::*;
use protocol::limits;

use super::*;
use crate::store::trial::on_both;

async fn counted(desk: &Desk, machine: &Machine, reason: Reason) -> i64 {
    // Refusals are written with the next commit: an honest report of another machine brings one.
    let mut other = desk.machine().await;
    let report = other.full();
    desk.accepted(&other, &report).await;
    let mut tx = desk.app.db.read().await.unwrap();
    let sql = "select cast(coalesce(sum(count), 0) as bigint) from refusal where machine || ' ' || reason = $1";
    trial::count(&mut tx, sql, &format!("{} {}", machine.id, reason.code())).await
}

async fn segments(desk: &Desk, machine: &Machine) -> i64 {
    desk.count("select count(*) from segment where machine = $1", machine).await
}

on_both! {
    async fn bytes_that_are_no_reports_are_refused(trial: &Trial) {
        let desk = Desk::open(trial).await;
        let machine = desk.machine().await;
        for body in [Vec::new(), b"{}".to_vec(), vec![0xff; 64]] {
            let (status, refusal) = desk.refusal(&machine, body).await;
            assert_eq!((status, refusal.code.as_str()), (StatusCode::BAD_REQUEST, "bad_frame"));
        }
        let (status, refusal) = desk.refusal(&machine, vec![0; limits::REPORTS_BODY + 1]).await;
        assert_eq!((status, refusal.code.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"));
        assert_eq!(counted(&desk, &machine, Reason::BadFrame).await, 4);
    }

    async fn a_report_must_be_signed_by_its_own_machine(trial: &Trial) {
        let desk = Desk::open(trial).await;
        let (mut machine, victim) = (desk.machine().await, desk.machine().await);
        let honest = machine.full();
        let mut flipped = honest.clone();
        flipped.header[20] ^= 1;
        desk.refused(&machine, &flipped, Reason::BadSignature).await;
        let foreign = Report { signature: victim.clone().full().signature, ..honest.clone() };
        desk.refused(&machine, &foreign, Reason::BadSignature).await;

        // Someone else's number: signed with the own key, naming another machine.
        let mut header = victim.header();
        header.machine.clone_from(&victim.id);
        let stolen = machine.sign(&header, Vec::new());
        desk.refused(&machine, &stolen, Reason::WrongMachine).await;
        assert_eq!(desk.reports(&victim).await, 0);
        assert_eq!(counted(&desk, &machine, Reason::BadSignature).await, 2);
        assert_eq!(counted(&desk, &machine, Reason::WrongMachine).await, 1);
        desk.accepted(&machine, &honest).await;
    }

    async fn bombs_and_bodies_that_do_not_fit_are_refused(trial: &Trial) {
        let desk = Desk::open(trial).await;
        let mut machine = desk.machine().await;
        let header = machine.header();
        let bomb = machine.sign(&header, compress::deflate(&vec![b' '; limits::BODIES * 50]));
        desk.refused(&machine, &bomb, Reason::BadBodies).await;
        let garbage = machine.sign(&header, vec![0xff; 100]);
        desk.refused(&machine, &garbage, Reason::BadBodies).await;
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        let deep = machine.sign(&header, compress::encode([("lan", deep.as_str())]).unwrap());
        desk.refused(&machine, &deep, Reason::BadBodies).await;
        let other = machine.sign(&header, compress::encode([("lan", "{}")]).unwrap());
        desk.refused(&machine, &other, Reason::BadDigest).await;
        let unnamed = machine.sign(&header, compress::encode([("secret", "{}")]).unwrap());
        desk.refused(&machine, &unnamed, Reason::BadDigest).await;

        let mut odd = machine.header();
        odd.sections.insert("a name\nwith a line".to_owned(), odd.sections["lan"]);
        let odd = machine.sign(&odd, Vec::new());
        desk.refused(&machine, &odd, Reason::BadHeader).await;
        let nonsense = Report { signature: machine.key.sign(protocol::sign::Purpose::Report, b"{}").unwrap(), header: b"{}".to_vec(), bodies: Vec::new() };
        desk.refused(&machine, &nonsense, Reason::BadHeader).await;
        assert_eq!(desk.reports(&machine).await, 0);
        let honest = machine.full();
        desk.accepted(&machine, &honest).await;
    }

    async fn a_forked_number_is_refused_and_kept(trial: &Trial) {
        let desk = Desk::open(trial).await;
        let mut machine = desk.machine().await;
        let first = machine.full();
        desk.accepted(&machine, &first).await;
        let mut twin = machine.clone();
        let second = machine.report(&[]);
        desk.accepted(&machine, &second).await;
        twin.set("lan", r#"{"forwards":{"known":true}}"#);
        let forked = twin.report(&["lan"]);
        assert_eq!(desk.refused(&twin, &forked, Reason::Fork).await, machine.head);
        assert_eq!(desk.refused(&twin, &forked, Reason::Fork).await, machine.head);
        assert_eq!(desk.count("select count(*) from fork where machine = $1", &machine).await, 1, "kept once");
        let mut tx = desk.app.db.read().await.unwrap();
        assert_eq!(tx.fork_list(&Scope::whole(), &machine.id).await.unwrap()[0].hash, forked.hash().to_string());
        assert_eq!(tx.section_texts(&Scope::whole(), &machine.id).await.unwrap(), machine.sections);
        drop(tx);
        // Another past: right number, but continuing a report that was never accepted.
        let other_past = twin.report(&[]);
        desk.refused(&twin, &other_past, Reason::Fork).await;
        let third = machine.report(&[]);
        desk.accepted(&machine, &third).await;
    }

    async fn a_machine_in_haste_hurts_only_itself(trial: &Trial) {
        let desk = Desk::open(trial).await;
        let (mut machine, mut other) = (desk.machine().await, desk.machine().await);
        let report = machine.full();
        let mut body = Vec::new();
        report.encode_into(&mut body);
        let mut refused = 0;
        for _ in 0..70 {
            let (status, _) = desk.post(&machine, body.clone()).await;
            refused += i64::from(status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(refused, 10);
        let honest = other.full();
        desk.accepted(&other, &honest).await;
    }

    async fn an_unconfirmed_machine_stores_little_and_loses_nothing_by_it(trial: &Trial) {
        let desk = Desk::open(trial).await;
        let (mut machine, mut other) = (desk.machine().await, desk.machine().await);
        let mut tx = desk.app.db.write().await.unwrap();
        trial::unconfirm(&mut tx, &machine.id, START).await;
        trial::unconfirm(&mut tx, &other.id, START).await;
        tx.commit().await.unwrap();
        let mut number = 0;
        let waits = loop {
            number += 1;
            desk.app.clock.advance(1000);
            let long = format!("\"{}\",", "y".repeat(1000)).repeat(300);
            machine.set("lan", &format!("{{\"x\":[{long}{number}]}}"));
            let report = if number == 1 { machine.full() } else { machine.report(&["lan"]) };
            match &desk.send(&machine, std::slice::from_ref(&report)).await[0] {
                ReportAnswer::Accepted { .. } => {}
                ReportAnswer::Refused { refusal, .. } if refusal.code == "unconfirmed" => {
                    assert_eq!(refusal.action, protocol::RefusalAction::Retry);
                    break report;
                }
                unexpected => panic!("{unexpected:?}"),
            }
        };
        let stored = desk.head(&machine).await.stored_all;
        assert!(number > 2 && stored < 3 << 20, "{number} {stored}");
        // Another that waits has its own room, and an honest full report fits.
        let honest = other.full();
        desk.accepted(&other, &honest).await;
        // The next day brings little more, the same after a restart of the server.
        let again = Desk::over(trial.second().await, desk.office.clone()).await;
        again.refused(&machine, &waits, Reason::Unconfirmed).await;
        again.app.db.close().await;
        // Confirmed, it goes on where it stood.
        let by = By { actor: Actor::Program, scope: Scope::whole(), at: START };
        crate::act::machine::machine_confirm(&desk.app.db, &by, &machine.id).await.unwrap();
        desk.accepted(&machine, &waits).await;
        assert_eq!(desk.reports(&machine).await, number);
        assert_eq!(segments(&desk, &machine).await, 1, "no break in the chain");
    }

    async fn a_revoked_machine_is_refused_at_once(trial: &Trial) {
        let desk = Desk::open(trial).await;
        let mut machine = desk.machine().await;
        let first = machine.full();
        desk.accepted(&machine, &first).await;
        let mut tx = desk.app.db.write().await.unwrap();
        tx.machine_revoke(&Scope::whole(), &machine.id, START, "lan", "lost").await.unwrap();
        tx.commit().await.unwrap();
        let mut body = Vec::new();
        machine.report(&[]).encode_into(&mut body);
        let (status, refusal) = desk.refusal(&machine, body).await;
        assert_eq!((status, refusal.code.as_str()), (StatusCode::FORBIDDEN, "revoked"));
        assert_eq!(desk.reports(&machine).await, 1);
    }
}

/// Any bytes through the router: an answer, never a panic, and nothing stored.
#[test]
fn any_bytes_are_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (trial, desk, machine) = runtime.block_on(async {
        let trial = Trial::sqlite().await;
        let desk = Desk::open(&trial).await;
        let machine = desk.machine().await;
        (trial, desk, machine)
    });
    let whole = {
        let mut body = Vec::new();
        machine.clone().full().encode_into(&mut body);
        body
    };
    let mutated = (0..whole.len(), any::<u8>(), 0..whole.len()).prop_map(move |(at, byte, keep)| {
        let mut body = whole.clone();
        body[at] = body[at].wrapping_add(byte.max(1));
        // Cut some of them, so that lengths do not fit either.
        body.truncate(if keep % 3 == 0 { keep } else { body.len() });
        body
    });
    let bodies = prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), mutated];
    proptest!(ProptestConfig::with_cases(200), |(body in bodies)| {
        desk.app.clock.advance(2_000);
        let (status, answer) = runtime.block_on(desk.post(&machine, body));
        prop_assert!(status == StatusCode::OK || status == StatusCode::BAD_REQUEST, "{status}");
        if status == StatusCode::OK {
            let answers: ReportAnswers = serde_json::from_slice(&answer).unwrap();
            let accepted = answers.results.iter().any(|answer| matches!(answer, ReportAnswer::Accepted { .. }));
            prop_assert!(!accepted);
        }
    });
    runtime.block_on(async {
        assert_eq!(desk.reports(&machine).await, 0);
        trial.end().await;
    });
}
