//! How long the server has not answered. Pure; works on a clock that nobody sets and that stands still while the machine sleeps.

use std::time::Duration;

use tokio::time::Instant;

/// After so long somebody should know.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// One hour in seconds.
const HOUR: u64 = 60 * 60;

/// Since when there was no answer. Begins anew with the program: a machine that was switched off is no server that is away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    since: Instant,
    told: bool,
}

impl Silence {
    /// Nobody was asked yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, told: false }
    }

    /// The server answered.
    pub(super) fn ended(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// The server did not answer. Whole hours of silence when it has just become long; once.
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
