//! What is worked out once and stays true while its sources are the same files with their time and size.

use std::sync::{Mutex, PoisonError};

use os::Stat;

/// One answer between two checks. Never written to disk.
#[derive(Debug)]
pub(super) struct Memory<T>(Mutex<Option<(Fingerprint, T)>>);

/// Which file every source of an answer is, with its time and size, in order; `None` where there is none.
pub(super) type Fingerprint = Vec<(String, Option<Stat>)>;

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Memory<T> {
    /// The answer, remembered while `fingerprint` stays the same, else worked out by `work`.
    pub(super) fn recall(&self, fingerprint: Fingerprint, work: impl FnOnce() -> T) -> T {
        if let Some((known, answer)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == fingerprint
        {
            return answer.clone();
        }
        let answer = work();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((fingerprint, answer.clone()));
        answer
    }
}
