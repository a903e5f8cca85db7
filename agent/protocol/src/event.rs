//! What an agent reports about itself rather than about its machine: how it started and stopped, and what it had to repair.
//!
//! Twice: the section [`SECTION`] of its reports holds the last events, so that they are signed and chained; and the word that it stops
//! ([`AgentEvent`]) also travels alone, unsigned, because a machine that shuts down has no time for a report.

use serde::{Deserialize, Serialize};

/// The section of a report that holds the agent's [`Journal`]. It is no section of facts: a server that does not know it keeps it unread.
pub const SECTION: &str = "events";

/// Events that the section holds; older ones are in the bodies before. A list as it stands, like any other section: an equal digest says that
/// nothing happened since, and a lost report costs no event while there are not more.
pub const KEPT: usize = 32;

/// What happened to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentEventKind {
    /// It started.
    Started,
    /// Found at the next start: it had ended without noting why. It was killed or crashed, or the power went.
    BrokenOff,
    /// Somebody stopped it.
    Stopped,
    /// The system is shutting down.
    Shutdown,
    /// It is being removed from the machine.
    Uninstalled,
    /// The machine's clock was set while it ran; the value is how far forward, in milliseconds.
    ClockChanged,
    /// A policy that the server offered, or that lay on the disk, was not accepted.
    PolicyRefused,
    /// Its folder was open to other accounts and was closed again.
    AccessRepaired,
    /// A file of its state was damaged and set aside.
    StateRepaired,
    /// The server's evidence log contradicts a checkpoint kept here; the value is the checkpoint's size.
    LogContradiction,
    /// An event kind of a later version.
    #[serde(other)]
    Unknown,
}

impl AgentEventKind {
    /// Every kind but the unknown.
    pub const ALL: [Self; 10] = [
        Self::Started,
        Self::BrokenOff,
        Self::Stopped,
        Self::Shutdown,
        Self::Uninstalled,
        Self::ClockChanged,
        Self::PolicyRefused,
        Self::AccessRepaired,
        Self::StateRepaired,
        Self::LogContradiction,
    ];
}

/// The last events of an agent, as the section holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// When it was begun, by the machine's clock: tells it from one whose file was lost. Milliseconds since 1970 UTC.
    pub since: i64,
    /// The oldest first.
    pub events: Vec<JournalEvent>,
}

/// One event of a [`Journal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEvent {
    /// Its number in the journal, from 1, without gaps.
    pub number: u64,
    /// When, by the machine's clock; milliseconds since 1970 UTC.
    pub at: i64,
    /// What happened.
    pub kind: AgentEventKind,
    /// What the kind says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
}

/// One event that travels alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEvent {
    /// What happened.
    pub kind: AgentEventKind,
    /// When, by the machine's clock; milliseconds since 1970 UTC. The same as in the journal.
    pub at: i64,
}

/// Confirms that the server has recorded the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEventAnswer {
    /// The server's clock.
    pub server_time_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_bytes_are_pinned_and_later_events_are_read() {
        let event = AgentEvent { kind: AgentEventKind::Uninstalled, at: 7 };
        let pinned = r#"{"kind":"uninstalled","at":7}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), pinned);
        assert_eq!(serde_json::from_str::<AgentEvent>(pinned).unwrap(), event);
        let later: AgentEvent = serde_json::from_str(r#"{"kind":"danced","at":7,"tempo":120}"#).unwrap();
        assert_eq!(later.kind, AgentEventKind::Unknown);
        assert_eq!(serde_json::to_string(&AgentEventAnswer { server_time_at: 1 }).unwrap(), r#"{"server_time_at":1}"#);
    }

    #[test]
    fn the_exact_bytes_of_the_section_are_pinned_and_later_ones_are_read() {
        let event = |number, kind, value| JournalEvent { number, at: 8, kind, value };
        let events =
            vec![event(1, AgentEventKind::Started, None), event(2, AgentEventKind::ClockChanged, Some(-300_000))];
        let journal = Journal { since: 7, events };
        let pinned = concat!(
            r#"{"since":7,"events":[{"number":1,"at":8,"kind":"started"},"#,
            r#"{"number":2,"at":8,"kind":"clock_changed","value":-300000}]}"#
        );
        assert_eq!(serde_json::to_string(&journal).unwrap(), pinned);
        assert_eq!(serde_json::from_str::<Journal>(pinned).unwrap(), journal);
        let later = pinned
            .replace("\"clock_changed\"", "\"danced\",\"tempo\":1")
            .replace("\"since\":7", "\"since\":7,\"x\":{}");
        assert_eq!(serde_json::from_str::<Journal>(&later).unwrap().events[1].kind, AgentEventKind::Unknown);
        let words: Vec<String> = AgentEventKind::ALL.iter().map(|kind| serde_json::to_string(kind).unwrap()).collect();
        assert_eq!(
            words.join(" "),
            concat!(
                r#""started" "broken_off" "stopped" "shutdown" "uninstalled" "clock_changed" "policy_refused" "#,
                r#""access_repaired" "state_repaired" "log_contradiction""#
            )
        );
    }
}
