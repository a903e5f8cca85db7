//! The page `/offices`: all offices of the reader's part of the tree side by side.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use policies::text::visible;

use super::frame::{Frame, Place, render};
use super::visitor::{Session, Visitor};
use super::words::Words;
use crate::app::App;
use crate::error::PageError;

#[derive(Template)]
#[template(path = "offices.html")]
struct OfficesPage {
    t: Words,
    frame: Frame,
    offices: Vec<OfficeView>,
}

struct OfficeView {
    id: String,
    name: String,
}

/// `GET /offices`
pub(crate) async fn office_list_page(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
) -> Result<Response, PageError> {
    let t = Words::new(visitor.language);
    let frame = visitor.frame(&app, t.say("frame.offices"), Place::Offices).following("");
    let offices = app.db.read().await?.office_list(&session.scope).await?;
    let offices =
        offices.into_iter().map(|office| OfficeView { name: visible(&office.name, 200), id: office.id }).collect();
    render(&OfficesPage { t, frame, offices })
}
