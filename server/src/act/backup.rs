//! Writing down that the server was copied, or put back from a copy.

use super::By;
use crate::audit::Action;
use crate::backup::Manifest;
use crate::backup::make::Made;
use crate::store::{Db, StoreResult};

/// Notes that a copy called `name` was made.
///
/// # Errors
/// The database fails.
pub async fn backup_note(db: &Db, by: &By, name: &str, made: &Made) -> StoreResult<()> {
    let change = by
        .change(Action::BackupMade, None, name)
        .with("size", made.size)
        .with("encrypted", made.encrypted)
        .with("head", made.manifest.audit.number);
    by.conclude(db.write().await?, &change, &[]).await
}

/// Notes that this database was put back from the copy `name`, and begins its next epoch, whose number is returned.
///
/// # Errors
/// The database fails.
pub async fn put_back_note(db: &Db, by: &By, name: &str, manifest: &Manifest) -> StoreResult<i64> {
    let mut tx = db.write().await?;
    let epoch = tx.epoch_begin().await?;
    let change = by
        .change(Action::PutBack, None, name)
        .with("made_at", manifest.made_at)
        .with("head", manifest.audit.number)
        .with("epoch", epoch);
    by.conclude(tx, &change, &[]).await?;
    Ok(epoch)
}
