//! What is worked out once and stays true while its sources are the same files with their time and size.

use std::sync::{Mutex, PoisonError};

use os::Stat;

/// The agent's memory between two checks. Never written to disk.
#[derive(Debug, Default)]
pub(super) struct Memory {
    updates: Mutex<Option<(Fingerprint, super::patches::Updates)>>,
}

/// Which file every source of an answer is, with its time and size, in order; `None` where there is none.
pub(super) type Fingerprint = Vec<(String, Option<Stat>)>;

impl Memory {
    /// The pending updates, remembered while `fingerprint` stays the same, else worked out by `work`.
    pub(super) fn updates(
        &self,
        fingerprint: Fingerprint,
        work: impl FnOnce() -> super::patches::Updates,
    ) -> super::patches::Updates {
        if let Some((known, updates)) = &*self.updates.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == fingerprint
        {
            return updates.clone();
        }
        let updates = work();
        *self.updates.lock().unwrap_or_else(PoisonError::into_inner) = Some((fingerprint, updates.clone()));
        updates
    }
}
