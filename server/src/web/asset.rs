//! Style sheet, script and icon: parts of the program, served at paths that contain their hash, so that browsers can
//! cache them for ever and never use an old one.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::secret::hash_token;
use crate::web::error::PageError;

struct Asset {
    path: String,
    kind: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(name: &str, kind: &'static str, content: &'static str) -> Self {
        let hash = &hash_token(content)[..16];
        Self { path: format!("/assets/{hash}/{name}"), kind, content }
    }
}

static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page.css", "text/css; charset=utf-8", include_str!("../../assets/page.css")));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page.js", "text/javascript; charset=utf-8", include_str!("../../assets/page.js")));
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")));

/// Path of the style sheet.
pub(crate) fn style_path() -> &'static str {
    &STYLE.path
}

/// Path of the script.
pub(crate) fn script_path() -> &'static str {
    &SCRIPT.path
}

/// Path of the icon.
pub(crate) fn icon_path() -> &'static str {
    &ICON.path
}

/// `GET /assets/{hash}/{name}`
pub(crate) async fn asset_get(Path((hash, name)): Path<(String, String)>) -> Result<Response, PageError> {
    let path = format!("/assets/{hash}/{name}");
    let asset = [&*STYLE, &*SCRIPT, &*ICON]
        .into_iter()
        .find(|asset| asset.path == path)
        .ok_or_else(|| super::refusal::unknown_page(StatusCode::NOT_FOUND))?;
    let mut response = asset.content.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}
