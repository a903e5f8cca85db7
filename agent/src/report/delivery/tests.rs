//! Delivery against a server that answers as each test says: order, lost answers, refusals, a full spool, a full disk.

use std::collections::BTreeMap;

use policies::fact::{Fact, Facts, Reason, Section};
use policies::text::Text;
use protocol::sign::SigningKey;
use protocol::{Assignment, Digest, Receipt, Role};

use super::*;
use crate::identity::keys::MachineKey;
use crate::report::draft::entry;
use crate::state::Missing;

mod airgap;

struct Fixture {
    _folder: tempfile::TempDir,
    state: StateFolder,
    author: Author,
    receipt_key: SigningKey,
    delivery: Delivery,
}

const CAP: u64 = 1 << 20;

impl Fixture {
    fn new() -> Self {
        Self::with_cap(CAP)
    }

    fn with_cap(cap: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let key = MachineKey::load_or_make(&state).unwrap();
        let author = Author { machine: "m".to_owned(), start: "s".to_owned(), key };
        let receipt_key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let delivery = Delivery::open(&state, "m", receipt_key.public_key().to_vec(), cap, 0).unwrap();
        Self { _folder: folder, state, author, receipt_key, delivery }
    }

    /// Submits a report whose time zone is `zone`.
    fn report(&mut self, zone: &str) {
        let mut facts = Facts::unknown(Reason::SourceMissing);
        facts.time.zone = Fact::Known(zone.to_owned());
        let entries = [Section::Time, Section::Lan].map(|section| (section.name(), entry(&facts, section, 0).unwrap()));
        let draft = Draft { entries: entries.into(), traits: Digest::ZERO, policy: None, made_at: 0 };
        self.delivery.submit(&self.author, &draft, &self.state).unwrap();
    }

    /// The positions in the next request.
    fn places(&mut self) -> Vec<(u64, u64)> {
        let batch = self.delivery.request();
        let waiting = batch.as_ref().map(|batch| batch.waiting.as_slice()).unwrap_or_default();
        waiting.iter().map(|waiting| (waiting.position.segment, waiting.position.number)).collect()
    }

    fn accepted(&self, waiting: &Waiting) -> ReportAnswer {
        let receipt =
            Receipt { machine: "m".to_owned(), position: waiting.position, received_at: 1, audit_head: Digest::ZERO };
        ReportAnswer::Accepted { receipt: SignedReceipt::sign(&receipt, &self.receipt_key).unwrap() }
    }

    /// Sends the next request; `answer` gives the answer to each report.
    fn send(&mut self, answer: impl Fn(&Self, usize, &Waiting) -> ReportAnswer) -> Next {
        let batch = self.delivery.request().unwrap();
        let results = batch.waiting.iter().enumerate().map(|(index, waiting)| answer(self, index, waiting)).collect();
        let assignment = Assignment { office: "o".to_owned(), role: Role::Workstation, confirmed: true, policy: None };
        let answers = ReportAnswers { results, assignment, server_time_at: 0, checkpoint: None };
        self.delivery.answered(&batch, &answers, &self.state)
    }

    fn restart(self) -> Self {
        let Self { _folder, state, author, receipt_key, delivery } = self;
        drop(delivery);
        let delivery = Delivery::open(&state, "m", receipt_key.public_key().to_vec(), CAP, 0).unwrap();
        Self { _folder, state, author, receipt_key, delivery }
    }
}

fn refused(action: RefusalAction, agreed: Option<Position>) -> ReportAnswer {
    let refusal = Refusal { code: "x".to_owned(), message: Text::new("x", "x"), action, retry_after_s: Some(7) };
    ReportAnswer::Refused { refusal, agreed }
}

