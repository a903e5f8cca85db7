//! The form on an office's page that links an enrolled machine to its line of the roster. The rules are in `act/roster`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::csrf_form::CsrfForm;
use super::visitor::Session;
use crate::act::roster::RosterError;
use crate::act::roster::link::roster_link;
use crate::app::App;
use crate::web::error::PageError;

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkForm {
    /// Id of the line.
    line: String,
    /// Id of the machine.
    machine: String,
    /// `yes` when the machine that has the line is to be revoked.
    #[serde(default)]
    replace: String,
}

/// `POST /offices/{office}/roster/link`
pub(crate) async fn link_submit(
    State(app): State<App>,
    session: Session,
    Path(office): Path<String>,
    CsrfForm(form): CsrfForm<LinkForm>,
) -> Result<Response, PageError> {
    session.require_change()?;
    let replace = form.replace == "yes";
    match roster_link(&app.db, &session.by(&app), &office, &form.line, &form.machine, replace).await {
        Ok(line) => Ok(Redirect::to(&format!("/offices/{}#roster", line.office)).into_response()),
        Err(RosterError::Refused(refusal)) => {
            let text = refusal.text();
            Err(PageError::refused(StatusCode::UNPROCESSABLE_ENTITY, text.vi, text.en))
        }
        Err(RosterError::Store(error)) => Err(error.into()),
    }
}
