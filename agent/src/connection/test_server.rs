//! A tiny HTTP/2 server over TLS 1.3 on a loopback port, and tests of a connection against good and bad ones.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use protocol::SERVER_NAME;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::connection::tls::tests::{Authority, authority, server};
use crate::connection::tls::{Anchor, Trust};
use crate::platform::clock::Clock;

/// A server that answers each request with `answer(path, body)` and remembers the paths.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

/// The answer: status, headers, body.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

impl Server {
    /// Starts with a certificate under `ours`; accepts a client certificate when offered.
    pub(crate) async fn start(
        ours: &Authority,
        answer: impl Fn(&str, &[u8]) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let (acceptor, listener) = listening(ours, WebPkiClientVerifier::no_client_auth()).await;
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, noted) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer, noted) = (acceptor.clone(), Arc::clone(&answer), Arc::clone(&noted));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                        async move {
                            let path = request.uri().path().to_owned();
                            noted.lock().unwrap().push(path.clone());
                            let body = request.into_body().collect().await.unwrap().to_bytes();
                            let (status, headers, body) = answer(&path, &body);
                            let mut response = Response::builder().status(status);
                            for (name, value) in headers {
                                response = response.header(name, value);
                            }
                            response.body(Full::new(Bytes::from(body)))
                        }
                    });
                    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    // The client disconnects when a test ends.
                    drop(served.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, asked }
    }

    /// The paths requested so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Listens on a loopback port with a certificate under `ours`.
async fn listening(ours: &Authority, clients: Arc<dyn ClientCertVerifier>) -> (TlsAcceptor, TcpListener) {
    let (leaf, key) = server(ours, SERVER_NAME, rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let chain = vec![CertificateDer::from(leaf), CertificateDer::from(ours.der.clone())];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut configuration = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    configuration.alpn_protocols = vec![b"h2".to_vec()];
    (TlsAcceptor::from(Arc::new(configuration)), TcpListener::bind("127.0.0.1:0").await.unwrap())
}

/// A final refusal with the server's error code.
pub(crate) fn refused(status: u16, code: &str) -> Answer {
    let refusal = Refusal {
        code: code.to_owned(),
        message: Text::new("x", "x"),
        action: RefusalAction::Final,
        retry_after_s: None,
    };
    (status, vec![], serde_json::to_vec(&refusal).unwrap())
}

/// Runs a test on a single-threaded runtime, as the agent does.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn connection(server: &Server, anchor: &Authority) -> Connection {
    let trust = Trust::new(Anchor::Authorities(vec![anchor.der.clone()]), Arc::new(Clock::system()));
    Connection::new(&server.address.to_string(), None, &trust, None).unwrap()
}

async fn posted(connection: &Connection) -> Result<serde_json::Value, WireError> {
    connection.post("/agent/renew", &serde_json::json!({"a": 1})).await
}

#[test]
fn an_answer_comes_over_http_2_whatever_the_address() {
    run(async {
        let ours = authority("ours");
        let server = Server::start(&ours, |_, body| (200, vec![], body.to_vec())).await;
        assert_eq!(posted(&connection(&server, &ours)).await.unwrap(), serde_json::json!({"a": 1}));
        assert_eq!(server.asked(), ["/agent/renew"]);
    });
}

#[test]
fn a_device_on_the_way_is_named_and_gets_nothing() {
    run(async {
        let (ours, device) = (authority("ours"), authority("Gateway Inspection CA"));
        let server = Server::start(&device, |_, _| (200, vec![], b"{}".to_vec())).await;
        let error = posted(&connection(&server, &ours)).await.unwrap_err();
        assert!(matches!(&error, WireError::Untrusted { .. }), "{error}");
        let text = error.text();
        assert!(text.vi.contains("Gateway Inspection CA") && text.vi.contains("giải mã TLS"), "{}", text.vi);
        assert!(text.en.contains("Gateway Inspection CA") && text.en.contains("decrypts TLS"), "{}", text.en);
        assert!(server.asked().is_empty());
    });
}

#[test]
fn the_clock_that_is_wrong_is_named_in_both_languages() {
    let valid = crate::identity::Validity { from: 1_700_000_000_000, until: 1_760_000_000_000 };
    let said = |suspect| {
        let wrong = WrongTime { suspect, own: 1_800_000_000_000, valid };
        let rejected = Rejected { issuer: "CN=x".to_owned(), reason: RejectedReason::Time(wrong) };
        WireError::Untrusted { address: "a:1".to_owned(), rejected }.text()
    };
    let (own, server, either) = (said(Suspect::Own), said(Suspect::Server), said(Suspect::Either));
    assert!(own.vi.contains("đồng hồ của máy này sai") && own.en.contains("this machine's clock is wrong"), "{own:?}");
    assert!(
        server.vi.contains("đồng hồ của máy chủ sai") && server.en.contains("the server's clock is wrong"),
        "{server:?}"
    );
    assert!(either.vi.contains("kiểm tra cả hai") && either.en.contains("check both"), "{either:?}");
    assert!(own.vi.contains("09/10/2025") && own.en.contains("2027-01-15"), "{own:?}");
}

