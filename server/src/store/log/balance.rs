//! Two long lists that should hold the same, compared without being held: what the leaves are about, and the records. Every entry adds a
//! random-looking number to one of many sums, or takes it away; where both lists hold the same, all sums end at zero.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

/// Sums. The entries of one that differs are few enough to be held: one in 65,536.
const SUMS: usize = 1 << 16;
/// Sums that are looked into when they differ: enough to name a difference.
const LOOKED_INTO: usize = 16;

/// The sums, under keys that are new in every run: nobody can choose entries that cancel each other.
pub(super) struct Balance {
    keys: [RandomState; 2],
    sums: Vec<u128>,
}

impl Default for Balance {
    fn default() -> Self {
        Self { keys: [RandomState::new(), RandomState::new()], sums: vec![0; SUMS] }
    }
}

impl Balance {
    /// The number of an entry.
    fn number(&self, entry: &str) -> u128 {
        let [high, low] = self.keys.each_ref().map(|key| key.hash_one(entry));
        u128::from(high) << 64 | u128::from(low)
    }

    /// The sum that an entry belongs to.
    fn place(number: u128) -> usize {
        usize::try_from(number % SUMS as u128).unwrap_or(0)
    }

    /// An entry of the one list.
    pub(super) fn add(&mut self, entry: &str) {
        let number = self.number(entry);
        let sum = &mut self.sums[Self::place(number)];
        *sum = sum.wrapping_add(number);
    }

    /// An entry of the other list.
    pub(super) fn take(&mut self, entry: &str) {
        let number = self.number(entry);
        let sum = &mut self.sums[Self::place(number)];
        *sum = sum.wrapping_sub(number);
    }

    /// Some of the sums in which the lists differ; none when they hold the same.
    pub(super) fn differing(&self) -> BTreeSet<usize> {
        let places = self.sums.iter().enumerate().filter(|(_, sum)| **sum != 0).map(|(place, _)| place);
        places.take(LOOKED_INTO).collect()
    }

    /// Whether an entry belongs to one of these sums.
    pub(super) fn is_in(&self, places: &BTreeSet<usize>, entry: &str) -> bool {
        places.contains(&Self::place(self.number(entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_the_same_entries_balance_in_any_order_and_others_do_not() {
        let entries: Vec<String> = (0..10_000).map(|number| format!("audit {number}")).collect();
        let mut balance = Balance::default();
        entries.iter().for_each(|entry| balance.add(entry));
        entries.iter().rev().skip(1).for_each(|entry| balance.take(entry));
        let differing = balance.differing();
        assert_eq!(differing.len(), 1);
        assert!(balance.is_in(&differing, "audit 9999"));
        balance.take("audit 9999");
        assert!(balance.differing().is_empty());
        balance.take("audit 7");
        assert!(!balance.differing().is_empty(), "one stands twice");
    }
}
