//! `POST /agent/enrol` and `POST /agent/renew`: a machine gets its certificate. The rules are in [`crate::act::enrol`] and
//! [`crate::act::renew`].

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use protocol::{EnrolAnswer, RenewAnswer, SignedRenewal};

use super::json_read;
use crate::act::enrol::machine_enrol;
use crate::act::renew::machine_renew;
use crate::agent_api::error::ApiError;
use crate::app::App;

/// Enrols a machine.
///
/// # Errors
/// A final refusal that names what is wrong with the token or the request.
pub async fn enrol(State(app): State<App>, body: Bytes) -> Result<Json<EnrolAnswer>, ApiError> {
    let answer = machine_enrol(&app, &json_read(&body)?).await?;
    app.contacts.note(&app.clock, &answer.machine);
    Ok(Json(answer))
}

/// Renews a machine's certificate.
///
/// # Errors
/// A final refusal: unknown or revoked machine, wrong signature, unusable request.
pub async fn renew(State(app): State<App>, body: Bytes) -> Result<Json<RenewAnswer>, ApiError> {
    let signed: SignedRenewal = json_read(&body)?;
    let answer = machine_renew(&app, &signed).await?;
    if let Ok(request) = signed.claim() {
        app.contacts.note(&app.clock, &request.machine);
    }
    Ok(Json(answer))
}
