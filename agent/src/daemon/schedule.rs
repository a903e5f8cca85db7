//! When to run full checks: at a steady rate, at an offset of the machine's own, so that a province's machines do not all report
//! together. Pure. Checks are planned by the machine's clock and due by it or by a monotonic clock, whichever comes first: neither a
//! clock set back nor sleep, during which only the machine's clock advances, may delay a check.

use std::time::Duration;

use protocol::Digest;
use tokio::time::Instant;

/// The longest sleep before checking the clock again: a suspended laptop or a corrected clock must not delay a check by
/// hours.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);

/// The next full check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    period: i64,
    phase: i64,
    next_at: i64,
    next: Instant,
}

/// The current time by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// By the machine's clock; milliseconds since 1970 UTC.
    pub(crate) at: i64,
    /// By the monotonic clock.
    pub(crate) steady: Instant,
}

impl Schedule {
    /// A schedule for `machine`; the first check is due at once.
    pub(crate) fn new(machine: &str, period: Duration, now: Now) -> Self {
        let mut schedule = Self { period: 1, phase: 0, next_at: now.at, next: now.steady };
        schedule.set_period(machine, period, now);
        schedule
    }

    /// Changes the period; a check that is already due stays due.
    pub(crate) fn set_period(&mut self, machine: &str, period: Duration, now: Now) {
        self.period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
        let digest = Digest::of(machine.as_bytes()).0;
        let spread = digest.iter().take(6).fold(0_i64, |spread, byte| spread << 8 | i64::from(*byte));
        self.phase = spread % self.period;
        if !self.is_due(now) {
            self.checked(now);
        }
    }

    /// True when a full check is due.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        now.at >= self.next_at || now.steady >= self.next
    }

    /// Notes that everything was checked at `now` and plans the next check: the machine's next slot that is at least half a
    /// period away.
    pub(crate) fn checked(&mut self, now: Now) {
        let earliest = now.at.saturating_add(self.period / 2);
        let since = (earliest - self.phase).rem_euclid(self.period);
        self.next_at = earliest.saturating_add((self.period - since) % self.period);
        self.next = now.steady + Duration::from_millis(u64::try_from(self.next_at - now.at).unwrap_or(0));
    }

    /// Runs the next check within `wait`, unless it is due sooner.
    pub(crate) fn bring_forward(&mut self, now: Now, wait: Duration) {
        let at = now.at.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.next_at = self.next_at.min(at);
        self.next = self.next.min(now.steady + wait);
    }

    /// How long to sleep before checking again.
    pub(crate) fn sleep(&self, now: Now) -> Duration {
        let left = Duration::from_millis(u64::try_from(self.next_at - now.at).unwrap_or(0));
        left.min(self.next.saturating_duration_since(now.steady)).min(LOOK_AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const PERIOD: Duration = Duration::from_secs(4 * 3600);

    /// `hours` after `start` by the monotonic clock, when the machine's clock shows `at`.
    fn now(start: Instant, hours: u64, at: i64) -> Now {
        Now { at, steady: start + Duration::from_secs(hours * 3600) }
    }

    #[test]
    fn the_first_check_is_due_at_once() {
        let start = Instant::now();
        let mut schedule = Schedule::new("m", PERIOD, now(start, 0, 100 * HOUR));
        assert!(schedule.is_due(now(start, 0, 100 * HOUR)));
        schedule.checked(now(start, 0, 100 * HOUR));
        assert!(!schedule.is_due(now(start, 0, 100 * HOUR)));
        assert_eq!(schedule.sleep(now(start, 0, 100 * HOUR)), LOOK_AGAIN);
    }

    #[test]
    fn a_clock_set_back_puts_no_check_off_and_sleep_does_not_either() {
        let start = Instant::now();
        for set_back in [1, 5, 24, 500 * 24] {
            let mut schedule = Schedule::new("m", PERIOD, now(start, 0, 1000 * HOUR));
            schedule.checked(now(start, 0, 1000 * HOUR));
            assert!(!schedule.is_due(now(start, 1, (1000 - set_back) * HOUR)), "nor is one made too soon");
            assert!(schedule.is_due(now(start, 6, (1006 - set_back) * HOUR)), "{set_back} hours");
        }
        let mut schedule = Schedule::new("m", PERIOD, now(start, 0, 1000 * HOUR));
        schedule.checked(now(start, 0, 1000 * HOUR));
        assert!(schedule.is_due(now(start, 0, 1006 * HOUR)), "the machine slept");
    }

    #[test]
    fn a_check_is_brought_forward_and_never_put_off() {
        let start = Instant::now();
        let mut schedule = Schedule::new("m", PERIOD, now(start, 0, 100 * HOUR));
        schedule.checked(now(start, 0, 100 * HOUR));
        schedule.bring_forward(now(start, 1, 101 * HOUR), Duration::from_secs(10));
        assert!(!schedule.is_due(now(start, 1, 101 * HOUR)) && schedule.is_due(now(start, 1, 101 * HOUR + 10_000)));
        schedule.bring_forward(now(start, 1, 101 * HOUR), Duration::from_secs(20));
        assert!(schedule.is_due(now(start, 1, 101 * HOUR + 10_000)));
    }

    proptest! {
        #[test]
        fn checks_keep_the_rate_and_the_hour(machine in "[a-z]{1,9}", at in 0..i64::from(u32::MAX) * 1000, hours in 1..24_i64) {
            let period = Duration::from_secs(u64::try_from(hours).unwrap() * 3600);
            let start = Instant::now();
            let mut schedule = Schedule::new(&machine, period, now(start, 0, at));
            schedule.checked(now(start, 0, at));
            let first = schedule.next_at;
            prop_assert!(first - at >= hours * HOUR / 2 && first - at <= hours * HOUR * 3 / 2);
            schedule.checked(now(start, 0, first));
            prop_assert_eq!(schedule.next_at - first, hours * HOUR);
        }
    }

    #[test]
    fn machines_are_spread() {
        let start = Instant::now();
        let phase = |number| Schedule::new(&format!("machine-{number}"), PERIOD, now(start, 0, 0)).phase / 60_000;
        let phases: std::collections::BTreeSet<i64> = (0..1000).map(phase).collect();
        assert!(phases.len() > 200, "{} different minutes of 240", phases.len());
    }
}
