//! Reading the log: leaves, checkpoints, and the hashes that make proofs.

use std::ops::Range;

use protocol::Digest;
use protocol::log::proof::{consistency, consistency_verify, inclusion};
use protocol::log::proof_file::ProofFile;
use protocol::log::{Checkpoint, Note};
use sqlx::FromRow;

use super::tiles::Tiles;
use super::{StoreError, StoreResult, Tx, signed};
use crate::evidence::Subject;

/// A checkpoint that is kept for good.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct KeptCheckpoint {
    /// Its epoch.
    pub epoch: i64,
    /// Its leaves.
    pub size: i64,
    /// Milliseconds UTC.
    pub made_at: i64,
    /// The signed note, with any cosignatures.
    pub note: String,
}

/// A row of leaves: those of one commit.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(super) struct Leaves {
    pub first: i64,
    pub hashes: Vec<u8>,
    pub subjects: String,
}

impl Leaves {
    /// The hashes; `None` where the row does not hold one for each subject.
    pub(super) fn hashes(&self) -> Option<Vec<Digest>> {
        let (hashes, rest) = self.hashes.as_chunks::<32>();
        let whole = rest.is_empty() && hashes.len() == self.subjects.lines().count();
        whole.then(|| hashes.iter().copied().map(Digest).collect())
    }
}

/// How the log continues a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// The older checkpoint.
    pub old: Checkpoint,
    /// The newest of the same epoch.
    pub new: Checkpoint,
    /// The consistency proof, verified.
    pub proof: Vec<Digest>,
}

/// The log and a checkpoint that its server signed say two different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The log of that epoch has fewer leaves than the checkpoint says.
    Shorter {
        /// Leaves there are.
        size: u64,
    },
    /// The first leaves give another root than the checkpoint says.
    Root,
    /// There is no such epoch here.
    Epoch,
}

