//! The connection to the server: HTTP/2 over TLS 1.3, no redirects, a proxy only from our own configuration, every answer
//! bounded in size. Owns one request and its answer; the caller decides when to retry.

use std::sync::Arc;
use std::time::Duration;

use policies::text;
use policies::text::{Text, visible};
use protocol::{Digest, Refusal, RefusalAction, ReportAnswers, SignedBundle, limits, path};
use rustls::pki_types::PrivateKeyDer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connection::tls::{Rejected, RejectedReason, Trust, WrongTime};
use crate::platform::clock::Suspect;

pub mod backoff;
#[cfg(target_os = "linux")]
mod names;
#[cfg(test)]
pub(crate) mod test_server;
pub mod tls;

/// The server's error code for a machine certificate that is not valid at the server's time.
const CERTIFICATE_EXPIRED: &str = "certificate_expired";
/// The most characters shown of a sentence from outside.
const SHOWN: usize = 500;
/// Timeout for establishing a connection.
const CONNECT: Duration = Duration::from_secs(15);
/// Timeout of an ordinary request.
const EXCHANGE: Duration = Duration::from_secs(60);
/// Timeout of a poll: how long the server holds it, plus its 20 % spread, plus transit.
const POLL: Duration = Duration::from_secs(limits::POLL_HELD.as_secs() * 12 / 10 + 60);
/// After this much silence the system probes the other end, without waking the agent.
const KEEP_ALIVE: Duration = Duration::from_secs(4 * 60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
pub enum WireError {
    /// No connection, or it broke.
    Unreachable {
        /// `HOST:PORT`.
        address: String,
        /// The system's error message.
        reason: String,
    },
    /// The other end did not prove that it is the server.
    Untrusted {
        /// `HOST:PORT`.
        address: String,
        /// Its certificate and what is wrong with it.
        rejected: Rejected,
    },
    /// The server's end closed the connection because of the dates of the machine's certificate.
    OutOfDate {
        /// `HOST:PORT`.
        address: String,
    },
    /// The server refused.
    Refused {
        /// The refusal.
        refusal: Refusal,
    },
    /// The answer is not in a form this agent knows.
    Unusable(String),
    /// The connection cannot be set up at all; says why.
    SetUp(String),
}

impl WireError {
    /// How long the server asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { refusal } => refusal.retry_after_s.map(|seconds| Duration::from_secs(seconds.into())),
            _ => None,
        }
    }

    /// True when the same request must never be sent again.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused { refusal } if refusal.action == RefusalAction::Final)
    }

    /// True when the machine's certificate is not valid at the server's time and a renewal would help.
    pub fn is_out_of_date(&self) -> bool {
        match self {
            Self::OutOfDate { .. } => true,
            Self::Refused { refusal } => refusal.code == CERTIFICATE_EXPIRED,
            _ => false,
        }
    }

    /// The error message for people, in both languages.
    pub fn text(&self) -> Text {
        match self {
            Self::OutOfDate { address } => text!(
                "máy chủ {address} cho biết chứng thư của máy này không có hiệu lực theo giờ của máy chủ; chứng thư sẽ được gia hạn",
                "the server at {address} says that this machine's certificate is not valid at its time; it will be renewed"
            ),
            Self::Unreachable { address, reason } => text!(
                "không kết nối được máy chủ {address}: {reason}",
                "cannot reach the server at {address}: {reason}"
            ),
            Self::Untrusted { address, rejected } => {
                let Text { vi, en } = rejected_text(rejected);
                text!("không tin cậy máy chủ {address}: {vi}", "the server at {address} is not trusted: {en}")
            }
            Self::Refused { refusal } => {
                let [vi, en] = [&refusal.message.vi, &refusal.message.en].map(|text| visible(text, SHOWN));
                text!("máy chủ từ chối ({0}): {vi}", "the server refused ({0}): {en}", visible(&refusal.code, 64))
            }
            Self::Unusable(reason) => text!(
                "không dùng được câu trả lời của máy chủ: {reason}",
                "the server's answer cannot be used: {reason}"
            ),
            Self::SetUp(reason) => {
                text!("không thiết lập được kết nối: {reason}", "cannot set up the connection: {reason}")
            }
        }
    }
}

fn rejected_text(rejected: &Rejected) -> Text {
    let issuer = visible(&rejected.issuer, 200);
    match &rejected.reason {
        RejectedReason::OtherIssuer => text!(
            "chứng thư do \"{issuer}\" cấp, không phải máy chủ của cơ quan. Kiểm tra địa chỉ và dấu vân tay; nếu trên đường truyền có \
                 thiết bị giải mã TLS, hãy cho kết nối này đi thẳng",
            "its certificate was issued by \"{issuer}\", not by our server. Check address and fingerprint; if a device on the way \
                 decrypts TLS, exempt this connection"
        ),
        RejectedReason::Time(wrong) => wrong_time_text(wrong),
        RejectedReason::Other(reason) => {
            let reason = visible(reason, SHOWN);
            text!("chứng thư không hợp lệ: {reason}", "its certificate is not valid: {reason}")
        }
    }
}

