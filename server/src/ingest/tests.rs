//! Reports through the real router, on both databases: a server over a database of the test, and machines with keys of their
//! own that can be as honest or as hostile as a test wants.

mod cost;
mod honest;
mod hostile;
mod receipts;
mod trouble;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use protocol::sign::SigningKey;
use protocol::{
    Digest, Header, Opened, OpenedReason, Position, Refusal, Report, ReportAnswer, ReportAnswers, SectionEntry,
    compress,
};
use tower::ServiceExt as _;

use super::{Evidence, Form, Job, Judge, Judging, Reason, Taken};
use crate::act::By;
use crate::act::policy::policy_publish;
use crate::app::App;
use crate::audit::Actor;
use crate::ca::csr::key_id;
use crate::clock::Clock;
use crate::config::Config;
use crate::secrets::file::key_read;
use crate::secrets::{Places, Secrets, secrets_create};
use crate::store::machine::key::MachineKey;
use crate::store::test_database::{self, TestDatabase};
use crate::store::{Db, Scope, Tx};
use crate::tls::Peer;
use crate::tls::accept::PeerCertificate;

/// The time at which every test begins: 22 November 2026.
const START: i64 = 1_795_305_600_000;
/// A SubjectPublicKeyInfo of P-256 up to its point (RFC 5480).
const SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// A server over a database.
pub(crate) struct TestServer {
    pub(crate) app: App,
    router: Router,
    pub(crate) office: String,
    folder: tempfile::TempDir,
}

impl TestServer {
    pub(crate) async fn open(test_database: &TestDatabase) -> Self {
        let mut tx = test_database.db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã An", None).await;
        tx.commit().await.unwrap();
        Self::over(test_database.db.clone(), office).await
    }

    /// A server, the first or one more, over the same database.
    async fn over(db: Db, office: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        secrets_create(&data, "server-1", &[], START).unwrap();
        let secrets = Secrets::read(&data).unwrap();
        let mut config: Config = toml::from_str("version = 1\nserver = \"server-1\"").unwrap();
        config.agents.programs = data.join("programs");
        let app = App::assemble(config, Clock::fixed(START), db, secrets).await.unwrap();
        let router = crate::agent_api::router(&app).with_state(app.clone());
        Self { app, router, office, folder }
    }

    /// Publishes the policies that ship with the product.
    pub(crate) async fn publish(&self) {
        let data = self.folder.path().join("data");
        let key = key_read(&Places::new(&data).policy_signing().join("policy.key")).unwrap();
        let shipped = policies::policy::PolicySet::shipped().unwrap();
        let key = SigningKey::from_pkcs8(&key).unwrap();
        let signed = crate::policy::SignedPolicy::sign(&shipped, "server-1", 1, START, &key).unwrap();
        let by = By { actor: Actor::Program, scope: Scope::whole(), at: START };
        policy_publish(&self.app.db, &by, &self.app.policies, signed).await.unwrap();
        self.app.policies.refresh(&self.app.db).await.unwrap();
    }

    /// A machine that enrolled.
    pub(crate) async fn machine(&self) -> Machine {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let spki = [data_encoding::HEXLOWER.decode(SPKI.as_bytes()).unwrap().as_slice(), key.public_key()].concat();
        let mut tx = self.app.db.write().await.unwrap();
        let id = test_database::machine(&mut tx, &self.office).await;
        let stored =
            MachineKey { id: key_id(&spki), machine: id.clone(), public_key: spki, since_at: START, until_at: None };
        tx.machine_key_insert(&stored).await.unwrap();
        tx.commit().await.unwrap();
        let sections =
            [("lan", r#"{"forwards":{"known":false}}"#), ("time", r#"{"zone":{"known":"Asia/Ho_Chi_Minh"}}"#)];
        Machine {
            id,
            key_id: stored.id,
            key: Arc::new(key),
            start: "0".repeat(32),
            traits: Digest::of(b"traits"),
            head: None,
            segment: 1,
            opened: Some(Opened { reason: OpenedReason::Enrolled, agreed: None, lost: 0 }),
            sections: sections.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            made_at: START,
            agent: "0.2.0".to_owned(),
            schema: policies::fact::SCHEMA_VERSION,
        }
    }

    async fn post(&self, machine: &Machine, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        self.ask(machine, protocol::path::REPORTS, body).await
    }

    /// Sends any request of a machine.
    async fn ask(&self, machine: &Machine, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let certificate = PeerCertificate {
            machine: machine.id.clone(),
            key: machine.key_id.clone(),
            valid_until_ms: START + 365 * 24 * 60 * 60 * 1000,
        };
        let peer = Peer { address: SocketAddr::from(([127, 0, 0, 1], 1)), certificate: Some(Arc::new(certificate)) };
        let request = Request::post(path).extension(peer).body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
    }

    /// Sends reports in one request; returns their answers.
    pub(crate) async fn send(&self, machine: &Machine, reports: &[Report]) -> Vec<ReportAnswer> {
        let mut body = Vec::new();
        reports.iter().for_each(|report| report.encode_into(&mut body));
        let (status, answer) = self.post(machine, body).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer));
        let answers: ReportAnswers = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answers.results.len(), reports.len());
        assert_eq!(answers.assignment.office, "Xã An");
        answers.results
    }

    /// Sends one report, which must be accepted with a matching receipt.
    pub(crate) async fn accepted(&self, machine: &Machine, report: &Report) {
        let answers = self.send(machine, std::slice::from_ref(report)).await;
        let ReportAnswer::Accepted { receipt } = &answers[0] else { panic!("{answers:?}") };
        let receipt = receipt.open(self.app.secrets.receipt.public_key()).unwrap();
        assert_eq!((receipt.machine.as_str(), receipt.position.hash), (machine.id.as_str(), report.hash()));
    }

    /// Sends one report, which must be refused for `reason`; returns the server's position in the chain.
    async fn refused(&self, machine: &Machine, report: &Report, reason: Reason) -> Option<Position> {
        let answers = self.send(machine, std::slice::from_ref(report)).await;
        let ReportAnswer::Refused { refusal, agreed } = &answers[0] else { panic!("{answers:?}") };
        assert_eq!((refusal.code.as_str(), refusal.action), (reason.code(), reason.action()));
        *agreed
    }

    async fn refusal(&self, machine: &Machine, body: Vec<u8>) -> (StatusCode, Refusal) {
        let (status, answer) = self.post(machine, body).await;
        (status, serde_json::from_slice(&answer).unwrap())
    }

    async fn count(&self, sql: &'static str, machine: &Machine) -> i64 {
        test_database::count(&mut self.app.db.read().await.unwrap(), sql, &machine.id).await
    }

    async fn reports(&self, machine: &Machine) -> i64 {
        self.count("select count(*) from report where machine = $1", machine).await
    }

    async fn head(&self, machine: &Machine) -> crate::store::head::Head {
        self.app.db.read().await.unwrap().head_get(&Scope::whole(), &machine.id).await.unwrap().unwrap()
    }
}

