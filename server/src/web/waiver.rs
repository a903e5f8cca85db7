//! The forms for waivers (ngoại lệ có thời hạn): requesting on the machine's page, granting, refusing and withdrawing.
//! They lead back to the control on the machine's page. The rules are in `act/waiver`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::csrf_form::CsrfForm;
use super::login::NoFields;
use super::refusal;
use super::visitor::Session;
use crate::act::waiver::{NewWaiver, WaiverError, day_end, waiver_ask, waiver_grant, waiver_refuse, waiver_withdraw};
use crate::app::App;
use crate::policy::CompiledPolicy;
use crate::store::waiver::{Waiver, WaiverState};
use crate::web::error::PageError;

/// Class of a state's colour.
pub(crate) fn state_class(state: WaiverState) -> &'static str {
    match state {
        WaiverState::Asked => "pending",
        WaiverState::Granted => "waived",
        WaiverState::Refused => "red",
        WaiverState::Withdrawn | WaiverState::Ended => "grey",
    }
}

/// What the form that requests a waiver sends.
#[derive(Debug, Deserialize)]
pub(crate) struct AskForm {
    control: String,
    reason: String,
    /// The last day it should hold, as a date field sends it: `2026-12-31`.
    until: String,
}

/// `POST /machines/{machine}/waivers`: requests a waiver.
pub(crate) async fn ask_submit(
    State(app): State<App>,
    session: Session,
    Path(machine): Path<String>,
    CsrfForm(form): CsrfForm<AskForm>,
) -> Result<Response, PageError> {
    session.require_change()?;
    let until_at = day_end(&form.until, &app.pages.zone()).ok_or_else(|| {
        refusal::wrong_value(
            "Ngày cuối của ngoại lệ không phải một ngày. Hãy quay lại và ghi theo dạng 2026-12-31.",
            "The last day of the waiver is no date. Go back and write it as 2026-12-31.",
        )
    })?;
    let new = NewWaiver { machine, control: form.control, reason: form.reason, until_at };
    let asked = waiver_ask(&app.db, &session.by(&app), judge(&app).as_deref(), &new).await;
    back(asked)
}

/// `POST /waivers/{waiver}/grant`
pub(crate) async fn grant_submit(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    CsrfForm(NoFields {}): CsrfForm<NoFields>,
) -> Result<Response, PageError> {
    session.require_change()?;
    back(waiver_grant(&app.db, &session.by(&app), judge(&app).as_deref(), &id).await)
}

/// What the form that refuses a waiver sends.
#[derive(Debug, Deserialize)]
pub(crate) struct RefuseForm {
    reason: String,
}

/// `POST /waivers/{waiver}/refuse`
pub(crate) async fn refuse_submit(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<RefuseForm>,
) -> Result<Response, PageError> {
    session.require_change()?;
    back(waiver_refuse(&app.db, &session.by(&app), &id, &form.reason).await)
}

/// `POST /waivers/{waiver}/withdraw`
pub(crate) async fn withdraw_submit(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    CsrfForm(NoFields {}): CsrfForm<NoFields>,
) -> Result<Response, PageError> {
    session.require_change()?;
    back(waiver_withdraw(&app.db, &session.by(&app), &id).await)
}

fn judge(app: &App) -> Option<std::sync::Arc<CompiledPolicy>> {
    app.policies.judge()
}

/// Redirects to the control on the machine's page, or says why nothing was done.
fn back(done: Result<Waiver, WaiverError>) -> Result<Response, PageError> {
    match done {
        Ok(waiver) => {
            Ok(Redirect::to(&format!("/machines/{}#control-{}", waiver.machine, waiver.control)).into_response())
        }
        Err(WaiverError::Refused(refusal)) => {
            let status = match refusal.is_about_the_person() {
                true => StatusCode::FORBIDDEN,
                false => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let text = refusal.text();
            Err(PageError::refused(status, text.vi, text.en))
        }
        Err(WaiverError::Store(error)) => Err(error.into()),
    }
}
