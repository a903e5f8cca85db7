//! Beginning an epoch of the evidence log: the store was put back or made anew, so that the log cannot go on where it was. The first leaf
//! is the last checkpoint known.

use protocol::log::Frontier;

use super::log_end::Head;
use super::{StoreResult, Tx};
use crate::evidence::{Kept, Leaf};
use crate::store::number::signed;

/// How an epoch began.
struct Beginning<'a> {
    at: i64,
    reason: &'a str,
    machine: Option<&'a str>,
    /// The last checkpoint known: epoch, size, note.
    before: Option<(i64, i64, &'a str)>,
}

impl Tx {
    /// Begins an epoch after the checkpoint with which the store's log ends. Its number is the second of `at`, so that no two stores that
    /// were put back from one copy begin the same. Locks the log out of turn: nobody else uses the database then.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn log_epoch_begin(&mut self, at: i64) -> StoreResult<()> {
        let last = self.log_lock().await?;
        let before = (signed(last.epoch), signed(last.frontier.size()), last.checkpoint.as_str());
        let before = Some(before).filter(|_| last.frontier.size() > 0);
        self.log_epoch_open(&last, Beginning { at, reason: "restored", machine: None, before }).await
    }

    /// Begins an epoch after a checkpoint that `machine` shows and that is longer than the store's log. False when it is not, by the row
    /// that is now locked: nothing was done then.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn log_epoch_show(&mut self, kept: &Kept, machine: &str, at: i64) -> StoreResult<bool> {
        let last = self.log_lock().await?;
        let (epoch, size) = (kept.checkpoint.origin.epoch, kept.checkpoint.size);
        if (epoch, size) <= (last.epoch, last.frontier.size()) {
            return Ok(false);
        }
        self.log_checkpoint_insert(signed(epoch), signed(size), at, &kept.note).await?;
        let before = Some((signed(epoch), signed(size), kept.note.as_str()));
        self.log_epoch_open(&last, Beginning { at, reason: "shown", machine: Some(machine), before }).await?;
        Ok(true)
    }

    async fn log_epoch_open(&mut self, last: &Head, beginning: Beginning<'_>) -> StoreResult<()> {
        let Beginning { at, reason, machine, before } = beginning;
        let known = before.map_or(0, |(epoch, _, _)| epoch).max(signed(last.epoch));
        let epoch = known.saturating_add(1).max(at / 1000);
        if last.frontier.size() > 0 {
            self.log_checkpoint_keep(last).await?;
        }
        if let Some((before_epoch, before_size, note)) = before {
            self.leaves.insert(0, Leaf::checkpoint(before_epoch, before_size, note, at));
            on_db!(self, connection => {
                sqlx::query(
                    "insert into log_epoch (epoch, opened_at, reason, machine, before_epoch, before_size)
                     values ($1, $2, $3, $4, $5, $6)",
                )
                .bind(epoch)
                .bind(at)
                .bind(reason)
                .bind(machine)
                .bind(before_epoch)
                .bind(before_size)
                .execute(connection)
                .await?;
            });
        }
        on_db!(self, connection => {
            sqlx::query("update log_head set epoch = $1, size = 0, frontier = $2, checkpoint = '' where name = 'log'")
                .bind(epoch)
                .bind(Frontier::default().to_bytes())
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Keeps the checkpoint of the log's end for good.
    pub(super) async fn log_checkpoint_keep(&mut self, head: &Head) -> StoreResult<()> {
        let (epoch, size) = (signed(head.epoch), signed(head.frontier.size()));
        self.log_checkpoint_insert(epoch, size, head.checkpoint_at, &head.checkpoint).await
    }

    async fn log_checkpoint_insert(&mut self, epoch: i64, size: i64, at: i64, note: &str) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into log_checkpoint (epoch, size, made_at, note) values ($1, $2, $3, $4) on conflict do nothing",
            )
            .bind(epoch)
            .bind(size)
            .bind(at)
            .bind(note)
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
