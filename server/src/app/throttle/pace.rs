//! The pace of password checks: some at once, then one per step. For strangers by address and by account; for known browsers and sessions
//! by their own mistakes.
//!
//! At this pace an attacker has 86,400 guesses a day at one account, wherever they come from, and 345,600 from one address at all accounts
//! together; a password of twelve characters is not guessed that way. A slower pace would be worse: a newcomer behind an attacker's
//! address is drawn once per as many steps as the attacker has connections.

use std::time::Duration;

use super::WINDOW;

/// Checks for one address, behind which a whole office may sit.
pub(super) const ADDRESS: Pace = Pace { free: 20, step: Duration::from_millis(250) };

/// Checks for one account, wherever they come from.
pub(super) const ACCOUNT: Pace = Pace { free: 10, step: Duration::from_secs(1) };

/// How many checks are free, and the time between the next ones. A `line` is the instant until which checks are used up.
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

    /// Uses up one check.
    pub(super) fn take(self, line: &mut Duration, now: Duration) {
        *line = (*line).max(now) + self.step;
    }

    /// Gives one back.
    pub(super) fn give_back(self, line: &mut Duration) {
        *line = line.saturating_sub(self.step);
    }
}

/// This many own mistakes cost no waiting.
const OWN_FREE: u64 = 5;

/// The first wait for own mistakes; each further one doubles it.
const OWN_FIRST: Duration = Duration::from_secs(30);

/// How long after `now` the next attempt is allowed, after `wrong` own mistakes, the newest at `last`; `None` when at once.
pub(super) fn own_wait(wrong: u64, last: Duration, now: Duration) -> Option<Duration> {
    let beyond = u32::try_from(wrong.checked_sub(OWN_FREE)?.min(10)).unwrap_or(10);
    let wait = OWN_FIRST.saturating_mul(1 << beyond).min(WINDOW);
    let left = (last + wait).saturating_sub(now);
    (!left.is_zero()).then_some(left)
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

    #[test]
    fn five_own_mistakes_are_free_and_then_each_costs_twice_the_last() {
        let now = Duration::from_secs(1_000_000);
        assert_eq!(own_wait(0, now, now), None);
        assert_eq!(own_wait(4, now, now), None);
        assert_eq!(own_wait(5, now, now), Some(OWN_FIRST));
        assert_eq!(own_wait(6, now, now), Some(2 * OWN_FIRST));
        assert_eq!(own_wait(6, now, now + 2 * OWN_FIRST), None);
        assert_eq!(own_wait(500, now, now), Some(WINDOW));
    }
}
