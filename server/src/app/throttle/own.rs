//! How a browser that is known, or a session, waits for its own mistakes.

use std::time::Duration;

use super::WINDOW;

/// So many wrong passwords cost no waiting.
const FREE: u64 = 5;

/// The first wait; each further mistake doubles it.
const FIRST: Duration = Duration::from_secs(30);

/// How long after `now` the next try may come, after `wrong` mistakes, the newest at `last`; none when it may come at once.
pub(super) fn wait(wrong: u64, last: Duration, now: Duration) -> Option<Duration> {
    let beyond = u32::try_from(wrong.checked_sub(FREE)?.min(10)).unwrap_or(10);
    let wait = FIRST.saturating_mul(1 << beyond).min(WINDOW);
    let left = (last + wait).saturating_sub(now);
    (!left.is_zero()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_mistakes_are_free_and_then_each_costs_twice_the_last() {
        let now = Duration::from_secs(1_000_000);
        assert_eq!(wait(0, now, now), None);
        assert_eq!(wait(4, now, now), None);
        assert_eq!(wait(5, now, now), Some(FIRST));
        assert_eq!(wait(6, now, now), Some(2 * FIRST));
        assert_eq!(wait(6, now, now + 2 * FIRST), None);
        assert_eq!(wait(500, now, now), Some(WINDOW));
    }
}