/// A server that checks the dates of a machine's certificate during the handshake closes the connection with an alert.
#[test]
fn hung_up_for_a_date_is_told_from_other_trouble() {
    run(async {
        let ours = authority("ours");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(ours.der.clone())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let (acceptor, listener) = listening(&ours, verifier).await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = acceptor.accept(stream).await;
            }
        });
        for (from, until) in [(2020, 2021), (2090, 2091)] {
            let mut parameters = rcgen::CertificateParams::new(vec!["m".to_owned()]).unwrap();
            parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
            (parameters.not_before, parameters.not_after) =
                (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(until, 1, 1));
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = parameters.signed_by(&key, &ours.issuer).unwrap().der().to_vec();
            let trust = Trust::new(Anchor::Authorities(vec![ours.der.clone()]), Arc::new(Clock::system()));
            let machine = (vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into());
            let connection = Connection::new(&address.to_string(), None, &trust, Some(machine)).unwrap();
            let error = posted(&connection).await.unwrap_err();
            assert!(error.is_out_of_date(), "{from}: {error}");
        }
    });
}

#[test]
fn redirects_are_not_followed_and_strange_answers_are_said() {
    run(async {
        let ours = authority("ours");
        let elsewhere = Server::start(&ours, |_, _| (200, vec![], b"{}".to_vec())).await;
        let to = format!("https://{}/agent/renew", elsewhere.address);
        let server = Server::start(&ours, move |_, _| (307, vec![("location", to.clone())], vec![])).await;
        let error = posted(&connection(&server, &ours)).await.unwrap_err();
        assert!(matches!(&error, WireError::Unusable(reason) if reason.contains("307")), "{error}");
        assert!(elsewhere.asked().is_empty());

        let server = Server::start(&ours, |_, _| (200, vec![], b"<html>".to_vec())).await;
        assert!(matches!(posted(&connection(&server, &ours)).await, Err(WireError::Unusable(_))));
    });
}

#[test]
fn answers_are_bounded() {
    run(async {
        let ours = authority("ours");
        let server = Server::start(&ours, |_, _| (200, vec![], vec![b' '; limits::ANSWER_BODY + 1])).await;
        let error = posted(&connection(&server, &ours)).await.unwrap_err();
        assert!(matches!(&error, WireError::Unusable(reason) if reason.contains("more than")), "{error}");
    });
}

#[test]
fn a_refusal_says_whether_and_when_to_try_again() {
    run(async {
        let ours = authority("ours");
        let refusal = Refusal {
            code: "queue_full".to_owned(),
            message: Text::new("Máy chủ bận.", "The server is busy.\u{1b}[2J"),
            action: RefusalAction::Retry,
            retry_after_s: None,
        };
        let body = serde_json::to_vec(&refusal).unwrap();
        let server =
            Server::start(&ours, move |_, _| (503, vec![("retry-after", "17".to_owned())], body.clone())).await;
        let error = posted(&connection(&server, &ours)).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
        assert!(!error.is_final());
        assert!(!error.text().en.contains('\u{1b}'), "a terminal is not told what to do: {}", error.text().en);
    });
}

#[test]
fn a_policy_with_another_address_is_not_taken() {
    run(async {
        let ours = authority("ours");
        let bundle = SignedBundle { bundle: "{}".to_owned(), signature: String::new() };
        let body = serde_json::to_vec(&bundle).unwrap();
        let server = Server::start(&ours, move |_, _| (200, vec![], body.clone())).await;
        let connection = connection(&server, &ours);
        assert_eq!(connection.policy(bundle.address()).await.unwrap(), bundle);
        assert!(matches!(connection.policy(Digest::ZERO).await, Err(WireError::Unusable(_))));
    });
}

#[test]
fn nobody_listening_is_said_plainly() {
    run(async {
        let ours = authority("ours");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let server = Server { address, asked: Arc::default() };
        let error = posted(&connection(&server, &ours)).await.unwrap_err();
        assert!(error.to_string().contains("Connection refused"), "{error}");
    });
}
