//! What people see: the pages' routes and the layers around them, in the order they run. One file per page below; sentences
//! are in `server/locales`, markup in `server/templates`, style and script in `server/assets`.

mod asset;
mod audit;
mod change_password;
mod cookie;
mod download;
mod enrolment;
mod error;
mod events;
mod frame;
mod grade;
mod headers;
mod login;
mod machine;
mod notice;
mod number;
mod office;
mod offices;
mod pages;
mod path;
mod posted;
mod programs;
mod refusal;
mod roster;
mod secret;
#[cfg(test)]
mod tests;
mod tree;
mod visitor;
mod waiver;
mod words;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};

use crate::app::App;

/// The routes of the pages, with everything around them. Takes every path that no other router has.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(async || Redirect::to("/offices")))
        .route("/login", get(login::login_page).post(login::login_submit))
        .route("/logout", post(login::logout_submit))
        .route("/language", post(login::language_submit))
        .route("/password", get(change_password::password_page).post(change_password::password_submit))
        .route("/offices", get(offices::office_list_page))
        .route("/offices/{office}", get(office::office_show))
        .route("/offices/{office}/roster/link", post(roster::link_submit))
        .route("/events", get(events::events_get))
        .route("/audit", get(audit::audit_page).post(audit::audit_verify))
        .route("/enrolment", get(enrolment::enrolment_page).post(enrolment::token_make))
        .route("/enrolment/{token}/revoke", post(enrolment::token_revoke))
        .route("/programs", get(programs::programs_page))
        .route("/programs/{name}", get(programs::program_get))
        .route("/machines/{machine}", get(machine::machine_page))
        .route("/machines/{machine}/confirm", post(machine::machine_confirm))
        .route("/machines/{machine}/revoke", post(machine::machine_revoke))
        .route("/machines/{machine}/check", post(machine::machine_check))
        .route("/machines/{machine}/waivers", post(waiver::ask_submit))
        .route("/waivers/{waiver}/grant", post(waiver::grant_submit))
        .route("/waivers/{waiver}/refuse", post(waiver::refuse_submit))
        .route("/waivers/{waiver}/withdraw", post(waiver::withdraw_submit))
        .fallback(unknown)
        .layer(from_fn_with_state(app.clone(), visitor::recognise))
        .route("/assets/{hash}/{name}", get(asset::asset_get))
        .layer(from_fn(headers::add_headers))
}

async fn unknown() -> error::PageError {
    refusal::unknown_page(StatusCode::NOT_FOUND)
}
