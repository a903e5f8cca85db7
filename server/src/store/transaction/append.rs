//! Appending the leaves of a transaction to the evidence log at its end: two statements a commit, whatever it holds, and one more for every 256 leaves and
//! every day. The row of the log's end is locked from here to the commit, which follows at once.

use std::sync::Arc;

use protocol::Digest;
use protocol::log::Node;

use super::log_end::{HEIGHT, Head, HeadRow, MADE_BY};
use super::{StoreError, StoreResult, Tx};
use crate::evidence::{Leaf, Signer, Subject};
use crate::store::number::signed;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// One commit's step of the log.
pub(super) struct Step {
    /// The checkpoint that it follows: nothing else may stand at the end.
    pub(super) follows: Head,
    pub(super) head: Head,
    pub(super) hashes: Vec<Digest>,
    subjects: String,
    /// When its reports were received; none when there is not one time for all.
    reports_at: Option<i64>,
    subtrees: Vec<(Node, Vec<u8>)>,
}

impl Step {
    fn after(follows: Head, leaves: &[Leaf], signer: &Signer) -> StoreResult<Self> {
        let mut frontier = follows.frontier.clone();
        let (mut hashes, mut subtrees) = (Vec::with_capacity(leaves.len()), Vec::new());
        for leaf in leaves {
            let hash = leaf.hash();
            hashes.push(hash);
            frontier.append(hash, |node, hash| {
                if node.height > 0 && node.height.is_multiple_of(HEIGHT) {
                    subtrees.push((node, hash.0.to_vec()));
                }
            });
        }
        let subjects: Vec<String> = leaves.iter().map(|leaf| leaf.subject.to_string()).collect();
        let checkpoint = signer.sign(follows.epoch, &frontier).map_err(StoreError::log)?.to_string();
        let checkpoint_at = leaves.iter().map(|leaf| leaf.at).max().unwrap_or(0);
        let head = Head { epoch: follows.epoch, frontier, checkpoint, checkpoint_at };
        let mut reports =
            leaves.iter().filter(|leaf| matches!(leaf.subject, Subject::Report { .. })).map(|leaf| leaf.at);
        // An older store is taken in with many times in one row.
        let reports_at = reports.next().filter(|first| reports.all(|at| at == *first));
        Ok(Self { follows, head, hashes, subjects: subjects.join("\n"), reports_at, subtrees })
    }

    /// Whether the checkpoint that it follows was the last of its day or epoch, and so is kept.
    fn ends_day(&self) -> bool {
        let day = |head: &Head| (head.epoch, head.checkpoint_at.div_euclid(DAY_MS));
        self.follows.frontier.size() > 0 && day(&self.follows) != day(&self.head)
    }
}

impl Tx {
    /// Notes a leaf: it is appended when this transaction commits.
    pub(in crate::store) fn log_note(&mut self, leaf: Leaf) {
        self.leaves.push(leaf);
    }

    /// Appends what was noted and signs the checkpoint; the caller commits at once. Returns what was done.
    ///
    /// # Errors
    /// When the database fails, or the log was not opened.
    pub(super) async fn log_append(&mut self, leaves: &[Leaf]) -> StoreResult<Option<Step>> {
        if leaves.is_empty() {
            return Ok(None);
        }
        let log = Arc::clone(&self.log);
        let Some(signer) = log.signer.get() else {
            // A database older than the log is filled when it is opened.
            return if self.schema_number().await? < MADE_BY { Ok(None) } else { Err(StoreError::LogClosed) };
        };
        if let Some(known) = log.known() {
            let step = Step::after(known, leaves, signer)?;
            if self.log_step(&step).await? {
                return Ok(Some(step));
            }
        }
        let step = Step::after(self.log_lock().await?, leaves, signer)?;
        if self.log_step(&step).await? {
            Ok(Some(step))
        } else {
            Err(StoreError::log("its end moved though it was locked"))
        }
    }

    /// The end of the log, locked.
    pub(super) async fn log_lock(&mut self) -> StoreResult<Head> {
        let row: HeadRow = on_db!(self, connection => {
            sqlx::query_as(
                "update log_head set size = size where name = 'log'
                 returning epoch, size, frontier, checkpoint, checkpoint_at",
            )
            .fetch_one(connection)
            .await?
        });
        row.try_into()
    }

    /// Writes a step. False when something else stands at the end: nothing was written then.
    async fn log_step(&mut self, step: &Step) -> StoreResult<bool> {
        let Step { follows, head, .. } = step;
        let moved = on_db!(self, connection => {
            sqlx::query(
                "update log_head set size = $1, frontier = $2, checkpoint = $3, checkpoint_at = $4
                 where name = 'log' and epoch = $5 and checkpoint = $6",
            )
            .bind(signed(head.frontier.size()))
            .bind(head.frontier.to_bytes())
            .bind(&head.checkpoint)
            .bind(head.checkpoint_at)
            .bind(signed(head.epoch))
            .bind(&follows.checkpoint)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if moved == 0 {
            return Ok(false);
        }
        on_db!(self, connection => {
            sqlx::query("insert into log_leaf (epoch, first, hashes, subjects, reports_at) values ($1, $2, $3, $4, $5)")
                .bind(signed(head.epoch))
                .bind(signed(follows.frontier.size()))
                .bind(step.hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>())
                .bind(&step.subjects)
                .bind(step.reports_at)
                .execute(connection)
                .await?;
        });
        for (node, hash) in &step.subtrees {
            on_db!(self, connection => {
                sqlx::query("insert into log_subtree (epoch, level, number, hash) values ($1, $2, $3, $4)")
                    .bind(signed(head.epoch))
                    .bind(i64::from(node.height / HEIGHT))
                    .bind(signed(node.index))
                    .bind(hash)
                    .execute(connection)
                    .await?;
            });
        }
        if step.ends_day() {
            self.log_checkpoint_keep(follows).await?;
        }
        Ok(true)
    }
}
