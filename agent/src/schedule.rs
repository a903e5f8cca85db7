//! When everything is checked: at a steady rate, at an hour of the machine's own, so that the machines of a province do not
//! all report together. Pure; works on the machine's clock, which may jump.

use std::time::Duration;

use protocol::Digest;

/// The longest sleep before the clock is looked at again: a suspended laptop or a corrected clock must not delay a check by
/// hours.
pub const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);

/// The next full check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    period: i64,
    phase: i64,
    next_at: i64,
}

impl Schedule {
    /// A schedule for `machine`; the first check is due at once. Times are milliseconds since 1970 UTC.
    pub fn new(machine: &str, period: Duration, now: i64) -> Self {
        let mut schedule = Self { period: 1, phase: 0, next_at: now };
        schedule.set_period(machine, period, now);
        schedule
    }

    /// Changes the period; a check that is due stays due.
    pub fn set_period(&mut self, machine: &str, period: Duration, now: i64) {
        self.period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
        let digest = Digest::of(machine.as_bytes()).0;
        let spread = digest.iter().take(6).fold(0_i64, |spread, byte| spread << 8 | i64::from(*byte));
        self.phase = spread % self.period;
        if self.next_at > now {
            self.checked(now);
        }
    }

    /// True when a full check is due, also when the clock was set back so far that the plan makes no sense any more.
    pub fn is_due(&self, now: i64) -> bool {
        now >= self.next_at || self.next_at - now > 2 * self.period
    }

    /// Notes that everything was checked at `now` and plans the next: the machine's next hour that is at least half a period
    /// away.
    pub fn checked(&mut self, now: i64) {
        let earliest = now.saturating_add(self.period / 2);
        let since = (earliest - self.phase).rem_euclid(self.period);
        self.next_at = earliest.saturating_add((self.period - since) % self.period);
    }

    /// Checks everything within `wait`, unless it is due before.
    pub fn bring_forward(&mut self, now: i64, wait: Duration) {
        let at = now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.next_at = self.next_at.min(at);
    }

    /// How long to sleep before looking again.
    pub fn sleep(&self, now: i64) -> Duration {
        let left = u64::try_from(self.next_at - now).unwrap_or(0);
        Duration::from_millis(left).min(LOOK_AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn the_first_check_is_due_at_once_and_a_clock_set_back_makes_one_due() {
        let mut schedule = Schedule::new("m", Duration::from_secs(4 * 3600), 100 * HOUR);
        assert!(schedule.is_due(100 * HOUR));
        schedule.checked(100 * HOUR);
        assert!(!schedule.is_due(100 * HOUR));
        assert!(schedule.is_due(0));
        assert_eq!(schedule.sleep(100 * HOUR), LOOK_AGAIN);
    }

    #[test]
    fn a_check_is_brought_forward_and_never_put_off() {
        let mut schedule = Schedule::new("m", Duration::from_secs(4 * 3600), 100 * HOUR);
        schedule.checked(100 * HOUR);
        schedule.bring_forward(101 * HOUR, Duration::from_secs(10));
        assert!(!schedule.is_due(101 * HOUR) && schedule.is_due(101 * HOUR + 10_000));
        schedule.bring_forward(101 * HOUR, Duration::from_secs(20));
        assert!(schedule.is_due(101 * HOUR + 10_000));
    }

    proptest! {
        #[test]
        fn checks_keep_the_rate_and_the_hour(machine in "[a-z]{1,9}", now in 0..i64::from(u32::MAX) * 1000, hours in 1..24_i64) {
            let period = Duration::from_secs(u64::try_from(hours).unwrap() * 3600);
            let mut schedule = Schedule::new(&machine, period, now);
            schedule.checked(now);
            let first = schedule.next_at;
            prop_assert!(first - now >= hours * HOUR / 2 && first - now <= hours * HOUR * 3 / 2);
            schedule.checked(first);
            prop_assert_eq!(schedule.next_at - first, hours * HOUR);
        }
    }

    #[test]
    fn machines_are_spread() {
        let period = Duration::from_secs(4 * 3600);
        let phases: std::collections::BTreeSet<i64> =
            (0..1000).map(|number| Schedule::new(&format!("machine-{number}"), period, 0).phase / 60_000).collect();
        assert!(phases.len() > 200, "{} different minutes of 240", phases.len());
    }
}
