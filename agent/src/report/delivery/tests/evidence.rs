//! Receipts of the second form: kept when they prove, told when they do not, and in no case a reason to hold a report back.

use protocol::LoggedReceipt;
use protocol::log::{
    Appended, Checkpoint, Contradiction, Frontier, Hashes, LogAnswer, Opening, Origin, leaf, tree::leaf_hash,
};

use super::*;
use crate::report::evidence::Known;

/// A server's log.
struct Log {
    epoch: u64,
    frontier: Frontier,
}

impl Log {
    fn note(&self, fixture: &Fixture) -> String {
        let origin = Origin { server: "s".to_owned(), epoch: self.epoch };
        let checkpoint = Checkpoint { origin, size: self.frontier.size(), root: self.frontier.root() };
        checkpoint.sign(&fixture.receipt_key).unwrap().to_string()
    }

    /// Takes in what waits, with leaves that say `received_at`; the receipts say 1.
    fn take(&mut self, fixture: &mut Fixture, received_at: i64) -> Next {
        let batch = fixture.delivery.request().unwrap();
        let hash = |waiting: &Waiting| leaf_hash(leaf::report("m", &waiting.position, received_at).as_bytes());
        let leaves: Vec<Digest> = batch.waiting.iter().map(hash).collect();
        let appended = Appended::new(&self.frontier, leaves.clone());
        leaves.into_iter().for_each(|leaf| self.frontier.append(leaf, |_, _| {}));
        let receipt =
            |index: u64| LoggedReceipt { index, received_at: 1, proof: Hashes(appended.proof(index).unwrap()) };
        let results =
            (appended.first()..self.frontier.size()).map(|index| ReportAnswer::Logged { receipt: receipt(index) });
        let assignment = Assignment { office: "o".to_owned(), role: Role::Workstation, confirmed: true, policy: None };
        let answers = ReportAnswers {
            results: results.collect(),
            assignment,
            server_time_at: 5,
            checkpoint: Some(self.note(fixture)),
        };
        fixture.delivery.answered(&batch, &answers, &fixture.state)
    }
}

fn log() -> Log {
    Log { epoch: 1, frontier: Frontier::default() }
}

fn kinds(fixture: &Fixture) -> Vec<Contradiction> {
    let Known { contradictions, .. } = &fixture.delivery.evidence.known;
    contradictions.iter().map(|found| found.kind).collect()
}

#[test]
fn proofs_are_kept_and_the_chain_is_found_again_by_them() {
    let (mut fixture, mut log) = (Fixture::new(), log());
    ["a", "b"].iter().for_each(|zone| fixture.report(zone));
    assert_eq!(log.take(&mut fixture, 1), Next::Rest);
    fixture.report("c");
    assert_eq!(log.take(&mut fixture, 1), Next::Rest);
    assert_eq!((fixture.delivery.receipts.all().unwrap().len(), kinds(&fixture)), (3, vec![]));
    assert_eq!(fixture.delivery.evidence.known.days.len(), 1, "the first one is the base of the day's");
    let point = fixture.receipt_key.public_key();
    assert_eq!(fixture.delivery.receipts.newest("m", "s", point).unwrap().number, 3);
    assert_eq!(fixture.delivery.receipts.newest("m", "t", point), None);
    assert_eq!(fixture.restart().delivery.chain.next().number, 4);
}

#[test]
fn what_proves_nothing_is_told_once_and_delivered_all_the_same() {
    let (mut fixture, mut log) = (Fixture::new(), log());
    fixture.report("a");
    assert_eq!(log.take(&mut fixture, 1), Next::Rest);
    for zone in ["b", "c"] {
        fixture.report(zone);
        assert_eq!(log.take(&mut fixture, 2), Next::Rest, "the leaf is another than the receipt says");
    }
    assert!(!fixture.delivery.waits());
    assert_eq!((fixture.delivery.receipts.all().unwrap().len(), kinds(&fixture)), (1, vec![Contradiction::Leaf]));
    assert_eq!(fixture.delivery.evidence.news().len(), 1);
    let stranger = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    let own = std::mem::replace(&mut fixture.receipt_key, stranger);
    fixture.report("d");
    assert_eq!(log.take(&mut fixture, 1), Next::Rest);
    fixture.receipt_key = own;
    let fixture = fixture.restart();
    assert_eq!(kinds(&fixture), [Contradiction::Leaf, Contradiction::Unsigned], "kept across a restart");
    assert_eq!(fixture.delivery.evidence.known.sentences().len(), 2);
}

#[test]
fn a_log_that_forgot_is_shown_its_own_checkpoint_and_the_break_is_kept() {
    let (mut fixture, mut before) = (Fixture::new(), log());
    ["a", "b", "c"].iter().for_each(|zone| fixture.report(zone));
    before.take(&mut fixture, 1);
    // As it came: signing again gives another signature.
    let kept = fixture.delivery.evidence.known.days[0].checkpoint.clone();
    assert!(!fixture.delivery.evidence.alarmed());
    // Put back by hand: the same epoch, shorter.
    let mut copy = log();
    fixture.report("d");
    assert_eq!(copy.take(&mut fixture, 1), Next::Rest);
    assert_eq!(kinds(&fixture), [Contradiction::Smaller]);
    assert!(fixture.delivery.evidence.alarmed());
    assert_eq!(fixture.delivery.evidence.question(7, &fixture.state), Some(kept.clone()));
    let mut next = Log { epoch: 9, frontier: Frontier::default() };
    next.frontier.append(leaf_hash(leaf::checkpoint(&kept).as_bytes()), |_, _| {});
    let opened = Some(Opening { before: kept, proof: Hashes::default() });
    let answer = LogAnswer { checkpoint: next.note(&fixture), consistency: None, opened, server_time_at: 8 };
    fixture.delivery.evidence.answered(&answer, &fixture.state);
    let Known { restored, days, asked_at, .. } = &fixture.delivery.evidence.known;
    assert_eq!((restored.len(), restored[0].epoch, days.len(), *asked_at), (1, 9, 2, 7));
    fixture.report("e");
    assert_eq!(next.take(&mut fixture, 1), Next::Rest);
    assert_eq!(kinds(&fixture), [Contradiction::Smaller], "the next epoch fits");
}
