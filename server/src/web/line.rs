//! A line in which nobody may hold more than a few places: counts by key, and a place that frees itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts places by key.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    most: usize,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// One place; free again when dropped.
#[derive(Debug)]
pub(crate) struct PlaceInLine {
    line: Line,
    key: String,
}

impl Line {
    /// A line with at most `most` places for each key.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// Takes a place; none when `key` has them all.
    pub(crate) fn enter(&self, key: String) -> Option<PlaceInLine> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(key.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(PlaceInLine { line: self.clone(), key })
    }
}

impl Drop for PlaceInLine {
    fn drop(&mut self) {
        let mut taken = self.line.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_more_than_a_few_places_and_each_frees_itself() {
        let line = Line::new(2);
        let places: Vec<_> = (0..2).map(|_| line.enter("a".to_owned()).unwrap()).collect();
        assert!(line.enter("a".to_owned()).is_none() && line.enter("b".to_owned()).is_some());
        drop(places);
        assert!(line.taken.lock().unwrap().is_empty());
    }
}
