//! The end of the evidence log: as the database holds it, and as this process last left it.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use data_encoding::BASE64;
use protocol::log::Frontier;
use sqlx::FromRow;

use super::{StoreError, StoreResult, Tx};
use crate::evidence::Signer;

/// The migration that made the log. An older database is only ever copied by this program, and its log filled later.
pub(in crate::store) const MADE_BY: i64 = 13;
/// Leaves below a stored subtree of level 1, and subtrees below one of the next level: 2^8.
pub(in crate::store) const HEIGHT: u32 = 8;

/// What every transaction of a database knows of its log.
#[derive(Debug, Default)]
pub(in crate::store) struct Log {
    pub(in crate::store) signer: OnceLock<Signer>,
    /// The end as this process last left or read it; another server may have gone on.
    known: Mutex<Option<Head>>,
}

/// The end of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The epoch.
    pub epoch: u64,
    /// Size and full subtrees.
    pub frontier: Frontier,
    /// The newest signed checkpoint; empty before the first.
    pub checkpoint: String,
    /// When its newest leaf came to be, milliseconds UTC.
    pub checkpoint_at: i64,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} / {}", self.epoch, self.frontier.size(), BASE64.encode(&self.frontier.root().0))
    }
}

#[derive(FromRow)]
pub(super) struct HeadRow {
    epoch: i64,
    size: i64,
    frontier: Vec<u8>,
    checkpoint: String,
    checkpoint_at: i64,
}

impl TryFrom<HeadRow> for Head {
    type Error = StoreError;

    fn try_from(row: HeadRow) -> StoreResult<Self> {
        let HeadRow { epoch, size, frontier, checkpoint, checkpoint_at } = row;
        let frontier = Frontier::from_bytes(unsigned(size)?, &frontier).map_err(StoreError::log)?;
        Ok(Self { epoch: unsigned(epoch)?, frontier, checkpoint, checkpoint_at })
    }
}

/// A number of the log from the database.
pub(in crate::store) fn unsigned(number: i64) -> StoreResult<u64> {
    u64::try_from(number).map_err(StoreError::log)
}

impl Log {
    /// The end as this process last left it.
    pub(in crate::store) fn known(&self) -> Option<Head> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the end that a committed transaction left.
    pub(in crate::store) fn keep(&self, head: Option<Head>) {
        if head.is_some() {
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = head;
        }
    }

    /// Keeps an end that was read, unless this process has gone on meanwhile.
    pub(in crate::store) fn follow(&self, read: Head) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |head: &Head| (head.epoch, head.frontier.size());
        let before = known.as_ref().map_or((0, 0), size);
        if read.frontier.size() > 0 && size(&read) > before {
            *known = Some(read);
        }
    }
}

impl Tx {
    /// The end of the log as this transaction sees it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_head(&mut self) -> StoreResult<Head> {
        let row: HeadRow = on_db!(self, connection => {
            sqlx::query_as("select epoch, size, frontier, checkpoint, checkpoint_at from log_head where name = 'log'")
                .fetch_one(connection)
                .await?
        });
        row.try_into()
    }
}