/// Says whose clock to check, and which times do not fit.
fn wrong_time_text(wrong: &WrongTime) -> Text {
    let WrongTime { suspect, own, valid } = *wrong;
    let [from, until, own] = [valid.from, valid.until, own]
        .map(|at| policies::phrase::date(jiff::Timestamp::from_millisecond(at).unwrap_or_default()));
    let advice = match suspect {
        Suspect::Own => text!(
            "đồng hồ của máy này sai, hãy chỉnh lại ngày giờ của máy này",
            "this machine's clock is wrong; set its date and time"
        ),
        Suspect::Server => text!(
            "đồng hồ của máy chủ sai, hãy báo cán bộ phụ trách chỉnh lại ngày giờ của máy chủ",
            "the server's clock is wrong; ask the officer in charge to set it"
        ),
        Suspect::Either => text!(
            "đồng hồ của máy này hoặc của máy chủ sai, hãy kiểm tra cả hai",
            "this machine's clock or the server's is wrong; check both"
        ),
    };
    Text::new(
        format!(
            "chứng thư của máy chủ có hiệu lực từ {} đến {}, đồng hồ của máy này chỉ ngày {}: {}",
            from.vi, until.vi, own.vi, advice.vi
        ),
        format!(
            "the server's certificate is valid from {} to {}, this machine's clock says {}: {}",
            from.en, until.en, own.en, advice.en
        ),
    )
}

/// A connection to one server.
#[derive(Clone, Debug)]
pub struct Connection {
    client: reqwest::Client,
    address: String,
    trust: Arc<Trust>,
}

impl Connection {
    /// Prepares a connection to `address` (`HOST:PORT`); sends nothing yet. `machine` is the certificate chain and the
    /// key.
    ///
    /// # Errors
    /// When certificate, key or proxy cannot be used.
    pub fn new(
        address: &str,
        proxy: Option<&str>,
        trust: &Arc<Trust>,
        machine: Option<(Vec<Vec<u8>>, PrivateKeyDer<'static>)>,
    ) -> Result<Self, WireError> {
        let configuration = trust.configuration(machine).map_err(|error| WireError::SetUp(error.to_string()))?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(configuration)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .http2_prior_knowledge()
            .http2_initial_stream_window_size(256 * 1024)
            .http2_initial_connection_window_size(512 * 1024)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(None)
            .tcp_keepalive(KEEP_ALIVE);
        #[cfg(target_os = "linux")]
        {
            builder = builder.dns_resolver(names::Names);
        }
        if let Some(proxy) = proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|error| WireError::SetUp(reason(&error)))?);
        }
        let client = builder.build().map_err(|error| WireError::SetUp(reason(&error)))?;
        Ok(Self { client, address: address.to_owned(), trust: Arc::clone(trust) })
    }

    /// Sends JSON and reads JSON.
    ///
    /// # Errors
    /// See [`WireError`].
    pub async fn post<Q: Serialize, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, WireError> {
        let body = serde_json::to_vec(question).map_err(|error| WireError::SetUp(error.to_string()))?;
        let timeout = if path == path::POLL { POLL } else { EXCHANGE };
        let request = self.client.post(self.url(path)).header("content-type", "application/json").body(body);
        read(&self.exchange(request.timeout(timeout), limits::ANSWER_BODY).await?)
    }

    /// Sends report frames.
    ///
    /// # Errors
    /// See [`WireError`].
    pub async fn send_reports(&self, frames: Vec<u8>) -> Result<ReportAnswers, WireError> {
        let url = format!("{}?{}", self.url(path::REPORTS), protocol::report::ANNOUNCED);
        let request = self.client.post(url).header("content-type", protocol::REPORTS_MEDIA_TYPE);
        read(&self.exchange(request.body(frames).timeout(EXCHANGE), limits::ANSWER_BODY).await?)
    }

    /// Fetches the policy bundle with this address.
    ///
    /// # Errors
    /// See [`WireError`]; a bundle with another address is [`WireError::Unusable`].
    pub async fn policy(&self, address: Digest) -> Result<SignedBundle, WireError> {
        let request = self.client.get(self.url(&format!("{}{address}", path::POLICY))).timeout(EXCHANGE);
        // A bundle travels as JSON text inside JSON: every quote and newline is escaped once more.
        let bundle: SignedBundle = read(&self.exchange(request, 3 * limits::BUNDLE).await?)?;
        if bundle.address() != address {
            return Err(WireError::Unusable(format!(
                "the policy has the address {}, asked for was {address}",
                bundle.address()
            )));
        }
        Ok(bundle)
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    async fn exchange(&self, request: reqwest::RequestBuilder, most: usize) -> Result<Vec<u8>, WireError> {
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        let retry_after_s = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse::<u32>().ok());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + chunk.len() > most {
                return Err(WireError::Unusable(format!("it has more than {most} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(body);
        }
        let mut refusal: Refusal = serde_json::from_slice(&body).map_err(|_| {
            WireError::Unusable(format!("status {status}, which is not how our server refuses (a proxy's answer?)"))
        })?;
        refusal.retry_after_s = refusal.retry_after_s.or(retry_after_s);
        Err(WireError::Refused { refusal })
    }

    fn failed(&self, error: &reqwest::Error) -> WireError {
        let address = self.address.clone();
        match self.trust.rejected() {
            Some(rejected) => WireError::Untrusted { address, rejected },
            None if hung_up_for_dates(error) => WireError::OutOfDate { address },
            None => WireError::Unreachable { address, reason: reason(error) },
        }
    }
}

fn read<A: DeserializeOwned>(body: &[u8]) -> Result<A, WireError> {
    serde_json::from_slice(body).map_err(|error| WireError::Unusable(error.to_string()))
}

/// The innermost cause in the system's own words: the outer errors only say that a request failed.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// True when the other end closed the connection with the alert that our certificate has expired or is not valid yet (RFC 8446,
/// 6.2). Servers that check dates in the handshake do so before any request.
fn hung_up_for_dates(error: &reqwest::Error) -> bool {
    // HTTP/2 passes the TLS error on only as text, so it is compared with the text of that alert.
    reason(error) == rustls::Error::AlertReceived(rustls::AlertDescription::CertificateExpired).to_string()
}
