//! Counts by key, a bounded number of them.

use std::collections::HashMap;
use std::time::Duration;

use super::WINDOW;
use super::sum::{Owner, Subject, Sum};

/// Keys in one table: a few hundred bytes each.
const MOST: usize = 4096;

/// What is counted for one address, account, pair or browser.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    /// Until when its checks are used up; see [`super::pace::Pace`].
    pub(super) line: Duration,
    /// Wrong passwords in this period.
    pub(super) wrong: u64,
    /// Attempts that were not checked, in this period.
    pub(super) refused: u64,
    /// How many of both were reported.
    told: u64,
    /// When the period began.
    began: Duration,
    /// When it last counted something.
    pub(super) last: Duration,
    /// Whose account it is, and the last address.
    pub(super) owner: Option<Owner>,
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<String, Count>);

impl Table {
    /// The count of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Count> {
        self.0.get(key)
    }

    /// The count of a key, unless it has expired.
    pub(super) fn get_fresh(&self, key: &str, now: Duration) -> Option<&Count> {
        self.0.get(key).filter(|count| !count.is_over(now))
    }

    /// The count of a key, to be changed.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Count> {
        self.0.get_mut(key)
    }

    /// Forgets a key.
    pub(super) fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// The count of a key, started again if it has expired. In a full table it replaces expired keys, else the key with the fewest mistakes.
    pub(super) fn entry(&mut self, key: &str, now: Duration) -> &mut Count {
        if self.0.len() >= MOST && !self.0.contains_key(key) {
            self.0.retain(|_, count| !count.is_over(now) || count.is_untold());
        }
        if self.0.len() >= MOST && !self.0.contains_key(key) {
            let least = self.0.iter().min_by_key(|(_, count)| count.wrong).map(|(key, _)| key.clone());
            least.and_then(|key| self.0.remove(&key));
        }
        let count = self.0.entry(key.to_owned()).or_insert_with(|| Count { began: now, last: now, ..Count::default() });
        if count.is_over(now) && !count.is_untold() {
            *count = Count { line: count.line, began: now, last: now, ..Count::default() };
        }
        count
    }

    /// Closes ended periods (all of them when the server `ends`) and returns what to report for those with at least `from` attempts.
    pub(super) fn close(
        &mut self,
        now: Duration,
        ends: bool,
        from: u64,
        subject: impl Fn(&str, &Count) -> Option<Subject>,
    ) -> Vec<Sum> {
        let mut sums = Vec::new();
        for (key, count) in &mut self.0 {
            if !ends && now.saturating_sub(count.began) < WINDOW {
                continue;
            }
            if count.wrong >= from && count.is_untold() {
                sums.extend(subject(key, count).map(|subject| count.sum(subject)));
            }
            *count = Count { line: count.line, began: now, last: count.last, ..Count::default() };
        }
        self.0.retain(|_, count| count.line > now || !count.is_over(now));
        sums
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Count {
    /// Counts a wrong password.
    pub(super) fn mistake(&mut self, now: Duration) {
        self.wrong += 1;
        self.last = now;
    }

    /// True when it last counted so long ago that it is forgotten.
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.last) >= WINDOW
    }

    /// True when there is more than was reported.
    fn is_untold(&self) -> bool {
        self.told > 0 && self.wrong + self.refused > self.told
    }

    /// What to report when the mistakes have just reached `from`.
    pub(super) fn begun(&mut self, from: u64, subject: Subject) -> Option<Sum> {
        if self.told > 0 || self.wrong < from {
            return None;
        }
        self.told = self.wrong + self.refused;
        Some(self.sum(subject))
    }

    fn sum(&self, subject: Subject) -> Sum {
        Sum { subject, wrong: self.wrong, refused: self.refused }
    }
}
