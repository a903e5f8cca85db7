//! The log seen from a checkpoint that somebody kept, for the one who kept it: the newest checkpoint, and why it follows.

use protocol::log::continuation::Contradiction;
use protocol::log::proof::{consistency, consistency_verify, inclusion};
use protocol::log::{Checkpoint, Hashes, LogAnswer, Note, Opening};

use super::tiles::Tiles;
use super::{StoreError, StoreResult, Tx, signed};
use crate::evidence::{Kept, Subject};

/// How the log stands to a kept checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It continues it.
    Continued,
    /// It is of an earlier epoch: what that epoch lost cannot be proved.
    Earlier,
    /// The log is shorter, or of an earlier epoch: the store was put back.
    Longer,
    /// The log's first leaves give another root.
    Contradicted,
}

impl Tx {
    /// The answer to whoever kept this checkpoint, and how the log stands to it.
    ///
    /// # Errors
    /// When the database fails, or hashes are missing.
    pub async fn log_continue(&mut self, kept: &Kept) -> StoreResult<(LogAnswer, Standing)> {
        let old = &kept.checkpoint;
        let head = self.log_head().await?;
        let mut answer =
            LogAnswer { checkpoint: head.checkpoint.clone(), consistency: None, opened: None, server_time_at: 0 };
        let Some(newest) = head.checkpoint.parse::<Note>().ok().and_then(|note| note.text.parse().ok()) else {
            return Ok((answer, Standing::Longer));
        };
        let newest: Checkpoint = newest;
        if old.precedes(&newest) == Err(Contradiction::Smaller) {
            return Ok((answer, Standing::Longer));
        }
        let mut tiles = Tiles::new(head.epoch);
        if old.origin.epoch < newest.origin.epoch {
            answer.opened = self.log_opening(&mut tiles, &newest).await?;
            return Ok((answer, Standing::Earlier));
        }
        let ranges = consistency(old.size, newest.size).map_err(StoreError::log)?;
        let proof = tiles.roots(self, &ranges).await?;
        let fits = consistency_verify(old.size, old.root, newest.size, newest.root, &proof).is_ok();
        answer.consistency = Some(Hashes(proof));
        Ok((answer, if fits { Standing::Continued } else { Standing::Contradicted }))
    }

    /// How the epoch of the newest checkpoint began; `None` when its first leaf is no checkpoint.
    async fn log_opening(&mut self, tiles: &mut Tiles, newest: &Checkpoint) -> StoreResult<Option<Opening>> {
        let Some((_, Subject::Checkpoint { epoch, size })) = self.log_leaf(0).await? else { return Ok(None) };
        let Some(before) = self.log_checkpoint_signed(epoch, size).await? else { return Ok(None) };
        let ranges = inclusion(0, newest.size).map_err(StoreError::log)?;
        let proof = Hashes(tiles.roots(self, &ranges).await?);
        Ok(Some(Opening { before, proof }))
    }

    /// A kept checkpoint as it was signed: cosignatures came later.
    async fn log_checkpoint_signed(&mut self, epoch: i64, size: i64) -> StoreResult<Option<String>> {
        let note: Option<String> = on_db!(self, connection => {
            sqlx::query_scalar("select note from log_checkpoint where epoch = $1 and size = $2")
                .bind(epoch)
                .bind(size)
                .fetch_optional(connection)
                .await?
        });
        Ok(note.and_then(|note| {
            let mut note: Note = note.parse().ok()?;
            note.signatures.truncate(1);
            Some(note.to_string())
        }))
    }

    /// Keeps a checkpoint that the log contradicts; false when it is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_contradiction_keep(&mut self, kept: &Kept, machine: &str, at: i64) -> StoreResult<bool> {
        let inserted = on_db!(self, connection => {
            sqlx::query(
                "insert into log_contradiction (epoch, size, root, note, machine, found_at) values ($1, $2, $3, $4, $5, $6)
                 on conflict (epoch, size, root) do nothing",
            )
            .bind(signed(kept.checkpoint.origin.epoch))
            .bind(signed(kept.checkpoint.size))
            .bind(kept.checkpoint.root.to_string())
            .bind(&kept.note)
            .bind(machine)
            .bind(at)
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(inserted == 1)
    }
}