#[test]
fn reports_leave_in_order_and_receipts_stay() {
    let mut fixture = Fixture::new();
    ["UTC", "Asia/Ho_Chi_Minh", "UTC"].iter().for_each(|zone| fixture.report(zone));
    assert_eq!(fixture.places(), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(fixture.send(|fixture, _, waiting| fixture.accepted(waiting)), Next::Rest);
    assert!(!fixture.delivery.waits());
    assert_eq!(fixture.delivery.receipts.all().unwrap().len(), 3);
    let fixture = fixture.restart();
    assert_eq!(fixture.delivery.chain.next().number, 4);
    assert_eq!(fixture.delivery.chain.agreed().unwrap().number, 3);
}

#[test]
fn a_lost_answer_or_a_kill_sends_the_same_bytes_again() {
    let mut fixture = Fixture::new();
    fixture.report("UTC");
    let first = fixture.delivery.request().unwrap().frames;
    let mut fixture = fixture.restart();
    assert_eq!(fixture.delivery.request().unwrap().frames, first);
    assert_eq!(fixture.send(|_, _, _| refused(RefusalAction::Retry, None)), Next::Wait(Some(Duration::from_secs(7))));
    assert_eq!(fixture.delivery.request().unwrap().frames, first);
}

#[test]
fn what_is_accepted_before_a_refusal_is_done() {
    let mut fixture = Fixture::new();
    ["a", "b", "c"].iter().for_each(|zone| fixture.report(zone));
    let next = fixture.send(|fixture, index, waiting| match index {
        0 => fixture.accepted(waiting),
        _ => refused(RefusalAction::Retry, None),
    });
    assert!(matches!(next, Next::Wait(_)));
    assert_eq!(fixture.places(), [(1, 2), (1, 3)]);
    assert_eq!(fixture.restart().places(), [(1, 2), (1, 3)]);
}

#[test]
fn a_receipt_that_does_not_fit_proves_nothing() {
    let mut fixture = Fixture::new();
    fixture.report("UTC");
    let stranger = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    let forged = move |_: &Fixture, _: usize, waiting: &Waiting| {
        let receipt =
            Receipt { machine: "m".to_owned(), position: waiting.position, received_at: 1, audit_head: Digest::ZERO };
        ReportAnswer::Accepted { receipt: SignedReceipt::sign(&receipt, &stranger).unwrap() }
    };
    assert_eq!(fixture.send(forged), Next::Wait(None));
    assert!(fixture.delivery.waits());
    assert_eq!(fixture.delivery.chain.agreed(), None);
}

#[test]
fn a_missing_body_is_added_and_the_header_stays() {
    let mut fixture = Fixture::new();
    fixture.report("UTC");
    assert_eq!(fixture.send(|fixture, _, waiting| fixture.accepted(waiting)), Next::Rest);
    fixture.report("Asia/Ho_Chi_Minh");
    let before = fixture.delivery.request().unwrap().waiting[0].report.clone();
    let bodies =
        |report: &protocol::Report| -> Vec<String> { compress::decode(&report.bodies).unwrap().into_keys().collect() };
    assert_eq!(bodies(&before), ["time"]);
    let need = |_: &Fixture, _: usize, _: &Waiting| ReportAnswer::Need { sections: vec!["lan".to_owned()] };
    assert_eq!(fixture.send(need), Next::Again);
    let after = fixture.delivery.request().unwrap().waiting[0].report.clone();
    assert_eq!((&after.header, &after.signature), (&before.header, &before.signature));
    assert_eq!(bodies(&after), ["lan", "time"]);
    // A server that asks for the same again cannot be satisfied: the chain breaks, once.
    assert_eq!(fixture.send(need), Next::Wait(None));
    assert_eq!(fixture.delivery.chain.next().opened.unwrap().reason, OpenedReason::ServerRestored);
    assert!(!fixture.delivery.waits());
}

#[test]
fn a_final_refusal_opens_a_segment_beyond_the_server_and_names_what_this_machine_knows() {
    let mut fixture = Fixture::new();
    fixture.report("a");
    fixture.send(|fixture, _, waiting| fixture.accepted(waiting));
    let known = fixture.delivery.chain.agreed();
    fixture.report("b");
    fixture.report("c");
    let elsewhere = Position { segment: 6, number: 9, hash: Digest::ZERO };
    assert_eq!(fixture.send(|_, _, _| refused(RefusalAction::Final, Some(elsewhere))), Next::Wait(None));
    let next = fixture.delivery.chain.next();
    let opened = next.opened.unwrap();
    assert_eq!((next.segment, opened.reason, opened.lost, opened.agreed), (7, OpenedReason::Refused, 2, known));
    fixture.report("d");
    assert_eq!(fixture.places(), [(7, 1)]);
    let full = fixture.delivery.request().unwrap().waiting[0].report.clone();
    assert_eq!(compress::decode(&full.bodies).unwrap().len(), 2);
}

#[test]
fn an_impossible_position_is_refused_and_the_honest_server_gets_every_report() {
    for claimed in [(1 << 63) - 1, 1 << 63, u64::MAX] {
        let mut fixture = Fixture::new();
        fixture.report("a");
        fixture.send(|fixture, _, waiting| fixture.accepted(waiting));
        fixture.report("b");
        for position in [(claimed, 1), (1, claimed)] {
            let (segment, number) = position;
            let elsewhere = Position { segment, number, hash: Digest::ZERO };
            assert_eq!(fixture.send(|_, _, _| refused(RefusalAction::Final, Some(elsewhere))), Next::Unbelievable);
        }
        fixture.report("c");
        let mut fixture = fixture.restart();
        assert_eq!(fixture.places(), [(1, 2), (1, 3)]);
        assert_eq!(fixture.send(|fixture, _, waiting| fixture.accepted(waiting)), Next::Rest);
        assert_eq!(fixture.delivery.chain.next().number, 4);
    }
}

#[test]
fn a_server_before_its_own_receipts_was_restored() {
    let mut fixture = Fixture::new();
    fixture.report("a");
    fixture.report("b");
    let first = fixture.delivery.request().unwrap().waiting[0].position;
    fixture.send(|fixture, _, waiting| fixture.accepted(waiting));
    fixture.report("c");
    fixture.send(|_, _, _| refused(RefusalAction::Final, Some(first)));
    assert_eq!(fixture.delivery.chain.next().opened.unwrap().reason, OpenedReason::ServerRestored);
}

#[test]
fn an_overfull_spool_is_counted_and_declared() {
    let mut fixture = Fixture::with_cap(1800);
    (0..20).for_each(|number| fixture.report(&number.to_string()));
    let kept = fixture.delivery.spool.count();
    assert!(kept > 0 && kept < 20);
    let opened = fixture.delivery.chain.next().opened.unwrap();
    assert_eq!((opened.reason, opened.lost), (OpenedReason::SpoolOverflow, 20 - kept));
    assert_eq!(fixture.send(|fixture, _, waiting| fixture.accepted(waiting)), Next::Rest);
    fixture.report("after");
    assert_eq!(fixture.places(), [(2, 1)]);
}

#[test]
fn a_spool_that_cannot_be_written_is_bypassed() {
    let mut fixture = Fixture::new();
    fixture.report("a");
    fixture.send(|fixture, _, waiting| fixture.accepted(waiting));
    fixture.delivery.spool.break_for_test();
    fixture.report("live");
    assert_eq!(fixture.places(), [(1, 2)]);
    assert_eq!(fixture.send(|fixture, _, waiting| fixture.accepted(waiting)), Next::Rest);
    assert_eq!(fixture.delivery.chain.agreed().unwrap().number, 2);
    // Two in a row without a server: the first is lost and counted, the second opens a segment.
    fixture.report("lost");
    fixture.report("newest");
    assert_eq!(fixture.places(), [(2, 1)]);
    let header = fixture.delivery.request().unwrap().waiting[0].header.clone();
    assert_eq!(header.opened.unwrap().lost, 1);
    let sections: BTreeMap<_, _> = header.sections;
    assert_eq!(sections.len(), 2);
}
