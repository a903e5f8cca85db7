//! One epoch of the log while its tree is built again: what was signed and stored of it, and where the first difference is.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use protocol::Digest;
use protocol::log::{Checkpoint, Frontier, Node, Note};

use super::fault::Fault;
use super::read::Leaves;
use super::{HEIGHT, StoreResult, Tx, signed, unsigned};
use crate::evidence::Signer;

/// A tree that grows leaf by leaf, beside what it should be.
pub(super) struct Tree {
    epoch: i64,
    frontier: Frontier,
    /// Leaves that the epoch has, by what was signed last.
    size: u64,
    /// The signed roots by size.
    signed: BTreeMap<u64, Digest>,
    against: Option<Checkpoint>,
    /// What is stored as the end, in the newest epoch.
    stored_end: Option<Frontier>,
    /// Stored roots of full subtrees.
    subtrees: HashMap<Node, Digest>,
    /// Leaves up to here gave a stored or signed root.
    good: u64,
    /// The first that did not.
    bad: Option<Bad>,
    /// Whether a signed root says so, and not only a stored one.
    contradicted: bool,
    fits: u64,
    /// What keeps the leaves from being counted.
    broken: Option<Fault>,
    unsigned: Option<Fault>,
    against_fault: Option<Fault>,
}

/// Leaves that gave another root than wanted, the last included.
struct Bad {
    from: u64,
    /// The leaves before this one had given a wanted root.
    good: u64,
    to: u64,
}

impl Tree {
    pub(super) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Leaves so far.
    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Leaves that it should have.
    pub(super) fn stored_size(&self) -> u64 {
        self.size
    }

    /// Takes in a row; `None` when its leaves cannot be counted on.
    pub(super) fn row(&mut self, row: &Leaves) -> Option<Vec<Digest>> {
        let (epoch, next) = (self.epoch, self.frontier.size());
        let first = unsigned(row.first).unwrap_or(0);
        let hashes = row.hashes();
        self.broken = match &hashes {
            _ if first > next => Some(Fault::Missing { epoch, from: next, to: first - 1 }),
            _ if first < next || first >= self.size => Some(Fault::Beside { epoch, leaf: first }),
            None => Some(Fault::Row { epoch, leaf: first }),
            Some(_) => None,
        };
        if self.broken.is_some() {
            return None;
        }
        for &hash in hashes.iter().flatten() {
            self.leaf(hash);
        }
        hashes
    }

    fn leaf(&mut self, hash: Digest) {
        let mut full = Vec::new();
        self.frontier.append(hash, |node, hash| {
            if node.height > 0 && node.height.is_multiple_of(HEIGHT) {
                full.push((node, hash));
            }
        });
        for (node, hash) in full {
            let (from, end) = (node.index << node.height, (node.index + 1) << node.height);
            self.compare(self.subtrees.get(&node) == Some(&hash), from, end);
        }
        let (size, root) = (self.frontier.size(), || self.frontier.root());
        if let Some(old) = self.against.take_if(|old| old.size == size)
            && old.root != root()
        {
            self.against_fault = Some(against(&old, self.size));
        }
        if let Some(&wanted) = self.signed.get(&size) {
            let fits = wanted == root();
            self.contradicted |= !fits;
            self.fits += u64::from(fits);
            self.compare(fits, self.good, size);
        }
    }

    fn compare(&mut self, fits: bool, from: u64, end: u64) {
        if fits && from <= self.good {
            self.good = self.good.max(end);
        } else if !fits && self.bad.is_none() {
            self.bad = Some(Bad { from, good: self.good, to: end.saturating_sub(1) });
        }
    }

    /// The faults of the tree, and how many checkpoints it gave.
    pub(super) fn end(self) -> (Vec<Fault>, u64) {
        let (epoch, size) = (self.epoch, self.frontier.size());
        let length = match size.cmp(&self.size) {
            Ordering::Less => Some(Fault::Missing { epoch, from: size, to: self.size - 1 }),
            Ordering::Equal => None,
            Ordering::Greater => Some(Fault::Beside { epoch, leaf: self.size }),
        };
        let is_whole = self.broken.is_none() && length.is_none() && self.bad.is_none();
        let end = (is_whole && self.stored_end.is_some_and(|end| end != self.frontier)).then_some(Fault::End { epoch });
        let differs = self.bad.map(|Bad { from, good, to }| match self.contradicted {
            true => Fault::Tree { epoch, from: from.max(good), to },
            false => Fault::Subtree { epoch, from, to },
        });
        let longer = self.against.filter(|old| old.size > 0).map(|old| against(&old, size));
        let faults = [self.unsigned, self.broken.or(length), differs, end, self.against_fault.or(longer)];
        (faults.into_iter().flatten().collect(), self.fits)
    }
}

fn against(old: &Checkpoint, found: u64) -> Fault {
    Fault::Against { epoch: old.origin.epoch, size: old.size, found }
}

impl Tx {
    /// What was signed and stored of an epoch.
    pub(super) async fn log_tree(
        &mut self,
        epoch: i64,
        signer: &Signer,
        against: Option<&Checkpoint>,
    ) -> StoreResult<Tree> {
        let head = self.log_head().await?;
        // What a machine showed is of leaves that were lost when the store was put back.
        let shown: Vec<i64> = on_db!(self, connection => {
            sqlx::query_scalar("select before_size from log_epoch where before_epoch = $1 and reason = 'shown'")
                .bind(epoch)
                .fetch_all(connection)
                .await?
        });
        let mut notes: Vec<(i64, String)> = self
            .log_checkpoints()
            .await?
            .into_iter()
            .filter(|kept| kept.epoch == epoch && !shown.contains(&kept.size))
            .map(|kept| (kept.size, kept.note))
            .collect();
        let stored_end = (signed(head.epoch) == epoch).then(|| head.frontier.clone());
        if signed(head.epoch) == epoch && head.frontier.size() > 0 {
            notes.push((signed(head.frontier.size()), head.checkpoint));
        }
        let (mut roots, mut fault) = (BTreeMap::new(), None);
        for (size, note) in &notes {
            let read = note.parse::<Note>().ok().and_then(|note| signer.verify(&note).ok());
            let read = read.filter(|read| (signed(read.origin.epoch), signed(read.size)) == (epoch, *size));
            match read {
                Some(read) => drop(roots.insert(read.size, read.root)),
                None => fault = fault.or(Some(Fault::Checkpoint { epoch, size: *size })),
            }
        }
        let rows: Vec<(i64, i64, Vec<u8>)> = on_db!(self, connection => {
            sqlx::query_as("select level, number, hash from log_subtree where epoch = $1").bind(epoch).fetch_all(connection).await?
        });
        let subtree = |(level, number, hash): (i64, i64, Vec<u8>)| {
            let height = u32::try_from(level).ok()?.checked_mul(HEIGHT)?;
            Some((Node { height, index: unsigned(number).ok()? }, Digest(hash.try_into().ok()?)))
        };
        Ok(Tree {
            epoch,
            frontier: Frontier::default(),
            size: notes.iter().filter_map(|(size, _)| unsigned(*size).ok()).max().unwrap_or(0),
            signed: roots,
            against: against.filter(|old| signed(old.origin.epoch) == epoch).cloned(),
            stored_end,
            subtrees: rows.into_iter().filter_map(subtree).collect(),
            good: 0,
            bad: None,
            contradicted: false,
            fits: 0,
            broken: None,
            unsigned: fault,
            against_fault: None,
        })
    }
}
