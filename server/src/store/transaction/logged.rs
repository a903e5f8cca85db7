//! What a commit appended to the evidence log: enough to prove each of its reports without the database.

use std::collections::HashMap;
use std::fmt;

use protocol::log::{Appended, Hashes};
use protocol::{LoggedReceipt, Position};

use super::append::Step;
use crate::evidence::{Leaf, Subject};
use crate::store::number::signed;

/// The leaves of one commit under its checkpoint.
pub struct Logged {
    /// The checkpoint, as signed.
    pub checkpoint: String,
    places: HashMap<Subject, (u64, i64)>,
    tree: Appended,
}

impl fmt::Debug for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logged").field("checkpoint", &self.checkpoint).finish_non_exhaustive()
    }
}

impl Logged {
    pub(super) fn new(leaves: Vec<Leaf>, step: Step) -> Self {
        let tree = Appended::new(&step.follows.frontier, step.hashes);
        let places = leaves.into_iter().zip(tree.first()..).map(|(leaf, index)| (leaf.subject, (index, leaf.at)));
        Self { checkpoint: step.head.checkpoint, places: places.collect(), tree }
    }

    /// The receipt for this report; `None` when it was stored by another commit.
    pub fn receipt(&self, machine: &str, position: &Position) -> Option<LoggedReceipt> {
        let (segment, number) = (signed(position.segment), signed(position.number));
        let subject = Subject::Report { machine: machine.to_owned(), segment, number };
        let &(index, received_at) = self.places.get(&subject)?;
        Some(LoggedReceipt { index, received_at, proof: Hashes(self.tree.proof(index)?) })
    }
}
