//! As much of a browser as the pages need: it keeps cookies, follows its own forms' tokens and reads what comes back.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt as _;

use crate::tls::Peer;
use crate::web::visitor::form_encode;

/// The answer to a request.
#[derive(Debug)]
pub(in crate::web) struct Answer {
    pub(in crate::web) status: StatusCode,
    pub(in crate::web) headers: HeaderMap,
    /// The raw body, for files.
    pub(in crate::web) bytes: Vec<u8>,
    /// The page; empty when the body is not text.
    pub(in crate::web) body: String,
}

impl Answer {
    /// The target of a redirect.
    pub(in crate::web) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// The text between two markers.
    pub(in crate::web) fn between(&self, before: &str, after: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(before)?;
        rest.split_once(after).map(|(found, _)| found)
    }

    pub(in crate::web) fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }
}

/// A browser.
#[derive(Clone)]
pub(in crate::web) struct Browser {
    router: Router,
    cookies: BTreeMap<String, String>,
    csrf: String,
    /// The address it appears to come from.
    pub(in crate::web) address: [u8; 4],
    /// The port: another one is another connection.
    pub(in crate::web) port: u16,
}

impl Browser {
    pub(in crate::web) fn new(router: Router) -> Self {
        Self { router, cookies: BTreeMap::new(), csrf: String::new(), address: [10, 0, 0, 5], port: 40_000 }
    }

    pub(in crate::web) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    pub(in crate::web) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty(), &[]).await
    }

    /// Sends a form with the token of the page seen last.
    pub(in crate::web) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        self.post_with(path, &csrf, fields, &[]).await
    }

    pub(in crate::web) async fn post_with(
        &mut self,
        path: &str,
        csrf: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut pairs = vec![("csrf", csrf.to_owned())];
        pairs.extend(fields.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.send(Method::POST, path, Body::from(form_encode(&pairs)), headers).await
    }

    /// Opens the login page and logs in.
    pub(in crate::web) async fn login(&mut self, login: &str, password: &str) -> Answer {
        self.get("/login").await;
        self.post("/login", &[("login", login), ("password", password)]).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Body, headers: &[(&str, &str)]) -> Answer {
        let response = self.open(method, path, body, headers).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        let answer = Answer { status, headers, body: String::from_utf8(bytes.clone()).unwrap_or_default(), bytes };
        if let Some(csrf) = answer.between("name=\"csrf\" value=\"", "\"") {
            csrf.clone_into(&mut self.csrf);
        }
        answer
    }

    /// Sends a request and stores the cookies, without reading the body.
    pub(in crate::web) async fn open(
        &mut self,
        method: Method,
        path: &str,
        body: Body,
        headers: &[(&str, &str)],
    ) -> axum::response::Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let peer = Peer { address: (self.address, self.port).into(), certificate: None };
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "tram-an:8443");
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.extension(peer).body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{cookie}");
            for rule in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
                assert!(rest.contains(rule), "{cookie}");
            }
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }
}
