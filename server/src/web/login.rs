//! The pages `/login` and `/logout`, and the language switch: the only routes for visitors who are not logged in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::cookie::Cookie;
use super::csrf_form::CsrfForm;
use super::frame::{Frame, NavItem, render};
use super::secret::{draw_token, hash_token};
use super::visitor::{IDLE_MS, Session, Visitor};
use policies::text;

use crate::act::password;
use crate::app::App;
use crate::app::throttle::Origin;
use crate::app::throttle::sum::{Owner, sums_write};
use crate::audit::{Action, Actor, Change};
use crate::store::person::Person;
use crate::store::session;
use crate::tls::Peer;
use crate::web::error::PageError;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    t: Catalogue,
    frame: Frame,
    login: String,
    next: String,
    notice: String,
    error: String,
}

/// The query of `/login`.
#[derive(Debug, Deserialize)]
pub(crate) struct LoginQuery {
    #[serde(default)]
    next: String,
}

/// What the login form sends.
#[derive(Deserialize)]
pub(crate) struct LoginForm {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`
pub(crate) async fn login_page(
    State(app): State<App>,
    visitor: Visitor,
    session: Option<Session>,
    Query(query): Query<LoginQuery>,
) -> Result<Response, PageError> {
    if session.is_some() {
        return Ok(Redirect::to(own_path(&query.next)).into_response());
    }
    let t = Catalogue::new(visitor.language);
    let notice = if visitor.expired {
        t.text(
            "Phiên làm việc đã hết hạn. Hãy đăng nhập lại để tiếp tục.",
            "Your session has ended. Log in again to go on.",
        )
    } else {
        ""
    };
    render(&LoginPage {
        t,
        frame: visitor.frame(&app, t.text("Đăng nhập", "Log in"), NavItem::Nowhere),
        login: String::new(),
        next: query.next,
        notice: notice.to_owned(),
        error: String::new(),
    })
}

/// The result of a login attempt.
enum Tried {
    /// The password is right; with how many wrong ones were typed for this account recently.
    Welcome(Box<Person>, u64),
    /// Name or password is wrong; which one is not revealed.
    Wrong,
    /// Too many mistakes, or too many attempts at once; the next attempt is possible after this time.
    Wait(Duration),
}

/// `POST /login`
pub(crate) async fn login_submit(
    State(app): State<App>,
    visitor: Visitor,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    CsrfForm(form): CsrfForm<LoginForm>,
) -> Result<Response, PageError> {
    let peer = peer.map_or((Ipv4Addr::UNSPECIFIED, 0).into(), |Extension(peer)| peer.address);
    let name = form.login.trim().to_lowercase();
    let device = Cookie::Device.read(&headers);
    let tried = login_try(&app, &name, form.password, device.as_deref(), peer).await?;
    let t = Catalogue::new(visitor.language);
    let (status, error, again) = match tried {
        Tried::Welcome(person, failures) => {
            return welcome(&app, &person, failures, peer.ip(), device, &form.next).await;
        }
        Tried::Wrong => (
            StatusCode::UNAUTHORIZED,
            t.text("Tên đăng nhập hoặc mật khẩu không đúng.", "The login name or the password is wrong.").to_owned(),
            None,
        ),
        Tried::Wait(wait) => (StatusCode::TOO_MANY_REQUESTS, wait_words(wait, t), Some(wait)),
    };
    let mut response = render(&LoginPage {
        t,
        frame: visitor.frame(&app, t.text("Đăng nhập", "Log in"), NavItem::Nowhere),
        login: name,
        next: form.next,
        notice: String::new(),
        error,
    })?;
    *response.status_mut() = status;
    if let Some(again) = again {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds(again)));
    }
    Ok(response)
}

/// Whole seconds after which `time` has certainly passed.
const fn seconds(time: Duration) -> u64 {
    time.as_secs() + 1
}

/// How long to wait, for a person.
pub(crate) fn wait_words(wait: Duration, t: Catalogue) -> String {
    if wait < Duration::from_secs(60) {
        return t.own(text!(
            "Đang có nhiều lượt đăng nhập hoặc nhiều lần nhập sai mật khẩu từ địa chỉ này hay vào tài khoản này. Hãy thử lại sau {0} giây.",
            "There are many logins or wrong passwords from this address or for this account. Try again in {0} s.",
            seconds(wait)
        ));
    }
    t.own(text!(
        "Sai mật khẩu quá nhiều lần từ nơi này. Hãy thử lại sau {0} phút.",
        "Too many wrong passwords from this place. Try again in {0} min.",
        wait.as_secs() / 60 + 1
    ))
}

/// The account that may log in under `name`.
async fn account_find(app: &App, name: &str) -> Result<Option<Person>, PageError> {
    let person = app.db.read().await?.person_by_login(name).await?;
    Ok(person.filter(|person| person.disabled_at.is_none()))
}

/// Where an attempt at the account `name` comes from: `device` if its person used it before, else `peer`.
async fn origin_find(app: &App, name: &str, device: Option<&str>, peer: SocketAddr) -> Result<Origin, PageError> {
    if let (Some(person), Some(device)) = (account_find(app, name).await?, device) {
        let device = hash_token(device);
        if app.db.read().await?.known_device_person(&device).await?.is_some_and(|known| known == person.id) {
            return Ok(Origin::Known(device));
        }
    }
    Ok(Origin::Stranger(peer))
}

async fn login_try(
    app: &App,
    name: &str,
    secret: String,
    device: Option<&str>,
    peer: SocketAddr,
) -> Result<Tried, PageError> {
    let origin = origin_find(app, name, device, peer).await?;
    let ticket = match app.pages.throttle.enter(origin, &hash_token(name), &app.clock).await {
        Ok(ticket) => ticket,
        Err(wait) => return Ok(Tried::Wait(wait)),
    };
    // Read now: while the attempt waited, the password may have been changed or the account closed.
    let person = account_find(app, name).await?;
    let hash = person.as_ref().map(|person| person.password_hash.clone());
    let right = ticket.work(move || password::verify(&secret, hash.as_deref())).await?;
    match person {
        Some(person) if right => Ok(Tried::Welcome(Box::new(person), ticket.right())),
        person => {
            let owner = person.map(|person| Owner::new(&person, peer.ip()));
            sums_write(app, ticket.wrong(owner, app.clock.steady())).await;
            Ok(Tried::Wrong)
        }
    }
}

async fn welcome(
    app: &App,
    person: &Person,
    failures: u64,
    address: IpAddr,
    device: Option<String>,
    next: &str,
) -> Result<Response, PageError> {
    let now = app.clock.now_ms();
    let device = match device {
        Some(device) => device,
        None => draw_token()?,
    };
    let mut tx = app.db.write().await?;
    tx.session_prune(now).await?;
    let token = session_open(&mut tx, &person.id, now).await?;
    tx.known_device_insert(&hash_token(&device), &person.id, now).await?;
    tx.person_login_set(&person.id, now).await?;
    let actor = Actor::Person { id: person.id.clone(), login: person.login.clone() };
    let mut change =
        Change::new(actor, Action::LoggedIn, person.office.as_deref(), &person.login).with("address", address);
    if failures > 0 {
        change = change.with("failures", failures);
    }
    tx.audit_append(now, &change).await?;
    tx.commit().await?;
    let mut response = Redirect::to(own_path(next)).into_response();
    let headers = response.headers_mut();
    Cookie::Session.set(headers, &token);
    Cookie::Device.set(headers, &device);
    Cookie::Form.remove(headers);
    Ok(response)
}

/// Opens a session for a person; returns its token, which is stored nowhere else.
pub(crate) async fn session_open(tx: &mut crate::store::Tx, person: &str, now: i64) -> Result<String, PageError> {
    let token = draw_token()?;
    tx.session_insert(&session::Session {
        token_hash: hash_token(&token),
        person: person.to_owned(),
        created_at: now,
        last_seen_at: now,
        expires_at: now + IDLE_MS,
    })
    .await?;
    Ok(token)
}

/// What a form without fields of its own sends.
#[derive(Debug, Deserialize)]
pub(crate) struct NoFields {}

/// `POST /logout`
pub(crate) async fn logout_submit(
    State(app): State<App>,
    session: Session,
    CsrfForm(NoFields {}): CsrfForm<NoFields>,
) -> Result<Response, PageError> {
    let now = app.clock.now_ms();
    let mut tx = app.db.write().await?;
    tx.session_delete(&session.token_hash).await?;
    let office = session.person.office.as_deref();
    let change = Change::new(session.actor(), Action::LoggedOut, office, &session.person.login);
    tx.audit_append(now, &change).await?;
    tx.commit().await?;
    let mut response = Redirect::to("/login").into_response();
    Cookie::Session.remove(response.headers_mut());
    Ok(response)
}

/// What the language switch sends.
#[derive(Debug, Deserialize)]
pub(crate) struct LanguageForm {
    language: String,
    #[serde(default)]
    next: String,
}

/// `POST /language`
pub(crate) async fn language_submit(
    State(app): State<App>,
    session: Option<Session>,
    CsrfForm(form): CsrfForm<LanguageForm>,
) -> Result<Response, PageError> {
    let language = if form.language == "en" { "en" } else { "vi" };
    if let Some(session) = session {
        let mut tx = app.db.write().await?;
        tx.person_language_set(&session.person.id, language).await?;
        tx.commit().await?;
    }
    let mut response = Redirect::to(own_path(&form.next)).into_response();
    Cookie::Language.set(response.headers_mut(), language);
    Ok(response)
}

/// `next` when it leads to a page of this server, else the first page: a link must not lead people to another site.
fn own_path(next: &str) -> &str {
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn the_way_back_stays_on_this_server() {
        assert_eq!(own_path("/offices/1?q=a%20b"), "/offices/1?q=a%20b");
        for elsewhere in ["", "//bad.example", "https://bad.example", "/\\bad.example", "/a\r\nset-cookie: a", "x"] {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
