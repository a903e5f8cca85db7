//! A machine simulated by a test: enrolled like any other, it can say what an honest agent never says, and there can be thousands of them.
//!
//! It dials and checks the server with the agent's own code; what it reports is up to the test.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent::connection::tls::{Anchor, Trust};
use agent::connection::{Connection, WireError};
use agent::platform::clock::Clock;
use anyhow::{Context, bail};
use data_encoding::BASE64;
use protocol::header::{Header, Opened, OpenedReason, Position, SectionEntry};
use protocol::sign::{Purpose, SigningKey};
use protocol::{
    Digest, EnrolAnswer, EnrolRequest, RenewAnswer, RenewRequest, Report, ReportAnswers, SignedRenewal, compress,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::test_agent::Enrolment;

/// A simulated machine.
pub struct FakeAgent {
    /// Its id, drawn by the server.
    pub machine: String,
    /// The start id it reports.
    pub start: String,
    /// The hardware traits it reports.
    pub traits: Digest,
    /// The position of its last report, if any.
    pub position: Option<Position>,
    key: SigningKey,
    server: String,
    trust: Arc<Trust>,
    document: Vec<u8>,
    chain: Vec<Vec<u8>>,
    /// Its connection to the server, with its certificate.
    pub connection: Connection,
    sections: BTreeMap<String, String>,
    changed: Vec<String>,
}

impl std::fmt::Debug for FakeAgent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FakeAgent").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl FakeAgent {
    /// Enrols a machine called `name`.
    ///
    /// # Errors
    /// The server refuses or cannot be reached.
    pub async fn enrol(enrolment: &Enrolment, name: &str) -> anyhow::Result<Self> {
        let document = SigningKey::generate()?;
        let key = SigningKey::from_pkcs8(&document)?;
        let pair = rcgen::KeyPair::try_from(document.as_slice())?;
        let request = rcgen::CertificateParams::default().serialize_request(&pair)?;
        let clock = Arc::new(Clock::system());
        let fingerprint = enrolment.fingerprint.parse().context("the fingerprint")?;
        let stranger = Trust::new(Anchor::Fingerprint(fingerprint), Arc::clone(&clock));
        let traits = Digest::of(name.as_bytes());
        let answer: EnrolAnswer = Connection::new(&enrolment.server, None, &stranger, None)?
            .post(
                protocol::path::ENROL,
                &EnrolRequest {
                    token: enrolment.token.clone(),
                    csr: BASE64.encode(request.der()),
                    machine_name: name.to_owned(),
                    place: String::new(),
                    traits,
                    agent: "fake_agent".to_owned(),
                },
            )
            .await?;
        let decode = |text: &String| BASE64.decode(text.as_bytes()).context("base64");
        let chain = std::iter::once(&answer.certificate).chain(&answer.client_chain).map(decode);
        let authorities = answer.server_cas.iter().map(decode).collect::<Result<_, _>>()?;
        let trust = Trust::new(Anchor::Authorities(authorities), clock);
        let chain: Vec<Vec<u8>> = chain.collect::<Result<_, _>>()?;
        let connection = line(&enrolment.server, &trust, &document, &chain)?;
        Ok(Self {
            server: enrolment.server.clone(),
            trust,
            document,
            chain,
            machine: answer.machine,
            start: Digest::of(name.as_bytes()).to_string()[..32].to_owned(),
            traits,
            position: None,
            key,
            connection,
            sections: BTreeMap::new(),
            changed: Vec::new(),
        })
    }

    /// Opens another connection to the server.
    ///
    /// # Errors
    /// The certificate cannot be used.
    pub fn connect(&self) -> Result<Connection, WireError> {
        line(&self.server, &self.trust, &self.document, &self.chain)
    }

    /// Asks for a new certificate over the same key.
    ///
    /// # Errors
    /// The server refuses or cannot be reached.
    pub async fn renew(&mut self, made_at: i64) -> anyhow::Result<()> {
        let pair = rcgen::KeyPair::try_from(self.document.as_slice())?;
        let request = rcgen::CertificateParams::default().serialize_request(&pair)?;
        let renewal = RenewRequest {
            machine: self.machine.clone(),
            certificate: Digest::of(&self.chain[0]),
            csr: BASE64.encode(request.der()),
            made_at,
        };
        let signed = SignedRenewal::sign(&renewal, &self.key)?;
        let answer: RenewAnswer = self.connection.post(protocol::path::RENEW, &signed).await?;
        self.chain[0] = BASE64.decode(answer.certificate.as_bytes()).context("base64")?;
        Ok(())
    }

    /// Sets the content of a section to `json` from the next report.
    pub fn observe(&mut self, section: &str, json: &str) {
        self.sections.insert(section.to_owned(), json.to_owned());
        self.changed.push(section.to_owned());
    }

    /// The header of its next honest report.
    pub fn header(&self, made_at: i64) -> Header {
        let entry = |text: &String| SectionEntry { digest: compress::digest(text), observed_at: made_at, known: true };
        let (segment, number, previous, opened) = match self.position {
            Some(last) => (last.segment, last.number + 1, last.hash, None),
            None => {
                let opened = Opened { reason: OpenedReason::Enrolled, agreed: None, lost: 0 };
                (1, 1, Digest::ZERO, Some(opened))
            }
        };
        Header {
            v: protocol::VERSION,
            machine: self.machine.clone(),
            segment,
            number,
            previous,
            opened,
            start: self.start.clone(),
            traits: self.traits,
            agent: "fake_agent".to_owned(),
            schema: policies::fact::SCHEMA_VERSION,
            policy: None,
            made_at,
            sections: self.sections.iter().map(|(name, text)| (name.clone(), entry(text))).collect(),
        }
    }

    /// Signs a header, with the bodies of the sections that changed since the last report.
    ///
    /// # Errors
    /// The header is longer than allowed.
    pub fn sign(&self, header: &Header) -> anyhow::Result<Report> {
        let changed = self.changed.iter().filter_map(|name| Some((name.as_str(), self.sections.get(name)?.as_str())));
        let bodies = if self.changed.is_empty() { Vec::new() } else { compress::encode(changed)? };
        let header = header.encode()?;
        let signature = self.key.sign(Purpose::Report, &header)?;
        Ok(Report { header, signature, bodies })
    }

    /// Sends a report unchanged.
    ///
    /// # Errors
    /// The request as a whole was refused, or the server cannot be reached.
    pub async fn send(&self, report: &Report) -> Result<ReportAnswers, WireError> {
        let mut frames = Vec::new();
        report.encode_into(&mut frames);
        self.connection.send_reports(frames).await
    }

    /// Makes the next honest report and goes on from it, as if it had been accepted.
    ///
    /// # Errors
    /// The header is longer than allowed.
    pub fn next(&mut self, made_at: i64) -> anyhow::Result<Report> {
        let header = self.header(made_at);
        let report = self.sign(&header)?;
        self.position = Some(header.position(&report.header));
        self.changed.clear();
        Ok(report)
    }

    /// Makes, sends and remembers one honest report.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn report(&mut self, made_at: i64) -> anyhow::Result<()> {
        let header = self.header(made_at);
        let report = self.sign(&header)?;
        let answers = self.send(&report).await?;
        match answers.results.as_slice() {
            [answer] if answer.is_accepted() => {
                self.position = Some(header.position(&report.header));
                self.changed.clear();
                Ok(())
            }
            other => bail!("the report was not accepted: {other:?}"),
        }
    }
}

fn line(server: &str, trust: &Arc<Trust>, document: &[u8], chain: &[Vec<u8>]) -> Result<Connection, WireError> {
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(document.to_vec()));
    Connection::new(server, None, trust, Some((chain.to_vec(), private)))
}
