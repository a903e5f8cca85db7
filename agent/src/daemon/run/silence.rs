//! How long the server has not answered. Pure; uses a monotonic clock that stops while the machine sleeps.

use std::time::Duration;

use tokio::time::Instant;

/// After this long, somebody should know.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// One hour in seconds.
const HOUR: u64 = 60 * 60;

/// Since when there has been no answer. Starts over with the program: while a machine is off, its server is not
/// unreachable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    since: Instant,
    told: bool,
}

impl Silence {
    /// Nothing has been asked yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, told: false }
    }

    /// The server answered.
    pub(super) fn ended(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// The server did not answer. Returns the whole hours of silence once, when it has just become long.
    pub(super) fn goes_on(&mut self, now: Instant) -> Option<u64> {
        let silent = now.saturating_duration_since(self.since);
        let long = silent >= LONG && !self.told;
        self.told |= long;
        long.then_some(silent.as_secs() / HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_silence_is_told_once_until_it_ends() {
        let start = Instant::now();
        let hours = |hours: u64| start + Duration::from_secs(hours * HOUR);
        let mut silence = Silence::new(start);
        assert_eq!(silence.goes_on(hours(23)), None);
        assert_eq!(silence.goes_on(hours(25)), Some(25));
        assert_eq!(silence.goes_on(hours(48)), None);
        silence.ended(hours(48));
        assert_eq!(silence.goes_on(hours(72)), Some(24));
    }
}
