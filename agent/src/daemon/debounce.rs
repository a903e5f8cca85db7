//! When to look at a changed file: once it is quiet for a moment, soon even if it is not, and rarely if it never is. Pure;
//! time is a parameter.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// A change is due when nothing followed for this long (an editor writes in several steps) ...
const QUIET: Duration = Duration::from_millis(300);
/// ... and at the latest this long after it was first seen.
const LATEST: Duration = Duration::from_millis(1200);
/// This many looks are free, ...
const FREE: u32 = 30;
/// ... then one more per period of this length.
const ONE_MORE: Duration = Duration::from_secs(60);

/// Pending changes, by what changed.
#[derive(Debug)]
pub(crate) struct Debounce<K> {
    waiting: BTreeMap<K, Seen>,
    allowance: BTreeMap<K, Allowance>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    first: Instant,
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: u32,
    since: Instant,
}

impl<K: Copy + Ord> Debounce<K> {
    /// No changes yet.
    pub(crate) fn new() -> Self {
        Self { waiting: BTreeMap::new(), allowance: BTreeMap::new() }
    }

    /// Notes a change of `key`.
    pub(crate) fn note(&mut self, key: K, now: Instant) {
        self.waiting.entry(key).or_insert(Seen { first: now, last: now }).last = now;
    }

    /// What is due now; each key is returned once.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<K> {
        let due: Vec<K> =
            self.waiting.keys().copied().filter(|key| self.at(*key).is_some_and(|at| at <= now)).collect();
        for key in &due {
            self.waiting.remove(key);
            self.spend(*key, now);
        }
        due
    }

    /// When the next key is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.waiting.keys().filter_map(|key| self.at(*key)).min()
    }

    fn at(&self, key: K) -> Option<Instant> {
        let seen = self.waiting.get(&key)?;
        let settled = (seen.last + QUIET).min(seen.first + LATEST);
        Some(match self.allowance.get(&key) {
            Some(Allowance { left: 0, since }) => settled.max(*since + ONE_MORE),
            _ => settled,
        })
    }

    fn spend(&mut self, key: K, now: Instant) {
        let allowance = self.allowance.entry(key).or_insert(Allowance { left: FREE, since: now });
        let earned = now.duration_since(allowance.since).as_secs() / ONE_MORE.as_secs();
        if earned > 0 {
            allowance.left = allowance.left.saturating_add(u32::try_from(earned).unwrap_or(FREE)).min(FREE);
            allowance.since = now;
        }
        allowance.left = allowance.left.saturating_sub(1);
    }
}

impl<K: Copy + Ord> Default for Debounce<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_is_looked_at_once_it_is_quiet() {
        let start = Instant::now();
        let mut debounce = Debounce::new();
        assert_eq!(debounce.next(), None);
        debounce.note('a', start);
        debounce.note('a', start + QUIET / 2);
        assert_eq!(debounce.next(), Some(start + QUIET / 2 + QUIET));
        assert!(debounce.due(start + QUIET).is_empty());
        assert_eq!(debounce.due(start + QUIET * 2), ['a']);
        assert_eq!(debounce.next(), None);
    }

    #[test]
    fn a_file_that_is_never_quiet_is_looked_at_soon_and_then_seldom() {
        let start = Instant::now();
        let mut debounce = Debounce::new();
        let mut looks = Vec::new();
        let step = Duration::from_millis(100);
        for tick in 0..10 * 60 * 10 {
            let now = start + step * tick;
            debounce.note('a', now);
            looks.extend(debounce.due(now).iter().map(|_| now - start));
        }
        assert_eq!(looks[0], LATEST);
        let free = usize::try_from(FREE).unwrap();
        assert!(looks[free - 1] < ONE_MORE);
        // Ten minutes in all: the free ones, and one a minute.
        assert!(looks.len() <= free + 10, "{} looks", looks.len());
        assert!(looks.len() >= free + 8, "{} looks", looks.len());
    }

    #[test]
    fn one_flapping_file_does_not_delay_another() {
        let start = Instant::now();
        let mut debounce = Debounce::new();
        for tick in 0..600 {
            let now = start + Duration::from_millis(100) * tick;
            debounce.note('a', now);
            debounce.due(now);
        }
        let now = start + Duration::from_secs(60);
        debounce.note('b', now);
        assert_eq!(debounce.due(now + QUIET), ['b']);
    }
}
