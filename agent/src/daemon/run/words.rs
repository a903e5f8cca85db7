//! What the agent reports about itself to the server: what it had to repair, and why it stops. Both are also noted in its journal, which
//! every report carries.

use std::time::Duration;

use protocol::{AgentEvent, AgentEventAnswer, AgentEventKind, Digest, path};

use crate::connection::{Connection, WireError};
use crate::daemon::agent_state::AgentState;
use crate::daemon::exchange;
use crate::enrol::pending_enrolment;
use crate::platform::logbook;
use crate::platform::service::StopReason;
use crate::report::delivery::Next;

/// The last message must not hold up the exit.
const LAST: Duration = Duration::from_secs(2);
/// Nor must the last report, which is sent only after the server has answered that message.
const LAST_REPORT: Duration = Duration::from_secs(3);

/// Notes the start. Returns what to report at once, if anything.
pub(super) fn first(agent_state: &mut AgentState) -> Option<AgentEvent> {
    let at = agent_state.clock.now();
    agent_state.journal.start(at);
    if let Err(error) = pending_enrolment::stay(&agent_state.state) {
        tracing::warn!(%error, "the mark of a removal that did not happen stays");
    }
    let event = logbook::was_repaired().then_some(AgentEvent { kind: AgentEventKind::AccessRepaired, at })?;
    agent_state.journal.note(event.kind, None, at);
    Some(event)
}

/// Sends the event.
pub(super) async fn say(connection: Connection, event: AgentEvent) -> Result<AgentEventAnswer, WireError> {
    connection.post(path::EVENT, &event).await
}

/// Notes why the agent stops and tells the server, if that can be done quickly: in a word, and unless the machine goes down also in a last
/// signed report. A server that gets neither notices the silence; the report waits in the spool, if the program stays.
pub(super) async fn last(
    agent_state: &mut AgentState,
    connection: &Connection,
    why: StopReason,
    outcomes: Option<Digest>,
) {
    let kind = match why {
        _ if pending_enrolment::is_leaving(&agent_state.state) => AgentEventKind::Uninstalled,
        StopReason::Asked => AgentEventKind::Stopped,
        StopReason::Shutdown => AgentEventKind::Shutdown,
    };
    let event = AgentEvent { kind, at: agent_state.clock.now() };
    agent_state.journal.note(kind, None, event.at);
    // A report without some sections would say that the machine has them no more.
    let reported = kind != AgentEventKind::Shutdown
        && agent_state.observation.is_whole()
        && exchange::report(agent_state, outcomes);
    match tokio::time::timeout(LAST, say(connection.clone(), event)).await {
        Ok(Ok(_)) if !reported => {}
        Ok(Ok(_)) => {
            if tokio::time::timeout(LAST_REPORT, deliver(agent_state, connection, outcomes)).await.is_err() {
                tracing::info!("the last report did not leave in time");
            }
        }
        Ok(Err(error)) => tracing::info!(%error, "the server does not hear that the agent ends"),
        Err(_) => tracing::info!("the server does not hear in time that the agent ends"),
    }
}

/// Sends what waits, once.
async fn deliver(agent_state: &mut AgentState, connection: &Connection, outcomes: Option<Digest>) {
    while let Some(batch) = agent_state.delivery.request() {
        let (batch, answers) = exchange::send(connection.clone(), batch).await;
        match answers {
            Ok(answers) if exchange::answered(agent_state, &batch, &answers, outcomes).next == Next::Again => {}
            Ok(_) => return,
            Err(error) => {
                tracing::info!(%error, "the last report did not leave");
                return;
            }
        }
    }
}
