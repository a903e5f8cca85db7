//! The page `/password`: a person changes their own password; the first one must be changed before anything else.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::cookie::Cookie;
use super::csrf_form::CsrfForm;
use super::frame::{Frame, NavItem, render};
use super::login::{session_open, wait_words};
use super::secret::{draw_token, hash_token};
use super::visitor::{Session, Visitor};
use policies::text;

use crate::act::password::{self, MIN_CHARACTERS, Weakness};
use crate::app::App;
use crate::app::throttle::Origin;
use crate::app::throttle::sum::{Owner, sums_write};
use crate::audit::{Action, Change};
use crate::web::error::PageError;

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    t: Catalogue,
    frame: Frame,
    login: String,
    first: bool,
    rule: String,
    error: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    current: String,
    new: String,
    again: String,
}

fn page(app: &App, visitor: &Visitor, session: &Session, error: String) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    render(&PasswordPage {
        t,
        frame: visitor.frame(app, t.text("Đổi mật khẩu", "Change password"), NavItem::Password),
        login: session.person.login.clone(),
        first: session.person.must_change,
        rule: t.own(text!("Ít nhất {0} ký tự; một câu dễ nhớ, có dấu cách, là tốt nhất. Đổi mật khẩu sẽ kết thúc các phiên đăng nhập khác.", "At least {0} characters; a sentence you remember, with spaces, is best. Changing it ends your other sessions.", MIN_CHARACTERS)),
        error,
    })
}

/// `GET /password`
pub(crate) async fn password_page(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
) -> Result<Response, PageError> {
    page(&app, &visitor, &session, String::new())
}

/// `POST /password`
pub(crate) async fn password_submit(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    CsrfForm(form): CsrfForm<PasswordForm>,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let refuse = |status: StatusCode, error: String| {
        let mut response = page(&app, &visitor, &session, error)?;
        *response.status_mut() = status;
        Ok(response)
    };
    let unusable = |vi, en| refuse(StatusCode::UNPROCESSABLE_ENTITY, t.text(vi, en).to_owned());
    if form.new != form.again {
        return unusable("Hai lần nhập mật khẩu mới không giống nhau.", "The two new passwords differ.");
    }
    if form.new == form.current {
        return unusable(
            "Mật khẩu mới phải khác mật khẩu hiện tại.",
            "The new password must differ from the current one.",
        );
    }
    match password::check_new(&form.new, &session.person.login) {
        Ok(()) => {}
        Err(Weakness::Short) => {
            return refuse(
                StatusCode::UNPROCESSABLE_ENTITY,
                t.own(text!(
                    "Mật khẩu mới có ít hơn {0} ký tự.",
                    "The new password has fewer than {0} characters.",
                    MIN_CHARACTERS
                )),
            );
        }
        Err(Weakness::Long) => return unusable("Mật khẩu mới quá dài.", "The new password is too long."),
        Err(Weakness::Plain) => {
            return unusable(
                "Mật khẩu mới lặp lại quá ít ký tự. Hãy chọn mật khẩu khác.",
                "The new password repeats too few characters. Choose another.",
            );
        }
        Err(Weakness::Name) => {
            return unusable(
                "Mật khẩu mới không được chứa tên đăng nhập.",
                "The new password must not contain the login name.",
            );
        }
    }

    let now = app.clock.now_ms();
    let login = hash_token(&session.person.login);
    let origin = Origin::Session(session.token_hash.clone());
    let ticket = match app.pages.throttle.enter(origin, &login, &app.clock).await {
        Ok(ticket) => ticket,
        Err(wait) => return refuse(StatusCode::TOO_MANY_REQUESTS, wait_words(wait, t)),
    };
    let current = session.person.password_hash.clone();
    if !ticket.work(move || password::verify(&form.current, Some(&current))).await? {
        let owner = Owner::new(&session.person, "");
        sums_write(&app, ticket.wrong(Some(owner), app.clock.steady())).await;
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            t.text("Mật khẩu hiện tại không đúng.", "The current password is wrong.").to_owned(),
        );
    }
    let hash = ticket.work(move || password::hash(&form.new)).await??;
    ticket.right();
    password_set(&app, &session, &hash, now).await
}

/// Sets the password, ends every session of the person and opens a new one for this browser.
async fn password_set(app: &App, session: &Session, hash: &str, now: i64) -> Result<Response, PageError> {
    let person = &session.person;
    let device = draw_token()?;
    let mut tx = app.db.write().await?;
    tx.person_password_set(&person.id, hash, false).await?;
    tx.session_delete_others(&person.id, "").await?;
    tx.known_device_clear(&person.id).await?;
    tx.known_device_insert(&hash_token(&device), &person.id, now).await?;
    let token = session_open(&mut tx, &person.id, now).await?;
    let change = Change::new(session.actor(), Action::PasswordChanged, person.office.as_deref(), &person.login);
    tx.audit_append(now, &change).await?;
    tx.commit().await?;
    let mut response = Redirect::to("/").into_response();
    Cookie::Session.set(response.headers_mut(), &token);
    Cookie::Device.set(response.headers_mut(), &device);
    Ok(response)
}
