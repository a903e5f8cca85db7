//! Deletes section bodies that are older than their section is kept. Signed headers with their digests stay, so every chain
//! still verifies; the current body of a section is never deleted.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use crate::store::{Db, StoreResult};

/// Bodies deleted in one transaction, so that reports never wait long.
const AT_ONCE: i64 = 500;

/// How long bodies are kept, in months.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Every section but those below. Default 12.
    pub months: u32,
    /// Accounts. Default 6.
    pub accounts_months: u32,
    /// Devices on the same network. Default 6.
    pub neighbours_months: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { months: 12, accounts_months: 6, neighbours_months: 6 }
    }
}

impl Retention {
    /// Months that bodies of `section` are kept.
    pub fn months_of(&self, section: &str) -> u32 {
        match section {
            "accounts" => self.accounts_months,
            "neighbours" => self.neighbours_months,
            _ => self.months,
        }
    }
}

/// Deletes what is over at `now`; returns how many bodies. To be called once a day.
///
/// # Errors
/// When the database fails; what was deleted before stays deleted.
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
