//! The only place where the server asks for the time. Everything else takes a [`Clock`] or an instant.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// The time as the server knows it: the system's, or one that a test moves by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The clock of the operating system.
    System,
    /// A clock that stands still until [`Clock::advance`] moves it; milliseconds since 1970 in UTC.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `millis` (milliseconds since 1970 in UTC).
    pub fn fixed(millis: i64) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(millis)))
    }

    /// Now, in milliseconds since 1970 in UTC: the form of the store and the wire.
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => self.now().as_millisecond(),
            Self::Fixed(millis) => millis.load(Ordering::SeqCst),
        }
    }

    /// Now, as an instant for calendar arithmetic.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System =>
            {
                #[expect(clippy::disallowed_methods, reason = "this is the server's clock")]
                Timestamp::now()
            }
            Self::Fixed(millis) => Timestamp::from_millisecond(millis.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX),
        }
    }

    /// Moves a fixed clock forward by `millis`; the system's clock is left alone.
    pub fn advance(&self, millis: i64) {
        if let Self::Fixed(now) = self {
            now.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn a_fixed_clock_moves_only_by_hand() {
        let clock = Clock::fixed(1_000);
        assert_eq!(clock.now_ms(), 1_000);
        clock.advance(500);
        assert_eq!(clock.now_ms(), 1_500);
        assert_eq!(clock.now().as_millisecond(), 1_500);
    }
}
