//! The floor under the cost of a report, measured in the same run: what no server can avoid that takes a signed report over TLS and keeps
//! it. A bare hyper answering a POST of the same size on a warm connection, one verification, one appended row of the same size.

use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use data_encoding::BASE64;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use protocol::sign::{Purpose, SigningKey, verify};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::process_table::processor;
use crate::process::{Running, command};
use crate::wait;

/// Name in the certificate of the bare server.
const NAME: &str = "localhost";
/// Rows of one commit.
const ROWS: usize = 100;
/// Verifications, and rows.
const TIMES: usize = 20_000;

/// How large a report and its answer are.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The request's body, in bytes: the row is as large.
    pub request: usize,
    /// The answer's body, in bytes.
    pub answer: usize,
    /// What is signed, in bytes.
    pub signed: usize,
}

/// The parts of the floor, in microseconds of processor time.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// A POST on a warm connection.
    pub post: f64,
    /// A handshake without a client's certificate, with connect and close.
    pub handshake: f64,
    /// A verification of a P-256 signature.
    pub verification: f64,
    /// A row in commits of 100.
    pub row: f64,
}

impl Floor {
    /// Everything one report needs.
    pub fn report(&self) -> f64 {
        self.post + self.verification + self.row
    }
}

impl std::fmt::Display for Floor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { post, verification, row, .. } = self;
        write!(f, "{:.0} µs = {post:.0} POST + {verification:.0} verification + {row:.0} row", self.report())
    }
}

/// What the bare server prints once it listens.
#[derive(Deserialize, Serialize)]
struct Ready {
    port: u16,
    certificate: String,
}

/// Measures the floor for reports of these sizes; `clients` connections, `each` requests on every one. `folder` is where the server measured
/// has its store.
///
/// # Errors
/// A part cannot be measured.
pub async fn measure(folder: &Path, sizes: Sizes, clients: u32, each: u32) -> anyhow::Result<Floor> {
    let mut server = command(std::env::current_exe()?);
    server.args(["--bare-server", &sizes.answer.to_string()]);
    let mut server = Running::start("the bare server", server, &folder.join("bare.log"))?;
    let ready: Ready = serde_json::from_str(&server.line(wait::PATIENCE)?)?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(BASE64.decode(ready.certificate.as_bytes())?))?;
    let url = format!("https://{NAME}:{}/", ready.port);

    let begun = processor(server.id())?;
    let mut lines = Vec::new();
    for _ in 0..clients {
        let client = client(&roots)?;
        post(&client, &url, sizes.request).await?;
        lines.push(client);
    }
    let connected = processor(server.id())?;
    let mut tasks = JoinSet::new();
    for client in lines {
        let url = url.clone();
        tasks.spawn(async move {
            for _ in 0..each {
                post(&client, &url, sizes.request).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let ended = processor(server.id())?;
    server.kill()?;
    let post = micros(ended - connected, clients * each);
    let handshake = micros(connected - begun, clients) - post;
    let row = row(folder, sizes.request).await?;
    Ok(Floor { post, handshake, verification: verification(sizes.signed)?, row })
}

fn micros(spent: Duration, times: u32) -> f64 {
    spent.as_secs_f64() * 1e6 / f64::from(times)
}

fn client(roots: &rustls::RootCertStore) -> anyhow::Result<reqwest::Client> {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().http2_prior_knowledge().build()?)
}

async fn post(client: &reqwest::Client, url: &str, size: usize) -> anyhow::Result<()> {
    client.post(url).body(vec![b'x'; size]).send().await?.error_for_status()?.bytes().await?;
    Ok(())
}

/// Serves until the process is ended: reads every request whole and answers with `size` bytes.
///
/// # Errors
/// It cannot listen.
pub fn serve(size: usize) -> anyhow::Result<()> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let answer = Bytes::from(vec![b'x'; size]);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind((NAME, 0)).await?;
        let certificate = BASE64.encode(made.cert.der());
        let ready = Ready { port: listener.local_addr()?.port(), certificate };
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&ready)?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(connection(acceptor.clone(), stream, answer.clone()));
        }
    })
}

async fn connection(acceptor: TlsAcceptor, stream: tokio::net::TcpStream, answer: Bytes) -> anyhow::Result<()> {
    let stream = acceptor.accept(stream).await?;
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            // A client that goes away mid-request gets no answer either way.
            drop(request.into_body().collect().await);
            Ok::<_, Infallible>(Response::new(Full::new(answer)))
        }
    });
    let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    http.serve_connection(TokioIo::new(stream), service).await.context("a connection of the bare server")
}

/// One verification of a signature over `size` bytes.
fn verification(size: usize) -> anyhow::Result<f64> {
    let key = SigningKey::from_pkcs8(&SigningKey::generate()?)?;
    let text = vec![b'x'; size];
    let signature = key.sign(Purpose::Report, &text)?;
    let begun = processor(std::process::id())?;
    for _ in 0..TIMES {
        verify(key.public_key(), Purpose::Report, &text, &signature)?;
    }
    Ok(micros(processor(std::process::id())? - begun, u32::try_from(TIMES)?))
}

/// One appended row of `size` bytes, in commits of 100 that survive a power cut.
async fn row(folder: &Path, size: usize) -> anyhow::Result<f64> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("floor.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await?;
    sqlx::query("create table report (id integer primary key, body blob not null)").execute(&mut connection).await?;
    let insert = format!("insert into report (body) values {}", vec!["(?)"; ROWS].join(", "));
    let begun = processor(std::process::id())?;
    for _ in 0..TIMES / ROWS {
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(insert.as_str()));
        for _ in 0..ROWS {
            rows = rows.bind(vec![b'x'; size]);
        }
        // A statement alone is a commit.
        rows.execute(&mut connection).await?;
    }
    let spent = processor(std::process::id())? - begun;
    connection.close().await?;
    Ok(micros(spent, u32::try_from(TIMES)?))
}
