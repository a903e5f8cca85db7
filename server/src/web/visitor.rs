//! Who is looking at a page: the language, the session if there is one, and the token that ties forms to either. A layer
//! determines it once per request; handlers take a [`Visitor`] or, when a login is needed, a [`Session`].

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use policies::text::Language;

use super::cookie::Cookie;
use super::frame::{Frame, NavItem};
use super::refusal;
use super::secret::{draw_token, form_token, hash_token};
use crate::act::By;
use crate::app::App;
use crate::audit::Actor;
use crate::store::person::{Person, PersonRole};
use crate::store::text::is_storable_encoded;
use crate::store::{Scope, StoreResult};
use crate::tls::Connection;
use crate::web::error::PageError;

/// A session ends after two hours without a request of the person's own...
pub(crate) const IDLE_MS: i64 = 2 * 3600 * 1000;

/// ...and after twelve hours in any case: a working day.
pub(crate) const LONGEST_MS: i64 = 12 * 3600 * 1000;

/// The last use is stored at most once a minute.
const TOUCH_MS: i64 = 60 * 1000;

/// A last use this much later than now was recorded while the clock was ahead.
const AHEAD_MS: i64 = 5 * 60 * 1000;

/// The header by which the page's script signals that nobody clicked: such a request does not keep a session alive.
pub(crate) const FOLLOWING: &str = "x-following";

/// The sender of a request.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The language to answer in.
    pub(crate) language: Language,
    /// The token that forms repeat: the session's, else the browser's.
    pub(crate) csrf: String,
    /// Path and query of the request.
    pub(crate) uri: Uri,
    /// Host and port that the browser dialled.
    pub(crate) host: String,
    /// True when the browser still shows the cookie of a session that has ended.
    pub(crate) expired: bool,
    /// True when the visitor has a session, or a person logged in with this browser before.
    is_known: bool,
    session: Option<Session>,
}

/// A person who is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The person.
    pub(crate) person: Person,
    /// The person's scope.
    pub(crate) scope: Scope,
    /// Hash of the session's token, by which the store knows it.
    pub(crate) token_hash: String,
}

impl Session {
    /// The person as the audit log names them.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Person { id: self.person.id.clone(), login: self.person.login.clone() }
    }

    /// The person acting now, within their scope.
    pub(crate) fn by(&self, app: &App) -> By {
        By { actor: self.actor(), scope: self.scope.clone(), at: app.clock.now_ms() }
    }

    /// True when the person's role may change things and not only look.
    pub(crate) fn may_change(&self) -> bool {
        matches!(self.person.role, PersonRole::Officer | PersonRole::Administrator)
    }

    /// Refuses people who may only read.
    ///
    /// # Errors
    /// 403 for the roles that may only read.
    pub(crate) fn require_change(&self) -> Result<(), PageError> {
        if self.may_change() { Ok(()) } else { Err(refusal::only_looking()) }
    }
}

impl Visitor {
    /// The frame of a page called `title` at `place` of the navigation.
    pub(crate) fn frame(&self, app: &App, title: impl Into<String>, place: NavItem) -> Frame {
        Frame::new(self, self.session.as_ref(), app, title.into(), place)
    }

    /// True when the visitor has a session.
    pub(crate) fn is_logged_in(&self) -> bool {
        self.session.is_some()
    }

    /// The visitor when nothing is known because the store does not answer.
    fn unknown(request: &Request) -> Self {
        Self {
            language: chosen_language(request.headers()).unwrap_or_default(),
            csrf: String::new(),
            uri: request.uri().clone(),
            host: String::new(),
            expired: false,
            is_known: false,
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
            return refusal::dress(error.into_response(), &visitor, &app);
        }
    };
    if visitor.is_known
        && let Some(connection) = request.extensions().get::<Arc<Connection>>()
    {
        connection.person_note();
    }
    request.extensions_mut().insert(visitor.clone());
    let mut place = None;
    if let Some(session) = &visitor.session {
        let Some(mine) = app.pages.requests.enter(session.person.id.clone()) else {
            let refused = refusal::too_many_pages(StatusCode::TOO_MANY_REQUESTS);
            return refusal::dress(refused.into_response(), &visitor, &app);
        };
        place = Some(mine);
        request.extensions_mut().insert(session.clone());
    }
    let response = if is_storable_encoded(path_of(request.uri()).as_bytes()) {
        next.run(request).await
    } else {
        refusal::broken_address().into_response()
    };
    let mut response = refusal::dress(response, &visitor, &app);
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
    let is_known = match Cookie::Device.read(headers) {
        Some(device) if session.is_none() => {
            app.db.read().await?.known_device_person(&hash_token(&device)).await?.is_some()
        }
        _ => session.is_some(),
    };
    let expired = token.is_some() && session.is_none();
    let host = host_of(headers, uri).unwrap_or_default().to_owned();
    Ok((Visitor { language, csrf, uri: uri.clone(), host, expired, is_known, session }, new_form))
}

