//! `POST /agent/log`: how the evidence log went on from a checkpoint that the machine kept. Honest agents ask once a day.

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use protocol::log::{LogAnswer, LogRequest};

use super::json_read;
use crate::act::caller::{Caller, rate_take};
use crate::act::log::log_answer;
use crate::agent_api::error::ApiError;
use crate::app::App;

/// Answers with the newest checkpoint and the proof that it continues the one given.
///
/// # Errors
/// A final refusal when this server did not sign what is shown, a retryable one when the machine asks too often.
pub async fn log_ask(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<LogAnswer>, ApiError> {
    let request: LogRequest = json_read(&body)?;
    rate_take(&app, &app.allowances.log_questions, &caller.machine)?;
    Ok(Json(log_answer(&app, &caller.machine, &caller.office, &request.checkpoint).await?))
}
