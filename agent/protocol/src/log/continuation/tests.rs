//! A log, a log that forgot, one that was rewritten, and one that was put back.

use super::*;
use crate::digest::Digest;
use crate::log::proof::{consistency, inclusion};
use crate::log::tree::{join, node_hash};
use crate::log::{Frontier, Origin};
use crate::sign::SigningKey;

struct Log {
    key: SigningKey,
    epoch: u64,
    leaves: Vec<Digest>,
}

/// The root over these leaves, the plain way.
fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => join(&[]),
        [leaf] => *leaf,
        _ => {
            let middle = leaves.len().next_power_of_two() / 2;
            node_hash(root(&leaves[..middle]), root(&leaves[middle..]))
        }
    }
}

fn leaf_of(index: u64) -> Digest {
    leaf_hash(&index.to_be_bytes())
}

impl Log {
    fn new(leaves: u64) -> Self {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        Self { key, epoch: 1, leaves: (0..leaves).map(leaf_of).collect() }
    }

    fn note(&self) -> String {
        let mut frontier = Frontier::default();
        self.leaves.iter().for_each(|leaf| frontier.append(*leaf, |_, _| {}));
        let origin = Origin { server: "s".to_owned(), epoch: self.epoch };
        let checkpoint = Checkpoint { origin, size: frontier.size(), root: frontier.root() };
        checkpoint.sign(&self.key).unwrap().to_string()
    }

    fn read(&self, note: &str) -> Checkpoint {
        checkpoint_read(note, "s", self.key.public_key()).unwrap()
    }

    fn hashes(&self, ranges: Vec<std::ops::Range<u64>>) -> Hashes {
        let at = |index: u64| usize::try_from(index).unwrap();
        Hashes(ranges.into_iter().map(|range| root(&self.leaves[at(range.start)..at(range.end)])).collect())
    }

    fn answer(&self, kept: u64) -> LogAnswer {
        let size = self.leaves.len() as u64;
        let consistency = consistency(kept, size).ok().map(|ranges| self.hashes(ranges));
        LogAnswer { checkpoint: self.note(), consistency, opened: None, server_time_at: 0 }
    }

    fn judge(&self, kept: &Checkpoint, answer: &LogAnswer) -> Result<Continued, Contradiction> {
        answer.judge(kept, "s", self.key.public_key())
    }
}

#[test]
fn a_log_that_went_on_shows_it_and_another_cannot() {
    let mut log = Log::new(100);
    let kept = log.read(&log.note());
    log.leaves.extend((100..140).map(leaf_of));
    let newest = log.read(&log.note());
    assert_eq!(log.judge(&kept, &log.answer(100)), Ok(Continued::Same(newest)));
    let unproved = LogAnswer { consistency: None, ..log.answer(100) };
    assert_eq!(log.judge(&kept, &unproved), Err(Contradiction::Proof));
    log.leaves[7] = leaf_of(0);
    assert_eq!(log.judge(&kept, &log.answer(100)), Err(Contradiction::Proof), "rewritten");
    log.leaves.truncate(100);
    assert_eq!(log.judge(&kept, &log.answer(100)), Err(Contradiction::Roots), "as long as before");
    log.leaves.truncate(99);
    assert_eq!(log.judge(&kept, &log.answer(99)), Err(Contradiction::Smaller));
    let other = Log::new(140);
    assert_eq!(log.judge(&kept, &other.answer(100)), Err(Contradiction::Unsigned));
    assert_eq!(log.answer(99).judge(&kept, "t", log.key.public_key()), Err(Contradiction::Unsigned));
}

#[test]
fn another_epoch_names_where_the_last_one_ended() {
    let mut log = Log::new(100);
    let note = log.note();
    let kept = log.read(&note);
    let first = |note: &str| leaf_hash(leaf::checkpoint(note).as_bytes());
    (log.epoch, log.leaves) = (2, vec![first(&note), leaf_of(1), leaf_of(2)]);
    let opened = |log: &Log, before: &str| {
        let proof = log.hashes(inclusion(0, log.leaves.len() as u64).unwrap());
        LogAnswer { opened: Some(Opening { before: before.to_owned(), proof }), ..log.answer(0) }
    };
    let (newest, before) = (log.read(&log.note()), kept.clone());
    assert_eq!(log.judge(&kept, &opened(&log, &note)), Ok(Continued::Restored { newest: newest.clone(), before }));
    assert_eq!(log.judge(&newest, &log.answer(3)), Ok(Continued::Same(newest.clone())));
    assert_eq!(log.judge(&kept, &log.answer(0)), Err(Contradiction::Proof), "it must say how it began");
    let other =
        Log { key: SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap(), epoch: 1, leaves: vec![] };
    assert_eq!(log.judge(&kept, &opened(&log, &other.note())), Err(Contradiction::Leaf), "not what the leaf says");
    // A first leaf that holds another root for the same epoch and size.
    let rewritten = Checkpoint { root: Digest::ZERO, ..kept.clone() }.sign(&log.key).unwrap().to_string();
    log.leaves[0] = first(&rewritten);
    assert_eq!(log.judge(&kept, &opened(&log, &rewritten)), Err(Contradiction::Roots));
    log.epoch = 1;
    assert_eq!(log.judge(&newest, &log.answer(3)), Err(Contradiction::Smaller), "an epoch of before");
}

#[test]
fn the_exact_bytes_are_pinned() {
    let opened = Some(Opening { before: "b".to_owned(), proof: Hashes::default() });
    let answer = LogAnswer { checkpoint: "c".to_owned(), consistency: None, opened, server_time_at: 1 };
    let pinned = r#"{"checkpoint":"c","opened":{"before":"b","proof":""},"server_time_at":1}"#;
    assert_eq!(serde_json::to_string(&answer).unwrap(), pinned);
    assert_eq!(serde_json::from_str::<LogAnswer>(pinned).unwrap(), answer);
    assert_eq!(serde_json::to_string(&Contradiction::Smaller).unwrap(), "\"smaller\"");
    assert_eq!(serde_json::from_str::<Contradiction>("\"later\"").unwrap(), Contradiction::Unknown);
}
