//! What an agent reports about itself rather than about its machine: why it stops, and what it had to repair. A hint for the officer, not
//! evidence: it is sent unsigned, over the connection on which the machine has authenticated.

use serde::{Deserialize, Serialize};

/// What happened to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentEventKind {
    /// Somebody stopped it.
    Stopped,
    /// The system is shutting down.
    Shutdown,
    /// It is being removed from the machine.
    Uninstalled,
    /// Its folder was open to other accounts and was closed again.
    AccessRepaired,
    /// An event kind of a later version.
    #[serde(other)]
    Unknown,
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEvent {
    /// What happened.
    pub kind: AgentEventKind,
    /// When, by the machine's clock; milliseconds since 1970 UTC.
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
}
