//! What agents call: the routes of `/agent/*`. Each file below owns one of them.

use axum::Router;

use crate::app::App;

/// The routes of `/agent/*`.
pub fn router() -> Router<App> {
    Router::new()
}