impl Tx {
    /// The newest checkpoint, with its cosignatures; `None` before the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_checkpoint(&mut self) -> StoreResult<Option<Note>> {
        let head = self.log_head().await?;
        if head.checkpoint.is_empty() {
            return Ok(None);
        }
        let note: Note = head.checkpoint.parse().map_err(StoreError::log)?;
        let checkpoint = note.text.parse().map_err(StoreError::log)?;
        Ok(self.log_checkpoint_of(&checkpoint).await?.or(Some(note)))
    }

    /// The stored note of a checkpoint, with its cosignatures, if it is kept or the newest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_checkpoint_of(&mut self, checkpoint: &Checkpoint) -> StoreResult<Option<Note>> {
        let note: Option<String> = on_db!(self, connection => {
            sqlx::query_scalar(
                "select note from (select 1 as choice, note from log_checkpoint where epoch = $1 and size = $2
                     union all select 2, checkpoint from log_head where epoch = $1 and size = $2) as kept
                 order by choice limit 1",
            )
            .bind(signed(checkpoint.origin.epoch))
            .bind(signed(checkpoint.size))
            .fetch_optional(connection)
            .await?
        });
        note.map(|note| note.parse().map_err(StoreError::log)).transpose()
    }

    /// The checkpoints that are kept, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_checkpoints(&mut self) -> StoreResult<Vec<KeptCheckpoint>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select epoch, size, made_at, note from log_checkpoint order by epoch, size")
                .fetch_all(connection)
                .await?
        }))
    }

    /// Keeps a checkpoint with more cosignatures than before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_checkpoint_put(&mut self, kept: &KeptCheckpoint) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into log_checkpoint (epoch, size, made_at, note) values ($1, $2, $3, $4)
                 on conflict (epoch, size) do update set note = excluded.note",
            )
            .bind(kept.epoch)
            .bind(kept.size)
            .bind(kept.made_at)
            .bind(&kept.note)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The leaf `index` of the newest epoch: its hash and what it is about; `None` beyond the end.
    ///
    /// # Errors
    /// When the database fails, or its row is missing or cut.
    pub async fn log_leaf(&mut self, index: u64) -> StoreResult<Option<(Digest, Subject)>> {
        let head = self.log_head().await?;
        if index >= head.frontier.size() {
            return Ok(None);
        }
        let rows = self.log_rows(signed(head.epoch), index..index + 1).await?;
        let lost = || StoreError::log(format!("leaf {index} is missing"));
        let row = rows.first().ok_or_else(lost)?;
        let at = usize::try_from(signed(index) - row.first).map_err(StoreError::log)?;
        let hash = row.hashes().and_then(|hashes| hashes.get(at).copied()).ok_or_else(lost)?;
        let subject = row.subjects.lines().nth(at).and_then(|line| line.parse().ok()).ok_or_else(lost)?;
        Ok(Some((hash, subject)))
    }

    /// The proof that leaf `index` of the newest epoch is in the log; its content is `content`.
    ///
    /// # Errors
    /// When the database fails, hashes are missing, or there is no such leaf.
    pub async fn log_prove(&mut self, index: u64, content: &str) -> StoreResult<ProofFile> {
        let head = self.log_head().await?;
        let checkpoint = self.log_checkpoint().await?.ok_or_else(|| StoreError::log("it is empty"))?;
        let ranges = inclusion(index, head.frontier.size()).map_err(StoreError::log)?;
        let hashes = Tiles::new(head.epoch).roots(self, &ranges).await?;
        Ok(ProofFile { content: content.as_bytes().to_vec(), index, hashes, checkpoint })
    }

    /// Compares the log with a checkpoint that its server signed and somebody kept: the inner error says how the two contradict.
    ///
    /// # Errors
    /// When the database fails or hashes are missing.
    pub async fn log_compare(&mut self, old: &Checkpoint) -> StoreResult<Result<Continuation, Contradiction>> {
        let Some(new) = self.log_newest_of(old.origin.epoch).await? else { return Ok(Err(Contradiction::Epoch)) };
        if old.size > new.size {
            return Ok(Err(Contradiction::Shorter { size: new.size }));
        }
        let ranges = consistency(old.size, new.size).map_err(StoreError::log)?;
        let proof = Tiles::new(old.origin.epoch).roots(self, &ranges).await?;
        Ok(match consistency_verify(old.size, old.root, new.size, new.root, &proof) {
            Ok(()) => Ok(Continuation { old: old.clone(), new, proof }),
            Err(_) => Err(Contradiction::Root),
        })
    }

    /// The newest checkpoint of an epoch.
    async fn log_newest_of(&mut self, epoch: u64) -> StoreResult<Option<Checkpoint>> {
        let head = self.log_head().await?;
        let note: Option<String> = if head.epoch == epoch {
            Some(head.checkpoint).filter(|note| !note.is_empty())
        } else {
            on_db!(self, connection => {
                sqlx::query_scalar("select note from log_checkpoint where epoch = $1 order by size desc limit 1")
                    .bind(signed(epoch))
                    .fetch_optional(connection)
                    .await?
            })
        };
        let read = |note: String| note.parse::<Note>().ok()?.text.parse().ok();
        note.map(|note| read(note).ok_or_else(|| StoreError::log("its newest checkpoint cannot be read"))).transpose()
    }

    /// The rows that hold these leaves.
    pub(super) async fn log_rows(&mut self, epoch: i64, range: Range<u64>) -> StoreResult<Vec<Leaves>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select first, hashes, subjects from log_leaf where epoch = $1 and first < $3 and first >=
                     (select coalesce(max(first), 0) from log_leaf where epoch = $1 and first <= $2) order by first",
            )
            .bind(epoch)
            .bind(signed(range.start))
            .bind(signed(range.end))
            .fetch_all(connection)
            .await?
        }))
    }

    /// The rows of an epoch from leaf `first` on, at most `limit`.
    pub(super) async fn log_rows_from(&mut self, epoch: i64, first: i64, limit: i64) -> StoreResult<Vec<Leaves>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select first, hashes, subjects from log_leaf where epoch = $1 and first >= $2 order by first limit $3",
            )
            .bind(epoch)
            .bind(first)
            .bind(limit)
            .fetch_all(connection)
            .await?
        }))
    }
}
