//! Legal holds (giữ dữ liệu phục vụ vụ việc) at a machine's page: what is held and by which document, and the second person's agreement to
//! a release. The rules are in `act/hold`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use policies::text;
use policies::text::visible;

use super::catalogue::Catalogue;
use super::csrf_form::CsrfForm;
use super::login::NoFields;
use super::number::Numbers;
use super::visitor::Session;
use crate::act::hold::{HoldError, TEXT_MOST, hold_release_agree};
use crate::app::App;
use crate::store::hold::{Hold, Paper};
use crate::web::error::PageError;

/// A hold as a machine's page shows it.
#[derive(Debug)]
pub(super) struct HoldView {
    pub(super) id: String,
    /// Since when, and the document.
    pub(super) held: String,
    /// Who asks for its release, or until when everything is kept after it.
    pub(super) end: Option<String>,
    pub(super) may_agree: bool,
}

impl HoldView {
    /// For a reader of this name, who may agree when somebody else asked.
    pub(super) fn new(hold: &Hold, (t, n): (Catalogue, &Numbers), (reader, may_agree): (&str, bool)) -> Self {
        let Paper { number, date, issuer } = &hold.paper;
        let paper = visible(&t.own(text!("{0} ngày {1} của {2}", "{0} of {1}, {2}", number, date, issuer)), TEXT_MOST);
        let waits = hold.released_at.is_none() && hold.asked_by.is_some();
        let end = match (hold.kept_until_at, &hold.asked_by) {
            (Some(until), _) => Some(t.own(text!(
                "Đã thôi giữ; dữ liệu còn được lưu đến {0}.",
                "Released; everything is kept until {0}.",
                n.date(until)
            ))),
            (None, Some(by)) => Some(t.own(text!(
                "{0} đề nghị thôi giữ: {1}. Cần người thứ hai đồng ý.",
                "{0} asks for the release: {1}. A second person must agree.",
                t.actor(by),
                visible(hold.asked_why.as_deref().unwrap_or_default(), TEXT_MOST)
            ))),
            (None, None) => None,
        };
        Self {
            id: hold.id.clone(),
            held: t.own(text!(
                "Dữ liệu của máy được giữ phục vụ vụ việc từ {0}, theo văn bản {1}.",
                "The data of this machine are held for a case since {0}, by document {1}.",
                n.moment(hold.made_at),
                paper
            )),
            end,
            may_agree: may_agree && waits && hold.asked_by.as_deref() != Some(reader),
        }
    }
}

/// `POST /holds/{hold}/agree`
pub(crate) async fn agree_submit(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    CsrfForm(NoFields {}): CsrfForm<NoFields>,
) -> Result<Response, PageError> {
    session.require_change()?;
    match hold_release_agree(&app.db, &session.by(&app), &id).await {
        Ok(hold) => Ok(Redirect::to(&format!("/machines/{}", hold.machine)).into_response()),
        Err(HoldError::Refused(text)) => Err(PageError::refused(StatusCode::FORBIDDEN, text.vi, text.en)),
        Err(HoldError::Store(error)) => Err(error.into()),
    }
}
