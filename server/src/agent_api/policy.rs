//! `GET /agent/policy/{address}`: a published policy by the digest of its bytes. Agents check the signature themselves.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use protocol::Digest;

use crate::act::caller::{Caller, Refusal};
use crate::agent_api::error::ApiError;
use crate::app::App;
use crate::ingest::Reason;

/// Sends a policy.
///
/// # Errors
/// A final refusal when no policy has this address; a retryable one when too many requests fetch older ones.
pub async fn policy_show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(address): Path<String>,
) -> Result<Response, ApiError> {
    let address: Digest = address.parse().map_err(|_| no_policy())?;
    if let Some(published) = app.policies.current().filter(|published| published.address == address) {
        return Ok(([(header::CONTENT_TYPE, "application/json")], published.json()?).into_response());
    }
    let place = app.allowances.old_policies.enter(caller.machine.clone());
    let place = place.ok_or(Refusal::Reports(Reason::QueueFull))?;
    let stored = app.db.read().await?.policy_bundle_get(&address.to_string()).await?.ok_or_else(no_policy)?;
    Ok(place.held_by(Json(stored.signed()?).into_response()))
}

fn no_policy() -> ApiError {
    ApiError::refused(
        StatusCode::NOT_FOUND,
        "no_policy",
        "Không có bộ tiêu chí nào tại địa chỉ này.",
        "There is no policy at this address.",
    )
}
