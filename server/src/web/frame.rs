//! What surrounds every page: title, navigation, who is logged in, the language switch. Owns no page.

use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use policies::text::visible;

use super::asset;
use super::catalogue::Catalogue;
use super::notice::notices;
use super::number::Numbers;
use super::visitor::{Session, Visitor, path_of};
use crate::app::App;
use crate::web::error::PageError;

/// A page's item in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NavItem {
    /// Offices, an office, a machine.
    Offices,
    /// Enrolment.
    Enrolment,
    /// The audit log.
    Audit,
    /// The person's own password.
    Password,
    /// Login and refusals.
    Nowhere,
}

/// The frame as passed to the template.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Title of the page.
    pub(crate) title: String,
    /// Name and login of the person, made safe; `None` when nobody is logged in.
    pub(crate) person: Option<(String, String)>,
    /// True while the first password must be changed: there is nothing to navigate to.
    pub(crate) locked: bool,
    /// The token that forms repeat.
    pub(crate) csrf: String,
    /// Path and query of this page, for the way back from the language switch.
    pub(crate) here: String,
    /// This page's item in the navigation.
    pub(crate) place: NavItem,
    /// Path of the stream the page follows; empty when it follows none.
    pub(crate) events: String,
    /// How numbers and dates are written.
    pub(crate) n: Numbers,
    /// What the reader must know about the figures or the server first.
    pub(crate) notices: Vec<String>,
    /// The moment the page was made.
    pub(crate) made_at: String,
    /// The newest checkpoint of the evidence log, at most a second old, for a print: epoch, leaves, root. `None` for strangers.
    pub(crate) checkpoint: Option<String>,
}

impl Visitor {
    /// The frame of a page called `title` at `place` of the navigation.
    pub(crate) fn frame(&self, app: &App, title: impl Into<String>, place: NavItem) -> Frame {
        Frame::new(self, self.session.as_ref(), app, title.into(), place)
    }
}

impl Frame {
    pub(crate) fn new(visitor: &Visitor, session: Option<&Session>, app: &App, title: String, place: NavItem) -> Self {
        let n = Numbers::new(visitor.language, app.pages.zone());
        Self {
            title,
            person: session.map(|session| (visible(&session.person.name, 80), visible(&session.person.login, 80))),
            locked: session.is_some_and(|session| session.person.must_change),
            csrf: visitor.csrf.clone(),
            here: path_of(&visitor.uri).to_owned(),
            place,
            events: String::new(),
            notices: session
                .map(|session| notices(app, session, Catalogue::new(visitor.language), &n))
                .unwrap_or_default(),
            made_at: n.second(app.clock.now_ms()),
            checkpoint: session.and_then(|_| app.db.log_known()).map(|head| head.to_string()),
            n,
        }
    }

    /// The same frame following the events of `query` (see `web::events`).
    pub(crate) fn following(mut self, query: &str) -> Self {
        self.events = format!("/events?{query}");
        self
    }

    pub(crate) fn style_path(&self) -> &'static str {
        asset::style_path()
    }

    pub(crate) fn script_path(&self) -> &'static str {
        asset::script_path()
    }

    pub(crate) fn icon_path(&self) -> &'static str {
        asset::icon_path()
    }
}

/// The page as an answer.
///
/// # Errors
/// When the template cannot be written, which only a failing formatter could cause.
pub(crate) fn render(page: &impl Template) -> Result<Response, PageError> {
    let mut response = page.render()?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}
