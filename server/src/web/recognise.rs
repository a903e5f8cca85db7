//! The layer around every page: recognises the visitor, runs the handler, and renders a refusal as a page in the visitor's language.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use policies::text::{Language, Text};

use super::catalogue::Catalogue;
use super::cookie::Cookie;
use super::frame::{Frame, NavItem, render};
use super::refusal::{self, unknown_page};
use super::secret::{draw_token, form_token, hash_token};
use super::visitor::{FOLLOWING, Visitor, host_of, path_of, session_find};
use crate::app::App;
use crate::store::text::is_storable_encoded;
use crate::tls::Connection;
use crate::web::error::{PageError, Refused};

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    t: Catalogue,
    frame: Frame,
    code: u16,
    message: String,
}

impl Visitor {
    /// The visitor when nothing is known because the store does not answer.
    fn unknown(request: &Request) -> Self {
        Self {
            language: chosen_language(request.headers()).unwrap_or_default(),
            csrf: String::new(),
            uri: request.uri().clone(),
            host: String::new(),
            expired: false,
            known: None,
            session: None,
        }
    }
}

fn chosen_language(headers: &HeaderMap) -> Option<Language> {
    Language::from_code(&Cookie::Language.read(headers)?)
}

/// The layer: recognises the visitor, runs the handler, and renders a refusal as a page in the visitor's language.
pub(crate) async fn recognise(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (headers, uri) = (request.headers(), request.uri());
    let (visitor, new_form) = match recognise_visitor(&app, headers, uri).await {
        Ok(recognised) => recognised,
        Err(error) => {
            let visitor = Visitor::unknown(&request);
            return dress(error.into_response(), &visitor, &app);
        }
    };
    if let Some(person) = &visitor.known
        && let Some(connection) = request.extensions().get::<Arc<Connection>>()
    {
        connection.person_note(&app.pages.connections, person);
    }
    request.extensions_mut().insert(visitor.clone());
    let mut place = None;
    if let Some(session) = &visitor.session {
        let Some(mine) = app.pages.requests.enter(session.person.id.clone()) else {
            let refused = refusal::too_many_pages(StatusCode::TOO_MANY_REQUESTS);
            return dress(refused.into_response(), &visitor, &app);
        };
        place = Some(mine);
        request.extensions_mut().insert(session.clone());
    }
    let response = if is_storable_encoded(path_of(request.uri()).as_bytes()) {
        next.run(request).await
    } else {
        refusal::broken_address().into_response()
    };
    let mut response = dress(response, &visitor, &app);
    if new_form {
        Cookie::Form.set(response.headers_mut(), &visitor.csrf);
    }
    match place {
        Some(place) => place.held_by(response),
        None => response,
    }
}

/// The visitor, and whether its form token is new and must be set as a cookie.
async fn recognise_visitor(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<(Visitor, bool), PageError> {
    let token = Cookie::Session.read(headers);
    let session = match &token {
        Some(token) => session_find(app, &hash_token(token), headers.contains_key(FOLLOWING)).await?,
        None => None,
    };
    let (csrf, new_form) = match (token.as_ref().filter(|_| session.is_some()), Cookie::Form.read(headers)) {
        (Some(token), _) => (form_token(token), false),
        (None, Some(form)) => (form, false),
        (None, None) => (draw_token()?, true),
    };
    let language = chosen_language(headers)
        .or_else(|| session.as_ref().and_then(|session| Language::from_code(&session.person.language)))
        .unwrap_or_default();
    let known = match (&session, Cookie::Device.read(headers)) {
        (Some(session), _) => Some(session.person.id.clone()),
        (None, Some(device)) => app.db.read().await?.known_device_person(&hash_token(&device)).await?,
        (None, None) => None,
    };
    let expired = token.is_some() && session.is_none();
    let host = host_of(headers, uri).unwrap_or_default().to_owned();
    Ok((Visitor { language, csrf, uri: uri.clone(), host, expired, known, session }, new_form))
}

/// Turns a refusal into a page in the visitor's language; any other answer stays as it is.
fn dress(mut response: Response, visitor: &Visitor, app: &App) -> Response {
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = unknown_page(StatusCode::METHOD_NOT_ALLOWED).into_response();
    }
    let Some(Refused(message)) = response.extensions_mut().remove::<Refused>() else { return response };
    let status = response.status();
    let t = Catalogue::new(visitor.language);
    let page = RefusalPage {
        t,
        frame: visitor.frame(app, title(t, status), NavItem::Nowhere),
        code: status.as_u16(),
        message: pick(t, &message),
    };
    match render(&page) {
        Ok(mut dressed) => {
            *dressed.status_mut() = status;
            dressed
        }
        Err(_) => response,
    }
}

fn pick(t: Catalogue, message: &Text) -> String {
    t.pick(message).to_owned()
}

fn title(t: Catalogue, status: StatusCode) -> &'static str {
    let (vi, en) = match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => ("Không tìm thấy trang", "No such page"),
        StatusCode::FORBIDDEN => ("Không được phép", "Not allowed"),
        StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::REQUEST_TIMEOUT => ("Biểu mẫu chưa dùng được", "The form cannot be used yet"),
        StatusCode::TOO_MANY_REQUESTS => ("Máy chủ đang bận", "The server is busy"),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("Cơ sở dữ liệu tạm thời không dùng được", "The database cannot be used at the moment")
        }
        _ => ("Máy chủ gặp lỗi", "The server failed"),
    };
    t.text(vi, en)
}