/// A machine that behaves as its agent would: it numbers, chains and signs. Cloning it copies its state folder.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) key_id: String,
    key: Arc<SigningKey>,
    start: String,
    traits: Digest,
    head: Option<Position>,
    segment: u64,
    opened: Option<Opened>,
    pub(crate) sections: BTreeMap<String, String>,
    pub(crate) made_at: i64,
    /// Version of its agent.
    pub(crate) agent: String,
    /// Version of the facts' meaning by which that agent reads.
    pub(crate) schema: u32,
}

impl Machine {
    fn header(&self) -> Header {
        let entry = |text: &String| SectionEntry {
            digest: Digest::of(text.as_bytes()),
            observed_at: self.made_at,
            known: true,
        };
        Header {
            v: protocol::VERSION,
            machine: self.id.clone(),
            segment: self.segment,
            number: self.head.map_or(1, |head| head.number + 1),
            previous: self.head.map_or(Digest::ZERO, |head| head.hash),
            opened: self.opened,
            start: self.start.clone(),
            traits: self.traits,
            agent: self.agent.clone(),
            schema: self.schema,
            policy: None,
            made_at: self.made_at,
            sections: self.sections.iter().map(|(name, text)| (name.clone(), entry(text))).collect(),
        }
    }

    fn sign(&self, header: &Header, bodies: Vec<u8>) -> Report {
        let header = serde_json::to_vec(header).unwrap();
        let signature = self.key.sign(protocol::sign::Purpose::Report, &header).unwrap();
        Report { header, signature, bodies }
    }

    /// The next report, with the bodies of these sections; the machine's chain then ends with it.
    pub(crate) fn report(&mut self, bodies: &[&str]) -> Report {
        let texts = bodies.iter().map(|name| (*name, self.sections[*name].as_str()));
        let bodies = compress::encode(texts).unwrap();
        let header = self.header();
        let report = self.sign(&header, bodies);
        self.head = Some(header.position(&report.header));
        self.opened = None;
        report
    }

    /// The next report with every body.
    pub(crate) fn full(&mut self) -> Report {
        let names: Vec<String> = self.sections.keys().cloned().collect();
        self.report(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Breaks the chain: the next report opens a segment after `agreed`.
    fn open(&mut self, reason: OpenedReason, agreed: Option<Position>) {
        self.segment = agreed.map_or(self.segment, |agreed| agreed.segment.max(self.segment)) + 1;
        self.head = None;
        self.opened = Some(Opened { reason, agreed, lost: 0 });
    }

    pub(crate) fn set(&mut self, section: &str, text: &str) {
        self.sections.insert(section.to_owned(), text.to_owned());
    }
}

/// As before the first policy.
#[derive(Debug)]
struct Unjudged;

impl Judge for Unjudged {
    fn policy(&self) -> Option<Digest> {
        None
    }

    fn judge<'a>(&'a self, _: &'a mut Tx, _: &'a [Evidence], _: i64) -> Judging<'a> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// A job of one report, checked as its receiver does, and where its answer comes.
async fn job(db: &Db, machine: &Machine, report: &Report) -> (Job, tokio::sync::oneshot::Receiver<Taken>) {
    let peer = db.read().await.unwrap().machine_peer(&machine.key_id).await.unwrap().unwrap();
    let (reply, answer) = tokio::sync::oneshot::channel();
    let reports = vec![crate::ingest::check(report.clone(), &peer).unwrap()];
    (Job { machine: machine.id.clone(), reports, form: Form::Signed, reply }, answer)
}
