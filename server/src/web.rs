//! The pages: the pages' routes and the layers around them, in the order they run. One file per page below; sentences are
//! in `server/locales`, markup in `server/templates`, style and script in `server/assets`.

mod asset;
mod audit;
mod catalogue;
mod change_password;
mod cookie;
mod csrf_form;
mod download;
mod enrolment;
mod error;
mod events;
mod frame;
mod grade;
mod headers;
mod hold;
mod lan;
mod login;
mod machine;
mod notice;
mod number;
mod office;
mod offices;
mod pages;
mod path;
mod programs;
mod recognise;
mod refusal;
mod roster;
mod secret;
mod sessions;
#[cfg(test)]
mod tests;
mod tree;
mod visitor;
mod waiver;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{MethodRouter, get, post};

use crate::app::App;

/// Every page and form by its path. A test keeps a snapshot of each page.
fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/", get(async || Redirect::to("/offices"))),
        ("/login", get(login::login_page).post(login::login_submit)),
        ("/logout", post(login::logout_submit)),
        ("/language", post(login::language_submit)),
        ("/password", get(change_password::password_page).post(change_password::password_submit)),
        ("/sessions", get(sessions::sessions_page).post(sessions::sessions_end_submit)),
        ("/offices", get(offices::office_list_page)),
        ("/offices/{office}", get(office::office_show)),
        ("/offices/{office}/lan", get(lan::lan_show).post(lan::lan_submit)),
        ("/offices/{office}/roster/link", post(roster::link_submit)),
        ("/events", get(events::events_get)),
        ("/audit", get(audit::audit_page).post(audit::audit_verify)),
        ("/enrolment", get(enrolment::enrolment_page).post(enrolment::token_make)),
        ("/enrolment/{token}/revoke", post(enrolment::token_revoke)),
        ("/programs", get(programs::programs_page)),
        ("/programs/{name}", get(programs::program_get)),
        ("/machines/{machine}", get(machine::machine_page)),
        ("/machines/{machine}/confirm", post(machine::machine_confirm)),
        ("/machines/{machine}/revoke", post(machine::machine_revoke)),
        ("/machines/{machine}/check", post(machine::machine_check)),
        ("/machines/{machine}/waivers", post(waiver::ask_submit)),
        ("/holds/{hold}/agree", post(hold::agree_submit)),
        ("/waivers/{waiver}/grant", post(waiver::grant_submit)),
        ("/waivers/{waiver}/refuse", post(waiver::refuse_submit)),
        ("/waivers/{waiver}/withdraw", post(waiver::withdraw_submit)),
    ]
}

/// The routes of the pages, with all their layers. Handles every path that no other router has.
pub fn router(app: &App) -> Router<App> {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .fallback(unknown)
        .layer(from_fn_with_state(app.clone(), recognise::recognise))
        .route("/assets/{hash}/{name}", get(asset::asset_get))
        .layer(from_fn(headers::add_headers))
}

async fn unknown() -> error::PageError {
    refusal::unknown_page(StatusCode::NOT_FOUND)
}
