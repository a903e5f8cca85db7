//! Who is looking at a page: the language, the session if there is one, and the token that ties forms to either. The layer `recognise`
//! determines it once per request; handlers take a [`Visitor`] or, when a login is needed, a [`Session`].

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use policies::text::Language;

use super::refusal;
use crate::act::By;
use crate::app::App;
use crate::audit::Actor;
use crate::store::person::{Person, PersonRole};
use crate::store::{Scope, StoreResult};
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
    /// The id of the person who has a session, or who logged in with this browser before.
    pub(super) known: Option<String>,
    /// The session, if there is one.
    pub(super) session: Option<Session>,
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
    /// True when the visitor has a session.
    pub(crate) fn is_logged_in(&self) -> bool {
        self.session.is_some()
    }
}

/// The session behind a token's hash with its person, unless it ended or the account was closed. A request by the person themselves extends it.
pub(super) async fn session_find(app: &App, token_hash: &str, following: bool) -> Result<Option<Session>, PageError> {
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
