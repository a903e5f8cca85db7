//! The few events that an officer should find at the machine without knowing where our log is: on Windows in the Application log,
//! with the service's name as source. On Linux the journal already has every line of our log.

use std::sync::atomic::{AtomicBool, Ordering};

pub use super::entry::Entry;
use super::entry::Gravity;

/// Records the event: one line in our log, and an entry in the Windows event log when running as a service.
pub fn enter(entry: &Entry) {
    if let Entry::AccessRepaired { .. } = entry {
        REPAIRED.store(true, Ordering::Relaxed);
    }
    let text = entry.text();
    match entry.gravity() {
        Gravity::Information => tracing::info!(number = entry.number(), "{}", text.en),
        Gravity::Warning => tracing::warn!(number = entry.number(), "{}", text.en),
        Gravity::Error => tracing::error!(number = entry.number(), "{}", text.en),
    }
    #[cfg(windows)]
    if IN_EVENT_LOG.load(Ordering::Relaxed)
        && let Err(error) = crate::platform::windows::event_log::write(entry)
    {
        tracing::warn!(%error, "the event log does not take it");
    }
}

static REPAIRED: AtomicBool = AtomicBool::new(false);

/// True when access to the agent's folder had to be repaired since the program started: the server is told as well.
pub fn was_repaired() -> bool {
    REPAIRED.load(Ordering::Relaxed)
}

#[cfg(windows)]
static IN_EVENT_LOG: AtomicBool = AtomicBool::new(false);

/// From now on, events also go to the Windows event log.
#[cfg(windows)]
pub fn to_event_log() {
    IN_EVENT_LOG.store(true, Ordering::Relaxed);
}
