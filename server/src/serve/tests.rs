//! The server as agents see it: a real listener, real TLS, real requests, on both databases.

mod answers;
mod crowds;
mod enrolment;
mod events;
mod files;
mod guesses;
mod handshake;
mod policies;
mod polling;
mod renewal;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use protocol::sign::SigningKey;
use protocol::{Digest, EnrolAnswer, EnrolRequest, PollAnswer, PollRequest, Refusal, RenewRequest, SERVER_NAME, path};
use rcgen::{CertificateParams, KeyPair};
use reqwest::StatusCode;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Serving, serve};
use crate::act::By;
use crate::act::token::{NewToken, token_make};
use crate::app::App;
use crate::audit::Actor;
use crate::clock::{Clock, DAY_MS};
use crate::config::{Agents, Config};
use crate::secrets::{Secrets, secrets_create};
use crate::store::Scope;
use crate::store::machine::{Machine as StoredMachine, Role};
use crate::store::test_database::{self, TestDatabase};
use crate::store::token::{Admission, Token};
use crate::tls::{Deadlines, provider};

/// How long a test waits for an event before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server over a database of the test.
struct Server {
    serving: Serving,
    office: String,
    folder: tempfile::TempDir,
}

impl Server {
    async fn start(test_database: &TestDatabase) -> Self {
        Self::start_with(test_database, |_| {}, Deadlines::default()).await
    }

    async fn start_with(
        test_database: &TestDatabase,
        configure: impl FnOnce(&mut Config),
        deadlines: Deadlines,
    ) -> Self {
        Self::start_by(Clock::fixed(Clock::System.now_ms()), test_database, configure, deadlines).await
    }

    async fn start_by(
        clock: Clock,
        test_database: &TestDatabase,
        configure: impl FnOnce(&mut Config),
        deadlines: Deadlines,
    ) -> Self {
        let mut tx = test_database.db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        tx.commit().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        secrets_create(folder.path(), "server-1", &[], clock.now_ms()).unwrap();
        let secrets = Secrets::read(folder.path()).unwrap();
        let mut config =
            Config { agents: Agents { poll_held_s: 600, ..Agents::default() }, ..Config::new("server-1".to_owned()) };
        configure(&mut config);
        let app = App::assemble(config, clock, test_database.db.clone(), secrets).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let serving = serve(app, folder.path(), listener, deadlines).await.unwrap();
        Self { serving, office, folder }
    }

    fn app(&self) -> &App {
        self.serving.app()
    }

    fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn by(&self) -> By {
        By { actor: Actor::Operator("test_database".to_owned()), scope: Scope::whole(), at: self.app().clock.now_ms() }
    }

    async fn token(&self, uses: u32) -> (Token, String) {
        let new = NewToken {
            office: self.office.clone(),
            role: Role::Workstation,
            uses,
            valid: Duration::from_secs(24 * 60 * 60),
            admits: Admission::Pending,
        };
        let (token, text) = token_make(&self.app().db, &self.by(), &new).await.unwrap();
        (token, text.reveal())
    }

    /// A machine that enrolled with a token of its own.
    async fn machine(&self) -> Machine {
        let (_, token) = self.token(1).await;
        let mut machine = Machine::new();
        let answer: EnrolAnswer = machine.enrol(self, &token).await.unwrap();
        machine.settle(&answer);
        machine
    }

    async fn stored(&self, machine: &str) -> StoredMachine {
        self.app().db.read().await.unwrap().machine_require(&Scope::whole(), machine).await.unwrap()
    }

    async fn uses_left(&self, token: &Token) -> i64 {
        self.app().db.read().await.unwrap().token_get(&Scope::whole(), &token.id).await.unwrap().unwrap().uses_left
    }

