//! Verifying the log: the tree is built again from the stored leaves and compared with every checkpoint and stored subtree; each leaf is
//! made again from what it is about; and every record of the store must be a leaf. Names the first fault of each kind. Reads in short
//! transactions, in bounded memory; what is appended meanwhile is left out.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use protocol::Digest;
use protocol::log::Checkpoint;

use super::balance::Balance;
use super::fault::Fault;
use super::records::{KINDS, Record};
use super::tree::Tree;
use super::{Db, StoreResult, Tx, signed, unsigned};
use crate::evidence::Subject;

/// A log after its verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Leaves of all epochs.
    pub leaves: u64,
    /// Checkpoints whose signature and root fit.
    pub checkpoints: u64,
    /// Reports and refused branches of which retention left only hash and signature.
    pub removed: u64,
    /// The first of each kind; none when the log is intact.
    pub faults: Vec<Fault>,
}

/// Which leaves are compared with what they are about. The tree is built from all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// All of them.
    All,
    /// Those about audit entries.
    Audit,
    /// Reports and branches of these machines, and figures of the office.
    Of {
        /// Ids of machines.
        machines: BTreeSet<String>,
        /// An office's id.
        office: Option<String>,
    },
}

impl About {
    fn covers(&self, subject: &Subject) -> bool {
        match (self, subject) {
            (Self::All, subject) => !matches!(subject, Subject::Checkpoint { .. }),
            (Self::Audit, Subject::Audit { .. }) => true,
            (Self::Of { machines, .. }, Subject::Report { machine, .. } | Subject::Fork { machine, .. }) => {
                machines.contains(machine)
            }
            (Self::Of { office: Some(office), .. }, Subject::Figure { office: of, .. }) => office == of,
            _ => false,
        }
    }

    /// Whether a record belongs to the same machine or office as the one that reading began after.
    fn is_of_start(&self, after: Option<&Subject>, subject: &Subject) -> bool {
        match (self, after, subject) {
            (Self::Of { .. }, Some(Subject::Report { machine, .. }), Subject::Report { machine: of, .. })
            | (Self::Of { .. }, Some(Subject::Fork { machine, .. }), Subject::Fork { machine: of, .. }) => {
                machine == of
            }
            (Self::Of { .. }, Some(Subject::Figure { office, .. }), Subject::Figure { office: of, .. }) => office == of,
            _ => true,
        }
    }

    /// Where to begin reading records of each kind: after these.
    fn starts(&self) -> Vec<(usize, Option<Subject>)> {
        match self {
            Self::All => (0..KINDS).map(|kind| (kind, None)).collect(),
            Self::Audit => vec![(0, None)],
            Self::Of { machines, office } => {
                let reports = |machine: &String| Subject::Report { machine: machine.clone(), segment: 0, number: 0 };
                let forks = |machine: &String| Subject::Fork { machine: machine.clone(), hash: String::new() };
                let figures =
                    |office: &String| Subject::Figure { office: office.clone(), day: String::new(), revision: 0 };
                let of_machines = machines.iter().flat_map(|machine| [(1, reports(machine)), (2, forks(machine))]);
                let starts = of_machines.chain(office.iter().map(|office| (3, figures(office))));
                starts.map(|(kind, start)| (kind, Some(start))).collect()
            }
        }
    }
}

/// Rows of leaves, those of a commit each, read in one transaction.
const ROWS: i64 = 16;

/// What is remembered of the leaves walked so far.
struct Walked {
    about: About,
    /// Leaves against records.
    balance: Balance,
    audit: i64,
    /// The first fault in what leaves are about.
    fault: Option<Fault>,
    /// The leaves of each epoch.
    epochs: Vec<(i64, u64)>,
}

impl Walked {
    fn new(about: About) -> Self {
        Self { about, balance: Balance::default(), audit: 0, fault: None, epochs: Vec::new() }
    }

