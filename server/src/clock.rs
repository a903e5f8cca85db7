//! The only place where the server asks for the time. Everything else takes a [`Clock`] or an instant.

use std::sync::LazyLock;
#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The latest time the server handles, the end of the year 9998; milliseconds since 1970 in UTC. A clock may be set beyond it, but
/// from there a time a few months later could not be written with a four-digit year.
const LATEST: i64 = 253_370_764_799_999;

/// The time as the server knows it: the system's, or one that a test moves by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The clock of the operating system.
    System,
    /// A clock that is fixed until [`Clock::advance`] moves it; milliseconds since 1970 in UTC.
    #[cfg(test)]
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock fixed at `millis` (milliseconds since 1970 in UTC).
    #[cfg(test)]
    pub fn fixed(millis: i64) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(millis)))
    }

    /// Now, in milliseconds since 1970 in UTC: the form of the store and the wire.
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the server's clock")]
                let now = SystemTime::now();
                since_1970(now).min(LATEST)
            }
            #[cfg(test)]
            Self::Fixed(millis) => millis.load(Ordering::SeqCst),
        }
    }

    /// Now, as an instant for calendar arithmetic.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms()).unwrap_or(Timestamp::MAX)
    }

    /// The time since some moment before, unaffected by setting the clock: for rates and deadlines.
    pub fn steady(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => START.elapsed(),
            #[cfg(test)]
            Self::Fixed(millis) => Duration::from_millis(millis.load(Ordering::SeqCst).unsigned_abs()),
        }
    }

    /// Waits. A fixed clock only moves by hand, so waiting on it returns at once.
    pub async fn sleep(&self, time: Duration) {
        match self {
            Self::System => tokio::time::sleep(time).await,
            #[cfg(test)]
            Self::Fixed(_) => tokio::task::yield_now().await,
        }
    }

    /// Moves a fixed clock forward by `millis`; the system's clock is left alone.
    #[cfg(test)]
    pub fn advance(&self, millis: i64) {
        if let Self::Fixed(now) = self {
            now.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

/// Milliseconds; zero for a clock before 1970.
fn since_1970(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_behind_the_end_of_the_calendar_stands_still_at_the_last_time_that_can_be_written() {
        let far = UNIX_EPOCH + Duration::from_secs(400_000_000_000);
        assert!(since_1970(far) > LATEST);
        assert_eq!(Timestamp::from_millisecond(LATEST).unwrap().to_string(), "9998-12-31T23:59:59.999Z");
        assert_eq!(since_1970(UNIX_EPOCH - Duration::from_secs(5)), 0);
        let clock = Clock::fixed(i64::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }

    #[test]
    fn a_fixed_clock_moves_only_by_hand() {
        let clock = Clock::fixed(1_000);
        assert_eq!(clock.now_ms(), 1_000);
        clock.advance(500);
        assert_eq!(clock.now_ms(), 1_500);
        assert_eq!(clock.now().as_millisecond(), 1_500);
    }
}
