//! How long the server has not answered. Pure; works on the machine's clock, which may jump.

/// After so many milliseconds somebody should know.
const LONG: i64 = 24 * 60 * 60 * 1000;
/// One hour in milliseconds.
const HOUR: i64 = 60 * 60 * 1000;

/// Since when there was no answer. Begins anew with the program: a machine that was switched off is no server that is away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    since: i64,
    told: bool,
}

impl Silence {
    /// Nobody was asked yet.
    pub(super) fn new(now: i64) -> Self {
        Self { since: now, told: false }
    }

    /// The server answered.
    pub(super) fn ended(&mut self, now: i64) {
        *self = Self::new(now);
    }

    /// The server did not answer. Whole hours of silence when it has just become long; once.
    pub(super) fn goes_on(&mut self, now: i64) -> Option<i64> {
        // A clock that was set back tells nothing about what was before.
        self.since = self.since.min(now);
        let long = now - self.since >= LONG && !self.told;
        self.told |= long;
        long.then_some((now - self.since) / HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_silence_is_told_once_until_it_ends() {
        let mut silence = Silence::new(0);
        assert_eq!(silence.goes_on(LONG - 1), None);
        assert_eq!(silence.goes_on(LONG + HOUR), Some(25));
        assert_eq!(silence.goes_on(2 * LONG), None);
        silence.ended(2 * LONG);
        assert_eq!(silence.goes_on(3 * LONG), Some(24));
    }

    #[test]
    fn a_clock_set_back_is_no_silence() {
        let mut silence = Silence::new(10 * LONG);
        assert_eq!(silence.goes_on(LONG), None);
        assert_eq!(silence.goes_on(LONG + HOUR), None);
    }
}
