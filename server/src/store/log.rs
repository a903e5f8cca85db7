//! The evidence log in the database. Whatever is a leaf is noted by the method that stores it, and appended when its transaction commits
//! ([`append`]); an older store is taken in when it is first opened ([`fill`]). [`read`] makes proofs, [`check`] verifies.

mod append;
pub mod check;
pub mod fault;
mod fill;
pub mod read;
pub mod records;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use data_encoding::BASE64;
use protocol::log::Frontier;
use sqlx::FromRow;

use super::{Db, StoreError, StoreResult, Tx};
use crate::evidence::Signer;

/// The migration that made the log. An older database is only ever copied by this program, and its log filled later.
const MADE_BY: i64 = 13;
/// Leaves below a stored subtree of level 1, and subtrees below one of the next level: 2^8.
const HEIGHT: u32 = 8;

/// What every transaction of a database knows of its log.
#[derive(Debug, Default)]
pub(in crate::store) struct Log {
    signer: OnceLock<Signer>,
    /// The end as this process last left or found it; another server may have gone on.
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
struct HeadRow {
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

/// A number of the log as the database keeps it.
fn signed(number: u64) -> i64 {
    super::report::signed(number)
}

/// A number of the log from the database.
fn unsigned(number: i64) -> StoreResult<u64> {
    u64::try_from(number).map_err(StoreError::log)
}

impl Log {
    /// The end as this process last left it.
    fn known(&self) -> Option<Head> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the end that a committed transaction left.
    pub(in crate::store) fn keep(&self, head: Option<Head>) {
        if head.is_some() {
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = head;
        }
    }
}

impl Db {
    /// Opens the log: from now on what is a leaf can be stored, and `signer` signs. Takes in a store older than the log first, in pieces,
    /// each durable. Two servers at once share the work.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_open(&self, signer: Signer) -> StoreResult<()> {
        let mut tx = self.read().await?;
        if tx.schema_number().await? < MADE_BY {
            return Ok(());
        }
        let is_filled = tx.log_is_filled().await?;
        drop(tx);
        // Whoever opened it first signs.
        let _ = self.log.signer.set(signer);
        if !is_filled {
            self.log_fill().await?;
        }
        let head = self.read().await?.log_head().await?;
        self.log.keep(Some(head).filter(|head| head.frontier.size() > 0));
        Ok(())
    }

    /// The end of the log as this process last left or found it, without asking the database.
    pub fn log_known(&self) -> Option<Head> {
        self.log.known()
    }

    /// Who signs this database's log.
    ///
    /// # Errors
    /// The log was not opened.
    pub fn log_signer(&self) -> StoreResult<&Signer> {
        self.log.signer.get().ok_or(StoreError::LogClosed)
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