    /// TLS as an agent does it: the fixed name, only this server's CA.
    fn tls(&self, identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.app().secrets.server_ca.certificate().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
            None => config.with_no_client_auth(),
        }
    }

    fn client(&self, tls: ClientConfig) -> reqwest::Client {
        self.client_builder(tls).build().unwrap()
    }

    fn client_builder(&self, tls: ClientConfig) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .resolve(SERVER_NAME, self.address())
            .timeout(PATIENCE)
            .no_proxy()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{SERVER_NAME}:{}{path}", self.address().port())
    }

    /// Posts JSON; the answer, or the refusal that came instead.
    async fn post<T: DeserializeOwned>(
        &self,
        client: &reqwest::Client,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, (StatusCode, Refusal)> {
        let sent = client.post(self.url(path)).body(serde_json::to_vec(body).unwrap()).send().await.unwrap();
        answer(sent).await
    }

    async fn end(self) {
        let _folder = self.folder;
        // The test closes the database itself.
        let Serving { app, handle, server, mut tasks, .. } = self.serving;
        app.events.stop();
        handle.graceful_shutdown(Some(Duration::from_secs(5)));
        server.await.unwrap().unwrap();
        while tasks.join_next().await.is_some() {}
        app.ingest.stop().await;
    }
}

async fn answer<T: DeserializeOwned>(sent: reqwest::Response) -> Result<T, (StatusCode, Refusal)> {
    let status = sent.status();
    let bytes = sent.bytes().await.unwrap();
    if status.is_success() {
        Ok(serde_json::from_slice(&bytes).unwrap())
    } else {
        let refusal = serde_json::from_slice(&bytes);
        Err((status, refusal.unwrap_or_else(|_| panic!("{status} {}", String::from_utf8_lossy(&bytes)))))
    }
}

/// The code of a refusal.
fn code<T: std::fmt::Debug>(answer: Result<T, (StatusCode, Refusal)>) -> String {
    answer.unwrap_err().1.code
}

/// A machine with a key, and a certificate once it enrolled.
struct Machine {
    id: String,
    key: KeyPair,
    chain: Vec<CertificateDer<'static>>,
}

impl Machine {
    fn new() -> Self {
        Self {
            id: String::new(),
            key: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
            chain: Vec::new(),
        }
    }

    fn csr(&self) -> String {
        BASE64.encode(CertificateParams::default().serialize_request(&self.key).unwrap().der())
    }

    fn signing_key(&self) -> SigningKey {
        SigningKey::from_pkcs8(&self.key.serialize_der()).unwrap()
    }

    async fn enrol(&self, server: &Server, token: &str) -> Result<EnrolAnswer, (StatusCode, Refusal)> {
        self.enrol_as(server, token, "PC-01").await
    }

    async fn enrol_as(&self, server: &Server, token: &str, name: &str) -> Result<EnrolAnswer, (StatusCode, Refusal)> {
        let request = EnrolRequest { machine_name: name.to_owned(), ..self.request(token) };
        server.post(&server.client(server.tls(None)), path::ENROL, &request).await
    }

    fn request(&self, token: &str) -> EnrolRequest {
        EnrolRequest {
            token: token.to_owned(),
            csr: self.csr(),
            machine_name: "PC-01".to_owned(),
            place: String::new(),
            traits: Digest::of(b"traits"),
            agent: "0.1.0".to_owned(),
        }
    }

    fn settle(&mut self, answer: &EnrolAnswer) {
        self.id.clone_from(&answer.machine);
        self.chain_set(&answer.certificate, &answer.client_chain);
    }

    fn chain_set(&mut self, certificate: &str, above: &[String]) {
        let texts = std::iter::once(certificate).chain(above.iter().map(String::as_str));
        self.chain = texts.map(|text| BASE64.decode(text.as_bytes()).unwrap().into()).collect();
    }

    fn identity(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), PrivatePkcs8KeyDer::from(self.key.serialize_der()).into())
    }

    fn client(&self, server: &Server) -> reqwest::Client {
        server.client(server.tls(Some(self.identity())))
    }

    async fn poll(&self, server: &Server, request: &PollRequest) -> Result<PollAnswer, (StatusCode, Refusal)> {
        server.post(&self.client(server), path::POLL, request).await
    }

    /// Asks for a new certificate over the key of `next`, signed by this machine's key.
    fn renewal(&self, next: &Self) -> RenewRequest {
        RenewRequest { machine: self.id.clone(), certificate: Digest::of(&self.chain[0]), csr: next.csr(), made_at: 1 }
    }
}

/// Waits until this many polls are held.
async fn polls_held(server: &Server, wanted: usize) {
    let held = async {
        while server.app().events.polls.count() != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, held).await.unwrap();
}

/// Something the server does on its own, done within patience.
async fn soon<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.unwrap()
}

/// A server shared by requests of one test that run at the same time.
type Shared = Arc<Server>;
