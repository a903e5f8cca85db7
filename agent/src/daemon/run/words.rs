//! What the agent reports about itself to the server: what it had to repair, and why it stops.

use std::time::Duration;

use protocol::{AgentEvent, AgentEventAnswer, AgentEventKind, path};

use crate::connection::{Connection, WireError};
use crate::daemon::agent_state::AgentState;
use crate::enrol::pending_enrolment;
use crate::platform::logbook;
use crate::platform::service::StopReason;

/// The last message must not hold up the exit.
const LAST: Duration = Duration::from_secs(2);

/// What to report at the start, if anything.
pub(super) fn first(agent_state: &AgentState) -> Option<AgentEvent> {
    logbook::was_repaired().then(|| AgentEvent { kind: AgentEventKind::AccessRepaired, at: agent_state.clock.now() })
}

/// Sends the event.
pub(super) async fn say(connection: Connection, event: AgentEvent) -> Result<AgentEventAnswer, WireError> {
    connection.post(path::EVENT, &event).await
}

/// Tells the server why the agent stops, if that can be done quickly. A server that gets no message notices the
/// silence.
pub(super) async fn last(agent_state: &AgentState, connection: &Connection, why: StopReason) {
    let kind = match why {
        _ if pending_enrolment::is_leaving(&agent_state.state) => AgentEventKind::Uninstalled,
        StopReason::Asked => AgentEventKind::Stopped,
        StopReason::Shutdown => AgentEventKind::Shutdown,
    };
    let event = AgentEvent { kind, at: agent_state.clock.now() };
    match tokio::time::timeout(LAST, say(connection.clone(), event)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::info!(%error, "the server does not hear that the agent ends"),
        Err(_) => tracing::info!("the server does not hear in time that the agent ends"),
    }
}
