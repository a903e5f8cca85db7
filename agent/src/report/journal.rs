//! The agent's own events: the last ones, which every report carries as a section. An event is on disk before the call returns, on a full
//! disk too, and survives a kill and a power cut.

use protocol::event::{AgentEventKind, Journal as Content, JournalEvent, KEPT};
use protocol::header::SectionEntry;
use protocol::{compress, event};
use serde::{Deserialize, Serialize};

use crate::report::draft::{Entry, ReportError};
use crate::state::slots::{Found, Slots};
use crate::state::{StateError, StateFolder};

/// The journal's file.
const FILE: &str = "events";

/// The journal.
#[derive(Debug)]
pub(crate) struct Journal {
    slots: Slots,
    kept: Kept,
}

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// True from a start until its end was noted.
    runs: bool,
    /// The number of the last event.
    last: u64,
    journal: Content,
}

impl Journal {
    /// Opens the journal. A damaged one is begun anew at `now`, and says so.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(state: &StateFolder, now: i64) -> Result<Self, StateError> {
        let io = |source| StateError::Io { doing: "read", path: state.file(FILE), source };
        let (slots, found) = Slots::open(state.open_file(FILE)?).map_err(io)?;
        let begun = || Kept { journal: Content { since: now, events: Vec::new() }, ..Kept::default() };
        let is_damaged = found == Found::Damaged;
        let kept = if let Found::Value(kept) = found { kept } else { begun() };
        let mut journal = Self { slots, kept };
        if is_damaged {
            journal.note(AgentEventKind::StateRepaired, None, now);
        }
        Ok(journal)
    }

    /// Deletes the journal: the machine was enrolled again.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn forget(state: &StateFolder) -> Result<(), StateError> {
        state.remove(FILE)
    }

    /// Notes that the program starts, and that it ended unnoted before if it did.
    pub(crate) fn start(&mut self, at: i64) {
        if self.kept.runs {
            self.note(AgentEventKind::BrokenOff, None, at);
        }
        self.note(AgentEventKind::Started, None, at);
    }

    /// Notes an event at `at` (milliseconds UTC by the machine's clock), with the value that its kind has. If the disk fails, the event is
    /// kept in memory and goes with the next report all the same.
    pub(crate) fn note(&mut self, kind: AgentEventKind, value: Option<i64>, at: i64) {
        let kept = &mut self.kept;
        kept.last += 1;
        kept.journal.events.push(JournalEvent { number: kept.last, at, kind, value });
        let excess = kept.journal.events.len().saturating_sub(KEPT);
        kept.journal.events.drain(..excess);
        kept.runs = match kind {
            AgentEventKind::Started => true,
            AgentEventKind::Stopped | AgentEventKind::Shutdown | AgentEventKind::Uninstalled => false,
            _ => kept.runs,
        };
        if let Err(error) = self.slots.write(&self.kept) {
            tracing::error!(%error, ?kind, "an event of the agent is kept in memory only");
        }
    }

    /// The section as it goes into a report whose facts were observed at `observed_at`.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which cannot happen.
    pub(crate) fn entry(&self, observed_at: i64) -> Result<Entry, ReportError> {
        let text = serde_json::to_string(&self.kept.journal);
        let text = text.map_err(|error| ReportError::Section(event::SECTION, error))?;
        Ok(Entry { header: SectionEntry { digest: compress::digest(&text), observed_at, known: true }, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Durability, Missing};

    fn told(state: &StateFolder) -> Vec<(u64, AgentEventKind)> {
        let entry = Journal::open(state, 0).unwrap().entry(0).unwrap();
        let journal: Content = serde_json::from_str(&entry.text).unwrap();
        journal.events.iter().map(|event| (event.number, event.kind)).collect()
    }

    #[test]
    fn a_start_without_a_stop_before_is_itself_told() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        Journal::open(&state, 5).unwrap().start(5);
        // Killed here, and again.
        Journal::open(&state, 6).unwrap().start(6);
        let mut journal = Journal::open(&state, 7).unwrap();
        journal.note(AgentEventKind::ClockChanged, Some(1), 7);
        journal.note(AgentEventKind::Stopped, None, 8);
        let mut journal = Journal::open(&state, 9).unwrap();
        assert_eq!(journal.kept.journal.since, 5);
        journal.start(9);
        use AgentEventKind::{BrokenOff, ClockChanged, Started, Stopped};
        let expected = [Started, BrokenOff, Started, ClockChanged, Stopped, Started];
        assert_eq!(told(&state), (1..).zip(expected).collect::<Vec<_>>());
    }

    #[test]
    fn the_last_events_fit_a_slot_whatever_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let mut journal = Journal::open(&state, i64::MIN).unwrap();
        journal.kept.last = u64::from(u32::MAX);
        for _ in 0..2 * KEPT {
            journal.note(AgentEventKind::LogContradiction, Some(i64::MIN / 1000), 253_370_764_799_999);
        }
        let kept = Journal::open(&state, 0).unwrap().kept;
        assert_eq!((&kept, kept.journal.events.len()), (&journal.kept, KEPT));
    }

    #[test]
    fn a_damaged_journal_is_begun_anew_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        state.write(FILE, &[1; 100], Durability::Relaxed).unwrap();
        let journal = Journal::open(&state, 77).unwrap();
        assert_eq!(journal.kept.journal.since, 77);
        drop(journal);
        assert_eq!(told(&state), [(1, AgentEventKind::StateRepaired)]);
    }
}
