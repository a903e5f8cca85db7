//! The pages' cookies: reading one, and setting or removing one. All carry the prefix `__Host-`, so that a browser
//! accepts them only from this very host over TLS and no neighbour under the same name can plant one.

use axum::http::{HeaderMap, HeaderValue, header};

/// One of the pages' cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The token of a session; gone when the browser closes.
    Session,
    /// Ties the forms of a visitor without a session to this browser; gone when the browser closes.
    Form,
    /// The language a visitor chose; a year.
    Language,
    /// Marks a browser a person logged in with before; a year.
    Device,
}

const YEAR_S: u32 = 365 * 24 * 3600;

impl Cookie {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "__Host-session",
            Self::Form => "__Host-form",
            Self::Language => "__Host-language",
            Self::Device => "__Host-device",
        }
    }

    /// The cookie's value in a request, if it is present exactly once and looks like one of ours.
    pub(crate) fn read(self, headers: &HeaderMap) -> Option<String> {
        let mut values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name())
            .map(|(_, value)| value);
        let value = values.next()?;
        let ours = value.len() <= 128 && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (values.next().is_none() && ours).then(|| value.to_owned())
    }

    /// Adds the header that sets the cookie; `value` holds ASCII letters and digits only.
    pub(crate) fn set(self, headers: &mut HeaderMap, value: &str) {
        let age = match self {
            Self::Session | Self::Form => String::new(),
            Self::Language | Self::Device => format!("; Max-Age={YEAR_S}"),
        };
        self.append(headers, &format!("{value}; Path=/; Secure; HttpOnly; SameSite=Strict{age}"));
    }

    /// Adds the header that removes the cookie.
    pub(crate) fn remove(self, headers: &mut HeaderMap) {
        self.append(headers, "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    }

    fn append(self, headers: &mut HeaderMap, rest: &str) {
        if let Ok(value) = HeaderValue::from_str(&format!("{}={rest}", self.name())) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        headers
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers("a=b; __Host-session=abc123; __Host-language=en");
        assert_eq!(Cookie::Session.read(&headers).as_deref(), Some("abc123"));
        assert_eq!(Cookie::Language.read(&headers).as_deref(), Some("en"));
        assert_eq!(Cookie::Form.read(&headers), None);
    }

    #[test]
    fn doubled_or_strange_cookies_are_no_cookies() {
        assert_eq!(Cookie::Session.read(&headers("__Host-session=a; __Host-session=b")), None);
        assert_eq!(Cookie::Session.read(&headers("__Host-session=\"a\"")), None);
        assert_eq!(Cookie::Session.read(&headers(&format!("__Host-session={}", "a".repeat(200)))), None);
    }

    #[test]
    fn a_cookie_is_set_for_this_host_alone() {
        let mut headers = HeaderMap::new();
        Cookie::Session.set(&mut headers, "abc");
        assert_eq!(headers[header::SET_COOKIE], "__Host-session=abc; Path=/; Secure; HttpOnly; SameSite=Strict",);
    }
}
