//! Freezing the figures of a day (số liệu chốt): every office's grade at the stated hour. A day on which no server ran at or
//! after that hour has no figure; a mean states how many days it covers.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{clock_is_doubtful, waited};
use crate::app::App;
use crate::store::{Scope, StoreResult};

/// How often the job checks whether the day's figures are due.
const FIGURES_EVERY: Duration = Duration::from_secs(60);
/// How long a day's figures must have been due by the monotonic clock: a clock that was wrong for a minute freezes nothing.
const FIGURES_DUE: Duration = Duration::from_secs(10 * 60);
/// The hour of the day, in the time zone of the pages, from which its figures are frozen: the end of office hours.
pub const HOUR: i8 = 17;
/// Offices frozen in one transaction.
const AT_ONCE: usize = 100;

/// Freezes the figures of every day at its hour, until the server stops.
pub async fn figures_freeze(app: App, zone: TimeZone) {
    let (mut last, mut due_since) = (None, None::<(String, Duration)>);
    while waited(&app, FIGURES_EVERY).await {
        let due = day_due(app.clock.now(), &zone);
        let Some(day) = due.filter(|day| last.as_ref() != Some(day)) else {
            due_since = None;
            continue;
        };
        let steady = app.clock.steady();
        let since = match &due_since {
            Some((of, since)) if *of == day => *since,
            _ => steady,
        };
        due_since = Some((day.clone(), since));
        if steady.saturating_sub(since) < FIGURES_DUE || clock_is_doubtful(&app).await.unwrap_or(true) {
            continue;
        }
        match day_freeze(&app, &day).await {
            Ok(0) => last = Some(day),
            Ok(offices) => tracing::info!(offices, day, "figures of the day are frozen"),
            Err(error) => tracing::error!("figures of {day} could not be frozen and are tried again: {error:#}"),
        }
    }
}

/// The day whose figures are due at `now`, when it is past the hour.
pub fn day_due(now: Timestamp, zone: &TimeZone) -> Option<String> {
    let local = now.to_zoned(zone.clone());
    (local.hour() >= HOUR).then(|| local.date().to_string())
}

/// Freezes the figures of `day` for every office that has a grade and no figure of that day yet; returns how many.
///
/// # Errors
/// When the database fails; offices frozen before stay frozen.
pub async fn day_freeze(app: &App, day: &str) -> StoreResult<u64> {
    let offices = app.db.read().await?.office_list(&Scope::whole()).await?;
    let mut frozen = 0;
    for some in offices.chunks(AT_ONCE) {
        let mut tx = app.db.write().await?;
        for office in some {
            let Some(stored) = tx.office_grade_get(&office.id).await? else { continue };
            let figure = stored.freeze(day, app.clock.now_ms())?;
            frozen += u64::from(tx.office_day_insert(&figure).await?);
        }
        tx.commit().await?;
    }
    Ok(frozen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_due_from_the_hour_on_by_the_calendar_of_the_pages() {
        let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
        let at = |text: &str| day_due(text.parse().unwrap(), &zone);
        assert_eq!(at("2026-11-22T09:59:59Z"), None, "16:59 in Viet Nam");
        assert_eq!(at("2026-11-22T10:00:00Z").as_deref(), Some("2026-11-22"));
        assert_eq!(at("2026-11-22T16:59:00Z").as_deref(), Some("2026-11-22"));
        assert_eq!(at("2026-11-22T17:00:00Z"), None, "the next day has begun");
    }
}
