//! The pace of password checks of strangers: some at once, then one a step, the rest in line.
//!
//! A step must be short enough that all computers of one office which guess at the same time, and a colleague among them, have their
//! turns within the patience; at this pace a password of twelve characters is not guessed either.

use std::time::Duration;

/// Checks for one address, behind which a whole office may sit.
pub(super) const ADDRESS: Pace = Pace { free: 20, step: Duration::from_millis(500) };

/// Checks for one account, wherever they come from.
pub(super) const ACCOUNT: Pace = Pace { free: 10, step: Duration::from_secs(1) };

/// How long a try may wait in line.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long one may wait from an address with mistakes at the same account: the rest of the line is left to others.
pub(super) const PATIENCE_AGAIN: Duration = Duration::from_secs(5);

/// With so many mistakes a connection waits no more, but comes again; an address counts as one with mistakes at an account.
pub(super) const BURNED: u64 = 3;

/// How many checks are free, and the time between the next ones. A line is the instant until which its checks are taken up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    free: u32,
    step: Duration,
}

impl Pace {
    /// How long after `now` the next check may be.
    pub(super) fn wait(self, line: Duration, now: Duration) -> Duration {
        line.saturating_sub(self.step * (self.free - 1)).saturating_sub(now)
    }

    /// Takes up one check.
    pub(super) fn take(self, line: &mut Duration, now: Duration) {
        *line = (*line).max(now) + self.step;
    }

    /// Gives one back.
    pub(super) fn give_back(self, line: &mut Duration) {
        *line = line.saturating_sub(self.step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_free_and_then_there_is_one_a_step() {
        let (pace, now) = (Pace { free: 3, step: Duration::from_secs(1) }, Duration::from_secs(100));
        let mut line = Duration::ZERO;
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(pace.wait(line, now).as_secs());
            pace.take(&mut line, now);
        }
        assert_eq!(waits, [0, 0, 0, 1, 2]);
        assert_eq!(pace.wait(line, now + Duration::from_secs(3)).as_secs(), 0);
        pace.give_back(&mut line);
        assert_eq!(pace.wait(line, now).as_secs(), 2);
        // After a rest all are free again.
        assert!(pace.wait(line, now + Duration::from_secs(60)).is_zero());
    }
}
