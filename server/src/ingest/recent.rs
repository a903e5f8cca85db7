//! What was used last, by machine: bounded, the oldest half is dropped at once.

use std::collections::HashMap;

/// Values by machine id, at most [`Recent::MOST`].
#[derive(Debug)]
pub(super) struct Recent<V> {
    young: HashMap<String, V>,
    old: HashMap<String, V>,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<V> Recent<V> {
    /// Values kept.
    pub(super) const MOST: usize = 4096;

    /// Takes out the value of a machine.
    pub(super) fn take(&mut self, machine: &str) -> Option<V> {
        self.young.remove(machine).or_else(|| self.old.remove(machine))
    }

    /// Keeps the value of a machine.
    pub(super) fn put(&mut self, machine: String, value: V) {
        if self.young.len() >= Self::MOST / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(machine, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_last_is_there_and_no_more_than_allowed() {
        let mut recent = Recent::default();
        for machine in 0..Recent::<usize>::MOST * 3 {
            recent.put(machine.to_string(), machine);
        }
        assert!(recent.young.len() + recent.old.len() <= Recent::<usize>::MOST);
        let last = Recent::<usize>::MOST * 3 - 1;
        assert_eq!(recent.take(&last.to_string()), Some(last));
        assert_eq!(recent.take(&last.to_string()), None);
    }
}
