//! Verifying the log: the tree is built again from the stored leaves and compared with every checkpoint and stored subtree; each leaf is
//! made again from what it is about; and every record of the store must be a leaf. Names the first fault of each kind.

use std::collections::BTreeSet;

use protocol::Digest;
use protocol::log::Checkpoint;

use super::fault::Fault;
use super::read::Leaves;
use super::records::Record;
use super::tree::Tree;
use super::{StoreResult, Tx, unsigned};
use crate::evidence::{Signer, Subject};

/// A log after its verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Leaves of all epochs.
    pub leaves: u64,
    /// Checkpoints whose signature and root fit.
    pub checkpoints: u64,
    /// Reports and refused branches of which retention left only hash and signature.
    pub removed: u64,
    /// The first of each kind; none when the log is whole.
    pub faults: Vec<Fault>,
}

/// Rows read at once.
const ROWS: i64 = 256;

/// What is remembered of the leaves walked so far: 16 bytes of each subject's hash.
#[derive(Default)]
struct Walked {
    subjects: Vec<u128>,
    audit: i64,
    /// The first fault in what leaves are about.
    fault: Option<Fault>,
}

fn key(subject: &str) -> u128 {
    let hash = Digest::of(subject.as_bytes()).0;
    hash.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
}

impl Tx {
    /// Verifies the whole log as this transaction sees it, and that it continues the checkpoint `against`, which was kept elsewhere.
    /// Needs 16 bytes of memory a leaf.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_check(&mut self, signer: &Signer, against: Option<&Checkpoint>) -> StoreResult<Checked> {
        let (mut checked, mut walked) = (Checked::default(), Walked::default());
        let epochs = self.log_epochs().await?;
        for &epoch in &epochs {
            let mut tree = self.log_tree(epoch, signer, against).await?;
            self.log_walk(&mut tree, &mut walked).await?;
            checked.leaves += tree.size();
            let (faults, fits) = tree.end();
            checked.checkpoints += fits;
            if let Some(Fault::Changed { epoch: of, record, .. }) = &mut walked.fault
                && *of == epoch
            {
                *record = faults.is_empty();
            }
            checked.faults.extend(faults);
        }
        if let Some(old) =
            against.filter(|old| !epochs.iter().any(|&epoch| unsigned(epoch).ok() == Some(old.origin.epoch)))
        {
            checked.faults.push(Fault::Against { epoch: old.origin.epoch, size: old.size, found: 0 });
        }
        let is_complete =
            !checked.faults.iter().any(|fault| matches!(fault, Fault::Missing { .. } | Fault::Row { .. }));
        let is_order = matches!(walked.fault, Some(Fault::Order { .. }));
        checked.faults.extend(walked.fault.take());
        if is_complete && !is_order {
            checked.faults.extend(self.log_others(walked.subjects).await?);
        }
        checked.removed = self.headers_removed_count().await?;
        Ok(checked)
    }

    async fn log_epochs(&mut self) -> StoreResult<BTreeSet<i64>> {
        let epochs: Vec<i64> = on_db!(self, connection => {
            sqlx::query_scalar("select epoch from log_head union select epoch from log_leaf union select epoch from log_checkpoint")
                .fetch_all(connection)
                .await?
        });
        Ok(epochs.into_iter().collect())
    }

    /// Walks the leaves of an epoch up to the first that cannot be counted.
    async fn log_walk(&mut self, tree: &mut Tree, walked: &mut Walked) -> StoreResult<()> {
        let (epoch, mut from) = (tree.epoch(), 0);
        loop {
            let rows = self.log_rows_from(epoch, from, ROWS).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            from = last.first + 1;
            for row in &rows {
                let first = tree.size();
                let Some(hashes) = tree.row(row) else { return Ok(()) };
                for (leaf, (line, hash)) in (first..).zip(row.subjects.lines().zip(hashes)) {
                    walked.subjects.push(key(line));
                    if walked.fault.is_none() {
                        walked.fault = self.log_leaf_check(epoch, leaf, line, hash, &mut walked.audit).await?;
                    }
                }
            }
        }
    }

    /// The fault of one leaf.
    async fn log_leaf_check(
        &mut self,
        epoch: i64,
        leaf: u64,
        line: &str,
        hash: Digest,
        audit: &mut i64,
    ) -> StoreResult<Option<Fault>> {
        let Ok(subject) = line.parse::<Subject>() else { return Ok(Some(Fault::Row { epoch, leaf })) };
        if let Subject::Audit { number } = subject {
            *audit += 1;
            if number != *audit {
                return Ok(Some(Fault::Order { epoch, leaf, expected: *audit, found: number }));
            }
        }
        Ok(match self.log_record(&subject).await? {
            Record::There(made) | Record::Removed(made) if made.hash() == hash => None,
            Record::There(_) | Record::Removed(_) | Record::Broken => {
                Some(Fault::Changed { epoch, leaf, subject, record: true })
            }
            Record::Absent => Some(Fault::Gone { epoch, leaf, subject }),
        })
    }

    /// The first leaf that stands twice, and the first record that is no leaf.
    async fn log_others(&mut self, mut subjects: Vec<u128>) -> StoreResult<Vec<Fault>> {
        let mut faults = Vec::new();
        subjects.sort_unstable();
        let twice = subjects.array_windows::<2>().find(|[one, other]| one == other).map(|pair| pair[0]);
        if let Some(twice) = twice {
            faults.extend(self.log_find(twice).await?.map(|subject| Fault::Twice { subject }));
        }
        for kind in 0..self.log_record_counts().await?.len() {
            let mut from = 0;
            loop {
                let piece = self.log_subjects(kind, from).await?;
                if piece.is_empty() {
                    break;
                }
                from += i64::try_from(piece.len()).unwrap_or(i64::MAX);
                if let Some(added) = piece.into_iter().find(|line| subjects.binary_search(&key(line)).is_err()) {
                    faults.push(Fault::Added { subject: added });
                    return Ok(faults);
                }
            }
        }
        Ok(faults)
    }

    /// The subject with this key.
    async fn log_find(&mut self, wanted: u128) -> StoreResult<Option<Subject>> {
        for epoch in self.log_epochs().await? {
            let mut from = 0;
            loop {
                let rows: Vec<Leaves> = self.log_rows_from(epoch, from, ROWS).await?;
                let Some(last) = rows.last() else { break };
                from = last.first + 1;
                let mut lines = rows.iter().flat_map(|row| row.subjects.lines());
                if let Some(line) = lines.find(|line| key(line) == wanted) {
                    return Ok(line.parse().ok());
                }
            }
        }
        Ok(None)
    }
}
