//! `POST /agent/event`: what an agent reports about itself, such as its last message before it is removed.

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use protocol::{AgentEvent, AgentEventAnswer, AgentEventKind};

use super::json_read;
use crate::act::caller::{Caller, rate_take};
use crate::agent_api::error::ApiError;
use crate::app::App;
use crate::store::machine::event::{AgentEvent as Kept, AgentEventKind as Kind};
use crate::store::outbox::{EventKind, NewEvent};

/// Records an event. One that this version does not know is answered and dropped.
///
/// # Errors
/// A retryable refusal when the machine sends too many, a final one when the event cannot be read.
pub async fn event_take(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<AgentEventAnswer>, ApiError> {
    let now = app.clock.now_ms();
    let event: AgentEvent = json_read(&body)?;
    let kind = match event.kind {
        AgentEventKind::Stopped => Kind::Stopped,
        AgentEventKind::Shutdown => Kind::Shutdown,
        AgentEventKind::Uninstalled => Kind::Uninstalled,
        AgentEventKind::AccessRepaired => Kind::AccessRepaired,
        // The others travel in reports.
        _ => return Ok(Json(AgentEventAnswer { server_time_at: now })),
    };
    rate_take(&app, &app.allowances.events, &caller.machine)?;
    tracing::info!(machine = caller.machine, kind = kind.word(), "an agent says of itself");
    let changed = NewEvent {
        kind: EventKind::Machine,
        office: Some(caller.office.clone()),
        machine: Some(caller.machine.clone()),
        subject: None,
    };
    let mut tx = app.db.write().await?;
    tx.agent_event_insert(&caller.machine, &Kept { kind, said_at: event.at, received_at: now }).await?;
    tx.change_append(now, &[changed]).await?;
    tx.commit().await?;
    Ok(Json(AgentEventAnswer { server_time_at: now }))
}
