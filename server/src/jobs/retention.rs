//! Deletes section bodies older than the retention of their section. Signed headers with their digests stay, so every chain
//! still verifies; the current body of a section is never deleted.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use crate::config::retention::Retention;
use crate::store::{Db, StoreResult};

/// Bodies deleted in one transaction, so that reports do not wait long.
const AT_ONCE: i64 = 500;

/// Deletes bodies expired at `now`; returns how many. Call once a day.
///
/// # Errors
/// When the database fails; bodies already deleted stay deleted.
pub async fn retention_apply(db: &Db, retention: &Retention, now: Timestamp) -> StoreResult<u64> {
    let sections = db.read().await?.body_sections().await?;
    let mut deleted = 0;
    for section in sections {
        let months = i64::from(retention.months_of(&section));
        let before = now.to_zoned(TimeZone::UTC).saturating_sub(months.months()).timestamp().as_millisecond();
        loop {
            let mut tx = db.write().await?;
            let count = tx.body_prune(&section, before, AT_ONCE).await?;
            tx.commit().await?;
            deleted += count;
            if count == 0 {
                break;
            }
        }
    }
    if deleted > 0 {
        tracing::info!(deleted, "deleted section bodies that were kept long enough");
    }
    Ok(deleted)
}