    /// Whether the record of this leaf is one to compare.
    fn covers(&self, line: &str) -> bool {
        line.parse().is_ok_and(|subject| self.about.covers(&subject))
    }
}

/// What was appended while the check ran. Read before records, in the same transaction: whatever is stored by then is known to be new.
#[derive(Default)]
struct Growth {
    epoch: i64,
    from: u64,
    subjects: HashSet<String>,
}

impl Db {
    /// Verifies the log as it stands now with what its leaves are `about`, and that it continues the checkpoint `against`, which was kept elsewhere.
    ///
    /// # Errors
    /// When the database fails, or the log was not opened.
    pub async fn log_check(&self, about: &About, against: Option<&Checkpoint>) -> StoreResult<Checked> {
        let signer = self.log_signer()?;
        let (mut checked, mut walked) = (Checked::default(), Walked::new(about.clone()));
        let epochs = self.read().await?.log_epochs().await?;
        for &epoch in &epochs {
            let mut tree = self.read().await?.log_tree(epoch, signer, against).await?;
            self.log_walk(&mut tree, &mut walked).await?;
            checked.leaves += tree.size();
            walked.epochs.push((epoch, tree.size()));
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
            checked.faults.extend(self.log_others(walked).await?);
        }
        checked.removed = self.read().await?.headers_removed_count().await?;
        Ok(checked)
    }

    /// Walks the leaves of an epoch up to the first that cannot be counted.
    async fn log_walk(&self, tree: &mut Tree, walked: &mut Walked) -> StoreResult<()> {
        let (epoch, mut from) = (tree.epoch(), 0);
        loop {
            let mut tx = self.read().await?;
            let rows = tx.log_rows_from(epoch, from, ROWS).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            from = last.first + 1;
            let since = tx.log_grown(epoch, tree.stored_size()).await?;
            for row in rows.iter().filter(|row| !since.contains(&row.first)) {
                let first = tree.size();
                let Some(hashes) = tree.row(row) else { return Ok(()) };
                for (leaf, (line, hash)) in (first..).zip(row.subjects.lines().zip(hashes)) {
                    let found = match walked.fault {
                        None => tx.log_leaf_check(epoch, leaf, line, hash, walked).await?,
                        Some(_) => None,
                    };
                    if walked.covers(line) && !matches!(found, Some(Fault::Gone { .. })) {
                        walked.balance.add(line);
                    }
                    walked.fault = walked.fault.take().or(found);
                }
            }
        }
    }

    /// The first leaf that stands twice, and the first record that is no leaf.
    async fn log_others(&self, mut walked: Walked) -> StoreResult<Vec<Fault>> {
        let mut growth = Growth::default();
        (growth.epoch, growth.from) = walked.epochs.last().copied().unwrap_or_default();
        let (about, balance) = (&walked.about, &mut walked.balance);
        self.log_records(about, &mut growth, |line| {
            balance.take(&line);
            None
        })
        .await?;
        let differing = walked.balance.differing();
        if differing.is_empty() {
            return Ok(Vec::new());
        }
        let leaves = self.log_lines(&walked, &differing).await?;
        let twice = leaves.array_windows::<2>().find(|[one, other]| one == other);
        let mut faults: Vec<Fault> =
            twice.and_then(|[line, _]| Some(Fault::Twice { subject: line.parse().ok()? })).into_iter().collect();
        let is_leaf = |line: &String| leaves.binary_search(line).is_ok();
        let added = self
            .log_records(&walked.about, &mut growth, |line| {
                (walked.balance.is_in(&differing, &line) && !is_leaf(&line)).then_some(line)
            })
            .await?;
        faults.extend(added.map(|subject| Fault::Added { subject }));
        Ok(faults)
    }