/// The session behind a token's hash with its person, unless it ended or the account was closed. A request by the person themselves extends it.
async fn session_find(app: &App, token_hash: &str, following: bool) -> Result<Option<Session>, PageError> {
    let now = app.clock.now_ms();
    let mut tx = app.db.read().await?;
    let Some(session) = tx.session_get(token_hash, now).await? else { return Ok(None) };
    // Used in the future: opened while the clock was ahead, it would last far too long.
    if session.last_seen_at > now + AHEAD_MS {
        return Ok(None);
    }
    let Some(person) = tx.person_get(&session.person).await? else { return Ok(None) };
    drop(tx);
    if person.disabled_at.is_some() {
        return Ok(None);
    }
    if !following && now - session.last_seen_at >= TOUCH_MS {
        let until = (now + IDLE_MS).min(session.created_at + LONGEST_MS);
        // A full disk does not stop anyone from reading: the page shows a notice.
        if let Err(error) = session_touch(app, token_hash, now, until).await {
            let error = anyhow::Error::new(app.db.health().noted(error));
            tracing::warn!("the last use of a session cannot be written down: {error:#}");
        }
    }
    Ok(Some(Session { scope: person.scope(), person, token_hash: session.token_hash }))
}

async fn session_touch(app: &App, token_hash: &str, now: i64, until: i64) -> StoreResult<()> {
    let mut tx = app.db.write().await?;
    tx.session_touch(token_hash, now, until).await?;
    tx.commit().await
}

/// True while the session lasts and its person may come in; event streams check it repeatedly. A store that cannot be reached ends no session.
pub(crate) async fn session_lasts(app: &App, token_hash: &str) -> bool {
    !matches!(session_find(app, token_hash, true).await, Ok(None))
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        parts.extensions.get().cloned().ok_or_else(|| anyhow::anyhow!("a route outside the visitor's layer").into())
    }
}

/// Why a request that needs a session is turned away.
#[derive(Debug)]
pub(crate) enum AccessRedirect {
    /// Nobody is logged in: redirects to the login and back afterwards.
    Login(String),
    /// The first password must be changed before anything else.
    ChangePassword,
}

impl IntoResponse for AccessRedirect {
    fn into_response(self) -> Response {
        match self {
            Self::Login(next) => {
                let query = [("next", next)];
                let query = form_encode(&query);
                Redirect::to(&format!("/login?{query}")).into_response()
            }
            Self::ChangePassword => Redirect::to("/password").into_response(),
        }
    }
}

/// Path and query, without the scheme and host that HTTP/2 puts in front.
pub(crate) fn path_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// The host and port a request was sent to: from its header, or with HTTP/2 from its address.
pub(crate) fn host_of<'r>(headers: &'r HeaderMap, uri: &'r Uri) -> Option<&'r str> {
    let header = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| uri.authority().map(Authority::as_str))
}

/// Encodes pairs as a query string.
pub(crate) fn form_encode(pairs: &[(&str, String)]) -> String {
    let mut encoded = String::new();
    for (name, value) in pairs {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        encoded.push_str(name);
        encoded.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    encoded
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = AccessRedirect;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AccessRedirect> {
        let session: Option<&Self> = parts.extensions.get();
        let Some(session) = session else {
            // A form that was sent too late cannot be sent again by the login: begin at its page.
            let next = if parts.method == Method::GET { path_of(&parts.uri) } else { "/" };
            let next = next.to_owned();
            return Err(AccessRedirect::Login(next));
        };
        if session.person.must_change && !["/password", "/logout"].contains(&parts.uri.path()) {
            return Err(AccessRedirect::ChangePassword);
        }
        Ok(session.clone())
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::form_encode;

    #[test]
    fn a_query_keeps_to_its_alphabet() {
        assert_eq!(
            form_encode(&[("next", "/offices/1?q=máy&a=b".to_owned())]),
            "next=/offices/1%3Fq%3Dm%C3%A1y%26a%3Db"
        );
    }
}
