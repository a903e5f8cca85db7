//! Caches an answer for as long as its source files keep their time and size.

use std::sync::{Mutex, PoisonError};

use os::Stat;

/// One cached answer. Never written to disk.
#[derive(Debug)]
pub(super) struct Memory<T>(Mutex<Option<(Fingerprint, T)>>);

/// The identity, time and size of every source file of an answer, in order; `None` for a missing file.
pub(super) type Fingerprint = Vec<(String, Option<Stat>)>;

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Memory<T> {
    /// The cached answer if `fingerprint` is unchanged, else the result of `work`.
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