    /// Hands every record that was stored when the check began to `take`, until that returns something.
    async fn log_records(
        &self,
        about: &About,
        growth: &mut Growth,
        mut take: impl FnMut(String) -> Option<String>,
    ) -> StoreResult<Option<String>> {
        for (kind, mut after) in about.starts() {
            loop {
                let mut tx = self.read().await?;
                tx.log_growth(growth).await?;
                let subjects = tx.log_subjects(kind, after.as_ref()).await?;
                drop(tx);
                let of_start = subjects.iter().take_while(|subject| about.is_of_start(after.as_ref(), subject));
                let lines = of_start.map(Subject::to_string).filter(|line| !growth.subjects.contains(line));
                if let Some(found) = lines.filter_map(&mut take).next() {
                    return Ok(Some(found));
                }
                let is_over = subjects.last().is_none_or(|last| !about.is_of_start(after.as_ref(), last));
                if is_over {
                    break;
                }
                after = subjects.into_iter().next_back();
            }
        }
        Ok(None)
    }

    /// What the leaves are about that belong to these sums, in order.
    async fn log_lines(&self, walked: &Walked, places: &BTreeSet<usize>) -> StoreResult<Vec<String>> {
        let mut found = Vec::new();
        for &(epoch, size) in &walked.epochs {
            let mut from = 0;
            loop {
                let rows = self.read().await?.log_rows_from(epoch, from, ROWS).await?;
                let Some(last) = rows.last() else { break };
                from = last.first + 1;
                let lines = rows.iter().filter(|row| row.first < signed(size)).flat_map(|row| row.subjects.lines());
                found.extend(lines.filter(|line| walked.balance.is_in(places, line)).map(str::to_owned));
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

impl Tx {
    async fn log_epochs(&mut self) -> StoreResult<BTreeSet<i64>> {
        let epochs: Vec<i64> = on_db!(self, connection => {
            sqlx::query_scalar("select epoch from log_head union select epoch from log_leaf union select epoch from log_checkpoint")
                .fetch_all(connection)
                .await?
        });
        Ok(epochs.into_iter().collect())
    }

    /// The leaves that were appended to an epoch since it had `size`.
    async fn log_grown(&mut self, epoch: i64, size: u64) -> StoreResult<Range<i64>> {
        let head = self.log_head().await?;
        let now = if signed(head.epoch) == epoch { head.frontier.size() } else { size };
        Ok(signed(size)..signed(now))
    }

    /// Reads on in what was appended.
    async fn log_growth(&mut self, growth: &mut Growth) -> StoreResult<()> {
        let grown = self.log_grown(growth.epoch, growth.from).await?;
        while signed(growth.from) < grown.end {
            let rows = self.log_rows_from(growth.epoch, signed(growth.from), ROWS).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            growth.from = unsigned(last.first)? + last.subjects.lines().count() as u64;
            growth.subjects.extend(rows.iter().flat_map(|row| row.subjects.lines()).map(str::to_owned));
        }
        Ok(())
    }

    /// The fault of one leaf.
    async fn log_leaf_check(
        &mut self,
        epoch: i64,
        leaf: u64,
        line: &str,
        hash: Digest,
        walked: &mut Walked,
    ) -> StoreResult<Option<Fault>> {
        let Ok(subject) = line.parse::<Subject>() else { return Ok(Some(Fault::Row { epoch, leaf })) };
        if let Subject::Audit { number } = subject {
            walked.audit += 1;
            if number != walked.audit {
                return Ok(Some(Fault::Order { epoch, leaf, expected: walked.audit, found: number }));
            }
        }
        let is_last_of_epoch = walked.about == About::All && matches!(subject, Subject::Checkpoint { .. });
        if !walked.about.covers(&subject) && !is_last_of_epoch {
            return Ok(None);
        }
        Ok(match self.log_record(&subject).await? {
            Record::There(made) | Record::Removed(made) if made.hash() == hash => None,
            Record::There(_) | Record::Removed(_) | Record::Broken => {
                Some(Fault::Changed { epoch, leaf, subject, record: true })
            }
            Record::Absent => Some(Fault::Gone { epoch, leaf, subject }),
        })
    }
}
