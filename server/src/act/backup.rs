//! Recording that the server was backed up, or restored from a backup.

use super::By;
use crate::audit::Action;
use crate::store::{Db, StoreResult};

/// A backup, as the audit log records it.
#[derive(Clone, Copy, Debug)]
pub struct Copied {
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Number of the last entry of the audit log it contains.
    pub head: i64,
}

/// Records that a backup called `name` was made.
///
/// # Errors
/// The database fails.
pub async fn backup_note(db: &Db, by: &By, name: &str, made: Copied) -> StoreResult<()> {
    let change = by
        .change(Action::BackupMade, None, name)
        .with("size", made.size)
        .with("encrypted", made.encrypted)
        .with("head", made.head);
    by.conclude(db.write().await?, &change, &[]).await
}

/// Records that this database was restored from the backup `name`, made at `made_at` (milliseconds UTC) when entry `head` was the last of its
/// audit log, and begins its next epoch, whose number is returned.
///
/// # Errors
/// The database fails.
pub async fn put_back_note(db: &Db, by: &By, name: &str, made_at: i64, head: i64) -> StoreResult<i64> {
    let mut tx = db.write().await?;
    let epoch = tx.epoch_begin().await?;
    tx.log_epoch_begin(by.at).await?;
    let change =
        by.change(Action::PutBack, None, name).with("made_at", made_at).with("head", head).with("epoch", epoch);
    by.conclude(tx, &change, &[]).await?;
    Ok(epoch)
}
