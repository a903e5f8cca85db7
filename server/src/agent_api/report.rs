//! `POST /agent/reports`: frames of signed reports, read up to what their machine may send.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use protocol::report::ANNOUNCED;
use protocol::{ReportAnswers, limits};

use super::{BODY_ARRIVES, body_read};
use crate::act::caller::{Caller, Refusal};
use crate::act::report::reports_answer;
use crate::agent_api::error::ApiError;
use crate::app::App;
use crate::bound::space::Room;
use crate::ingest::{Form, Reason};

/// Takes in the reports of one request.
///
/// # Errors
/// A final refusal when the bytes are too many or not reports, a retryable one when they arrive too slowly or too many are waiting.
pub async fn reports_take(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<ReportAnswers>, ApiError> {
    if app.space.room() == Room::None {
        return Err(Refusal::Reports(Reason::DiskFull).into());
    }
    let announced = request.uri().query().is_some_and(|query| query.split('&').any(|part| part == ANNOUNCED));
    let form = if announced { Form::Logged } else { Form::Signed };
    let mut share = app.allowances.machine_bytes(&caller.machine, caller.status);
    let body = match body_read(request.into_body(), limits::REPORTS_BODY, BODY_ARRIVES, &mut share).await {
        Ok(body) => body,
        Err(refusal) => {
            if refusal.status == StatusCode::PAYLOAD_TOO_LARGE {
                let counters = &app.ingest.counters;
                counters.count(app.clock.now_ms(), Reason::BadFrame, &caller.machine, "the request is too long");
            }
            return Err(refusal);
        }
    };
    Ok(Json(reports_answer(&app, &caller, &body, share, form).await?))
}
