//! The evidence log in the database. Leaves are appended where transactions are committed (`transaction/append.rs`); an older store is
//! taken in when it is first opened ([`fill`]). [`read`] makes proofs, [`check`] verifies.

mod balance;
pub mod check;
pub mod continuation;
pub mod fault;
mod fill;
pub mod read;
pub mod receipts;
pub mod records;
#[cfg(test)]
mod tests;
mod tiles;
mod tree;

use super::number::signed;
use super::transaction::{HEIGHT, Head, MADE_BY, unsigned};
use super::{Db, StoreError, StoreResult, Tx};
use crate::evidence::Signer;

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

    /// Asks the database for the end: another server or a command may have gone on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_look(&self) -> StoreResult<()> {
        let head = self.read().await?.log_head().await?;
        self.log.follow(head);
        Ok(())
    }

    /// Who signs this database's log.
    ///
    /// # Errors
    /// The log was not opened.
    pub fn log_signer(&self) -> StoreResult<&Signer> {
        self.log.signer.get().ok_or(StoreError::LogClosed)
    }
}
