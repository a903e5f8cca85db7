//! Forms that people send: read with a bound on their size, and only when they come from one of our own pages.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::{Form, RequestExt, body};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::refusal;
use super::secret::same_token;
use super::visitor::Visitor;
use crate::store::text::is_storable_encoded;
use crate::web::error::PageError;

/// The largest form accepted, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// The same for forms of visitors who are not logged in.
const MOST_STRANGER_BYTES: usize = 8 * 1024;

/// A form that takes longer to arrive is dropped.
const ARRIVES: Duration = Duration::from_secs(30);

/// The fields of a form whose token was valid. The only way for handlers to read a body.
#[derive(Debug)]
pub(crate) struct CsrfForm<T>(pub(crate) T);

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for CsrfForm<T> {
    type Rejection = PageError;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, PageError> {
        let visitor: Visitor = request.extract_parts().await?;
        if comes_from_elsewhere(request.headers(), &visitor.host) {
            return Err(refusal::foreign_form());
        }
        let most = if visitor.is_logged_in() { MOST_BYTES } else { MOST_STRANGER_BYTES };
        let body = timeout(ARRIVES, body::to_bytes(request.into_body(), most))
            .await
            .map_err(|_| refusal::broken_form(StatusCode::REQUEST_TIMEOUT))?
            .map_err(|_| refusal::broken_form(StatusCode::PAYLOAD_TOO_LARGE))?;
        if !is_storable_encoded(&body) {
            return Err(refusal::broken_form(StatusCode::BAD_REQUEST));
        }
        let Form(token): Form<Token> = read_form(body.clone()).await?;
        if !same_token(&token.csrf, &visitor.csrf) {
            return Err(refusal::foreign_form());
        }
        let Form(fields) = read_form(body).await?;
        Ok(Self(fields))
    }
}

async fn read_form<T: DeserializeOwned>(body: body::Bytes) -> Result<Form<T>, PageError> {
    let mut request = Request::new(body.into());
    *request.method_mut() = Method::POST;
    let kind = axum::http::HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    Form::from_request(request, &()).await.map_err(|_| refusal::broken_form(StatusCode::BAD_REQUEST))
}

/// True when the browser itself says that another site sent the form. Old browsers say nothing; for them the token decides.
fn comes_from_elsewhere(headers: &HeaderMap, host: &str) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if said("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return true;
    }
    said("origin").is_some_and(|origin| origin.split_once("://").map(|(_, named)| named) != Some(host))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_form_of_another_site_is_known_by_what_the_browser_says() {
        let elsewhere = |pairs: &[(&'static str, &'static str)]| comes_from_elsewhere(&headers(pairs), "tram-an:8443");
        assert!(elsewhere(&[("sec-fetch-site", "cross-site")]));
        assert!(elsewhere(&[("sec-fetch-site", "same-site")]));
        assert!(elsewhere(&[("origin", "https://bad.example")]));
        assert!(elsewhere(&[("origin", "https://tram-an:8443.bad.example")]));
        assert!(elsewhere(&[("origin", "null")]));
        assert!(!elsewhere(&[("sec-fetch-site", "same-origin"), ("origin", "https://tram-an:8443")]));
        assert!(!elsewhere(&[]));
    }
}
