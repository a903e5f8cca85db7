//! Deletes what is older than its retention: section bodies, then signed headers. Hashes, signatures and digests stay, so every chain still
//! verifies; the current body of a section is never deleted, nor is what a legal hold keeps.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use crate::act::retention::headers_removal_note;
use crate::config::retention::Retention;
use crate::store::{Db, StoreResult};

/// Rows deleted in one transaction, so that reports do not wait long.
const AT_ONCE: i64 = 500;

/// Deletes what is expired at `now`; returns how many bodies, and blocks of headers. Call once a day.
///
/// # Errors
/// When the database fails; what is already deleted stays deleted.
pub async fn retention_apply(db: &Db, retention: &Retention, now: Timestamp) -> StoreResult<u64> {
    let today = now.to_zoned(TimeZone::UTC);
    let at = now.as_millisecond();
    let sections = db.read().await?.body_sections().await?;
    let mut deleted = 0;
    for section in sections {
        let months = i64::from(retention.months_of(&section));
        let before = today.saturating_sub(months.months()).timestamp().as_millisecond();
        loop {
            let mut tx = db.write().await?;
            let count = tx.body_prune(&section, before, at, AT_ONCE).await?;
            tx.commit().await?;
            deleted += count;
            if count == 0 {
                break;
            }
        }
    }
    let months = i64::from(retention.months_of_headers());
    let day = today.start_of_day().unwrap_or(today);
    let before = day.saturating_sub(months.months()).timestamp().as_millisecond();
    deleted += headers_remove(db, before, at).await?;
    if deleted > 0 {
        tracing::info!(deleted, "deleted what was kept long enough");
    }
    Ok(deleted)
}

async fn headers_remove(db: &Db, before: i64, at: i64) -> StoreResult<u64> {
    if !db.read().await?.header_expired(before, at).await? {
        return Ok(0);
    }
    headers_removal_note(db, at, before).await?;
    let mut removed = 0;
    loop {
        let mut tx = db.write().await?;
        let count = tx.header_prune(before, at, AT_ONCE).await?;
        tx.commit().await?;
        removed += count;
        if count == 0 {
            return Ok(removed);
        }
    }
}
