//! What was used last, by machine: bounded, the oldest half is dropped at once.

use std::collections::HashMap;

/// Values by machine id, at most so many.
#[derive(Debug)]
pub(super) struct Recent<V> {
    most: usize,
    young: HashMap<String, V>,
    old: HashMap<String, V>,
}

impl<V> Recent<V> {
    /// At most `most` values.
    pub(super) fn new(most: usize) -> Self {
        Self { most, young: HashMap::new(), old: HashMap::new() }
    }

    /// Takes out the value of a machine.
    pub(super) fn take(&mut self, machine: &str) -> Option<V> {
        self.young.remove(machine).or_else(|| self.old.remove(machine))
    }

    /// Keeps the value of a machine.
    pub(super) fn put(&mut self, machine: String, value: V) {
        if self.young.len() >= self.most / 2 {
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
        let mut recent = Recent::new(100);
        for machine in 0..300 {
            recent.put(machine.to_string(), machine);
        }
        assert!(recent.young.len() + recent.old.len() <= 100);
        let last = 299;
        assert_eq!(recent.take(&last.to_string()), Some(last));
        assert_eq!(recent.take(&last.to_string()), None);
    }
}
