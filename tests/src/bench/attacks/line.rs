//! A TLS connection with HTTP/1.1 by hand, to be misused as no library would allow.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use agent::connection::tls::{Anchor, Trust};
use agent::platform::clock::Clock;
use anyhow::{Context, bail};
use protocol::SERVER_NAME;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// A server to be connected to.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    tls: Arc<ClientConfig>,
}

/// A connection after the handshake.
pub(super) struct Line(StreamOwned<ClientConnection, TcpStream>);

impl Target {
    pub(super) fn new(address: SocketAddr, fingerprint: &str) -> anyhow::Result<Self> {
        let anchor = Anchor::Fingerprint(fingerprint.parse().context("the fingerprint")?);
        let mut tls = Trust::new(anchor, Arc::new(Clock::system())).configuration(None)?;
        tls.alpn_protocols.clear();
        Ok(Self { address, tls: Arc::new(tls) })
    }

    pub(super) fn connect(&self, patience: Duration) -> anyhow::Result<Line> {
        let stream = TcpStream::connect_timeout(&self.address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let client = ClientConnection::new(Arc::clone(&self.tls), ServerName::try_from(SERVER_NAME)?)?;
        let mut line = StreamOwned::new(client, stream);
        while line.conn.is_handshaking() {
            line.conn.complete_io(&mut line.sock)?;
        }
        Ok(Line(line))
    }

    /// Fetches a page over its own connection; returns head and body.
    pub(super) fn page(&self, path: &str, patience: Duration) -> anyhow::Result<String> {
        self.connect(patience)?.exchange("GET", path, &[], "")
    }
}

impl Line {
    /// Sends a request without waiting for the answer.
    pub(super) fn send(&mut self, method: &str, path: &str, cookies: &[String], body: &str) -> io::Result<()> {
        let length = body.len();
        let cookies = cookies.join("; ");
        let kind = "application/x-www-form-urlencoded";
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {SERVER_NAME}\r\ncookie: {cookies}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes())?;
        self.0.flush()
    }

    /// Sends a request and reads the whole answer.
    pub(super) fn exchange(
        &mut self,
        method: &str,
        path: &str,
        cookies: &[String],
        body: &str,
    ) -> anyhow::Result<String> {
        self.send(method, path, cookies, body)?;
        let mut answer = self.head()?;
        let length = answer.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.trim().parse()?];
        self.0.read_exact(&mut body)?;
        answer.push_str(&String::from_utf8_lossy(&body));
        Ok(answer)
    }

    /// Reads the head of an answer and leaves the rest.
    pub(super) fn head(&mut self) -> anyhow::Result<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok(String::from_utf8(head)?)
    }
}

/// Logs in a person who has a first password; returns the session's cookies.
pub(super) fn log_in(target: &Target, login: &str, first: &str) -> anyhow::Result<Vec<String>> {
    // Longer than the server lets a login wait.
    let mut line = target.connect(Duration::from_secs(60))?;
    let mut cookies = Vec::new();
    for (path, fields) in [
        ("/login", vec![("login", login), ("password", first)]),
        ("/password", vec![("current", first), ("new", "hoa sữa tháng mười"), ("again", "hoa sữa tháng mười")]),
    ] {
        let page = line.exchange("GET", path, &cookies, "")?;
        keep(&mut cookies, &page);
        let mut form = format!("csrf={}", csrf(&page)?);
        for (name, value) in fields {
            form.push_str(&format!("&{name}="));
            value.bytes().for_each(|byte| form.push_str(&format!("%{byte:02X}")));
        }
        let answer = line.exchange("POST", path, &cookies, &form)?;
        if !answer.starts_with("HTTP/1.1 303") {
            bail!("{path}: {}", answer.lines().next().unwrap_or_default());
        }
        keep(&mut cookies, &answer);
    }
    Ok(cookies)
}

/// The token of the form in a page.
pub(super) fn csrf(page: &str) -> anyhow::Result<&str> {
    let token = page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    Ok(token.context("a form")?.0)
}

/// Keeps the cookies that an answer sets.
pub(super) fn keep(cookies: &mut Vec<String>, answer: &str) {
    for set in answer.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
        let pair = set.split(';').next().unwrap_or(set);
        let name = pair.split('=').next().unwrap_or(pair);
        cookies.retain(|cookie| cookie.split('=').next() != Some(name));
        cookies.push(pair.to_owned());
    }
}
