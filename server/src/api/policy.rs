//! `GET /agent/policy/{address}`: a published policy by the digest of its bytes. Agents check the signature themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::Digest;

use crate::app::App;
use crate::error::ApiError;

/// Hands out a policy.
///
/// # Errors
/// A final refusal when no policy has this address.
pub async fn policy_show(State(app): State<App>, Path(address): Path<String>) -> Result<Response, ApiError> {
    let address: Digest = address.parse().map_err(|_| no_policy())?;
    if let Some(published) = app.policies.current().filter(|published| published.address == address) {
        return Ok(Json(&Arc::as_ref(&published).signed).into_response());
    }
    let stored = app.db.read().await?.policy_bundle_get(&address.to_string()).await?.ok_or_else(no_policy)?;
    Ok(Json(stored.signed()?).into_response())
}

fn no_policy() -> ApiError {
    ApiError::refused(
        StatusCode::NOT_FOUND,
        "no_policy",
        "Không có bộ tiêu chí nào tại địa chỉ này.",
        "There is no policy at this address.",
    )
}
