//! The page `/sessions`: where a person is logged in, and ending what was left open elsewhere.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::csrf_form::CsrfForm;
use super::error::PageError;
use super::frame::{Frame, NavItem, render};
use super::visitor::{Session, Visitor};
use crate::act::person::{Ended, sessions_end};
use crate::app::App;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    t: Catalogue,
    frame: Frame,
    sessions: Vec<SessionRow>,
}

struct SessionRow {
    id: String,
    /// True for the session of this request.
    own: bool,
    began: String,
    used: String,
    ends: String,
}

/// `GET /sessions`
pub(crate) async fn sessions_page(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let frame = visitor.frame(&app, t.text("Các phiên đăng nhập", "Your sessions"), NavItem::Nowhere);
    let open = app.db.read().await?.session_list(&session.person.id, app.clock.now_ms()).await?;
    let row = |open: crate::store::session::Session| SessionRow {
        own: open.token_hash == session.token_hash,
        began: frame.n.moment(open.created_at),
        used: frame.n.moment(open.last_seen_at),
        ends: frame.n.moment(open.expires_at),
        id: open.token_hash,
    };
    let sessions = open.into_iter().map(row).collect();
    render(&SessionsPage { t, frame, sessions })
}

/// What the form that ends sessions sends.
#[derive(Debug, Deserialize)]
pub(crate) struct EndForm {
    /// The session to end; all others when absent.
    session: Option<String>,
}

/// `POST /sessions`
pub(crate) async fn sessions_end_submit(
    State(app): State<App>,
    session: Session,
    CsrfForm(form): CsrfForm<EndForm>,
) -> Result<Response, PageError> {
    let ended = form.session.as_deref().map_or(Ended::Others(&session.token_hash), Ended::One);
    sessions_end(&app.db, &session.by(&app), &session.person, ended).await?;
    Ok(Redirect::to("/sessions").into_response())
}

#[cfg(test)]
mod tests {
    use crate::store::person::PersonRole;
    use crate::store::test_database::on_both;
    use crate::web::tests::{PASSWORD, Site};

    on_both! {
        async fn a_session_left_open_elsewhere_is_ended(test_database: &TestDatabase) {
            let site = Site::open(test_database).await;
            let mut here = site.person("lan", PersonRole::Head, None).await;
            let page = here.get("/sessions").await;
            assert!(page.has("không đăng nhập ở nơi nào khác") && !page.has("action=\"/sessions\""), "{}", page.body);
            let mut stranger = site.person("minh", PersonRole::Officer, None).await;
            let mut others = Vec::new();
            for minute in 1..=3 {
                site.app.clock.advance(minute * 60_000);
                let mut other = site.browser();
                other.login("lan", PASSWORD).await.location();
                others.push(other);
            }

            let page = here.get("/sessions").await;
            assert_eq!(page.body.matches("name=\"session\"").count(), 3, "{}", page.body);
            let last = page.between("name=\"session\" value=\"", "\"").unwrap().to_owned();
            stranger.get("/sessions").await;
            stranger.post("/sessions", &[("session", &last)]).await.location();
            assert!(others[2].get("/offices").await.has("<h1>"), "nobody ends another person's session");

            here.get("/sessions").await;
            assert_eq!(here.post("/sessions", &[("session", &last)]).await.location(), "/sessions");
            assert_eq!(others[2].get("/offices").await.location(), "/login?next=/offices");
            assert!(others[0].get("/offices").await.has("<h1>"));
            here.get("/sessions").await;
            here.post("/sessions", &[]).await.location();
            for other in &mut others {
                assert_eq!(other.get("/offices").await.location(), "/login?next=/offices");
            }
            assert!(here.get("/sessions").await.has("không đăng nhập ở nơi nào khác"), "the own one goes on");
            here.post("/sessions", &[("session", &last)]).await.location();

            let log = here.get("/audit").await;
            assert_eq!(log.body.matches("số phiên kết thúc: ").count(), 2, "what ended nothing is no entry: {}", log.body);
            assert!(log.has("số phiên kết thúc: 2") && log.has("số phiên kết thúc: 1"));
        }
    }
}
