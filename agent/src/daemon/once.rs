//! One complete check: collect, report, deliver, fetch the policy, judge. What cannot be delivered stays in the spool until
//! next time.

use policies::fact::Section;
use protocol::{Digest, ReportAnswers};

use crate::connection::{Connection, WireError};
use crate::daemon::agent_state::AgentState;
use crate::daemon::{exchange, renew};
use crate::policy::judgement::Judgement;
use crate::report::delivery::Next;

/// The most requests in one run: at 100 reports each, more than any spool holds.
const REQUESTS: usize = 1000;

/// The result of one check.
#[derive(Debug)]
pub(crate) struct Once {
    /// True when the server gave a receipt for the report of this check.
    pub(crate) delivered: bool,
    /// True when that report is on disk for next time.
    pub(crate) kept: bool,
    /// How many reports are waiting on disk.
    pub(crate) waiting: u64,
    /// What went wrong during delivery.
    pub(crate) trouble: Option<WireError>,
    /// The result; none without a policy and a role.
    pub(crate) judgement: Option<Judgement>,
}

/// Checks once.
///
/// # Errors
/// When the facts cannot be reported.
pub(crate) async fn once(agent_state: &mut AgentState) -> anyhow::Result<Once> {
    look(agent_state)?;
    let outcomes = agent_state.judged().map(|judgement| judgement.digest());
    let before = agent_state.delivery.chain.made();
    agent_state.report(outcomes)?;
    let trouble = meet(agent_state).await.err();
    let judgement = agent_state.judged();
    let (made, waiting) = (agent_state.delivery.chain.made(), agent_state.delivery.spool.count());
    let delivered = made != before && made == agent_state.delivery.chain.agreed();
    let kept = made != before && !delivered && made.is_some_and(|made| agent_state.delivery.spool.holds(made));
    Ok(Once { delivered, kept, waiting, trouble, judgement })
}

/// Collects every section.
///
/// # Errors
/// When the facts cannot be stored.
pub(crate) fn look(agent_state: &mut AgentState) -> anyhow::Result<()> {
    let now = agent_state.clock.instant();
    let facts = agent_state.collector.collect(Section::ALL, now);
    agent_state.observation.take_in(Section::ALL, facts, now.as_millisecond())?;
    Ok(())
}

/// Does everything that needs the server. Without an address there is none: waiting reports are exported to a file.
async fn meet(agent_state: &mut AgentState) -> Result<(), WireError> {
    if agent_state.is_unconnected() {
        return Ok(());
    }
    let due = agent_state.validity().renewal_is_due(agent_state.clock.trusted());
    if due && let Err(error) = renew(agent_state).await {
        // The certificate may still be valid this time.
        tracing::warn!(%error, "the certificate was not renewed");
    }
    match deliver(agent_state).await {
        Err(error) if error.is_out_of_date() && !due => {
            renew(agent_state).await?;
            deliver(agent_state).await
        }
        delivered => delivered,
    }
}

async fn renew(agent_state: &mut AgentState) -> Result<(), WireError> {
    let answer = renew::ask(agent_state)?.await?;
    renew::adopt(agent_state, answer).map_err(|error| WireError::Unusable(error.to_string()))
}

async fn deliver(agent_state: &mut AgentState) -> Result<(), WireError> {
    let connection = agent_state.connection()?;
    let mut healed = false;
    for _ in 0..REQUESTS {
        let Some(batch) = agent_state.delivery.request() else { break };
        let (batch, answers) = exchange::send(connection.clone(), batch).await;
        let answers = answers?;
        let answered = exchange::answered(agent_state, &batch, &answers, None);
        fetch(agent_state, &connection, answered.policy).await?;
        match answered.next {
            // A second break is left for next time.
            Next::Wait(_) if answered.healed && !healed => healed = true,
            Next::Wait(_) => return Err(refusal(&answers)),
            Next::Unbelievable => {
                let what = "it claims to hold a report that this machine cannot have made";
                return Err(WireError::Unusable(what.to_owned()));
            }
            Next::Again | Next::Rest => {}
        }
    }
    Ok(())
}

async fn fetch(agent_state: &mut AgentState, connection: &Connection, wanted: Option<Digest>) -> Result<(), WireError> {
    let Some(address) = wanted else { return Ok(()) };
    let bundle = connection.policy(address).await?;
    agent_state.policy_use(&bundle).map_err(|error| WireError::Unusable(error.to_string()))
}

/// The first refusal among the answers.
fn refusal(answers: &ReportAnswers) -> WireError {
    let refused = answers.results.iter().find_map(|answer| match answer {
        protocol::ReportAnswer::Refused { refusal, .. } => Some(WireError::Refused { refusal: refusal.clone() }),
        _ => None,
    });
    refused.unwrap_or_else(|| WireError::Unusable("the server did not take the reports".to_owned()))
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use data_encoding::BASE64;
    use protocol::sign::SigningKey;
    use protocol::{Assignment, RenewAnswer, Report, ReportAnswer, Role, SignedReceipt, SignedRenewal, limits, path};

    use super::*;
    use crate::connection::test_server::{Answer, Server, refused, run};
    use crate::connection::tls::tests::{Authority, authority};
    use crate::identity::keys::MachineKey;
    use crate::identity::{Identity, tests::sample};
    use crate::platform::clock::Clock;
    use crate::policy::store::tests::bundle;
    use crate::report::spool::Waiting;
    use crate::state::{Missing, StateFolder};
    use collect::Collector;
    use collect::linux::Machine;
    use os::recorded::Recorded;

    /// The server side: accepts reports, renews, and serves the shipped policy, signed with the machine's own key.
    #[derive(Clone)]
    pub(super) struct FakeServer {
        pub(super) key: Arc<SigningKey>,
        taken: Arc<Mutex<Vec<(u64, u64)>>>,
        fresh: String,
        ours: Vec<u8>,
    }

    impl FakeServer {
        pub(super) fn answer(&self, path: &str, body: &[u8]) -> Answer {
            let policy = bundle(&self.key, 7);
            let json = match path {
                path::REPORTS => self.reports(body, policy.address()),
                path::RENEW => {
                    let renewal: SignedRenewal = serde_json::from_slice(body).unwrap();
                    renewal.verify(self.key.public_key()).unwrap();
                    let answer = RenewAnswer {
                        certificate: self.fresh.clone(),
                        client_chain: vec![],
                        server_cas: vec![BASE64.encode(&self.ours)],
                        sealing_key: None,
                        server_time_at: 1,
                    };
                    serde_json::to_vec(&answer)
                }
                _ => serde_json::to_vec(&policy),
            };
            (200, vec![], json.unwrap())
        }

        fn reports(&self, body: &[u8], policy: Digest) -> serde_json::Result<Vec<u8>> {
            assert!(body.len() <= limits::REPORTS_BODY);
            let reports = Report::decode_all(body).unwrap();
            let results = reports.into_iter().map(|report| {
                report.verify(self.key.public_key()).unwrap();
                let position = Waiting::read(report).unwrap().position;
                self.taken.lock().unwrap().push((position.segment, position.number));
                let receipt =
                    protocol::Receipt { machine: "m".to_owned(), position, received_at: 1, audit_head: Digest::ZERO };
                ReportAnswer::Accepted { receipt: SignedReceipt::sign(&receipt, &self.key).unwrap() }
            });
            let assignment = Assignment {
                office: "Xã An".to_owned(),
                role: Role::Workstation,
                confirmed: true,
                policy: Some(policy),
            };
            serde_json::to_vec(&ReportAnswers {
                results: results.collect(),
                assignment,
                server_time_at: 1,
                checkpoint: None,
            })
        }
    }

    /// A state folder enrolled with the server under `ours`, whose certificate is valid from `from` to `until` (years).
    pub(super) fn enrolled(state: &Path, ours: &Authority, from: i32, until: i32) -> (FakeServer, Identity) {
        let state = StateFolder::open(state, Missing::Create).unwrap();
        let mut identity = sample(&state);
        let key = MachineKey::load_or_make(&state).unwrap();
        let rustls::pki_types::PrivateKeyDer::Pkcs8(document) = key.for_tls() else { panic!("not PKCS #8") };
        let pair = rcgen::KeyPair::try_from(document.secret_pkcs8_der()).unwrap();
        let certificate = |from: i32, until: i32| {
            let mut parameters = rcgen::CertificateParams::default();
            parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
            BASE64.encode(parameters.self_signed(&pair).unwrap().der())
        };
        identity.certificate = certificate(from, until);
        identity.server_cas = vec![BASE64.encode(&ours.der)];
        identity.save(&state).unwrap();
        let key = Arc::new(SigningKey::from_pkcs8(document.secret_pkcs8_der()).unwrap());
        (FakeServer { key, taken: Arc::default(), fresh: certificate(2020, 2100), ours: ours.der.clone() }, identity)
    }

    pub(super) fn open(state: &Path) -> AgentState {
        AgentState::open(
            state,
            None,
            Collector::new(Arc::new(Machine::new(Arc::new(Recorded::default())))),
            Arc::new(Clock::system()),
        )
        .unwrap()
    }

    /// Writes the server's address into the configuration.
    pub(super) fn dial(state: &Path, address: &str) {
        std::fs::write(state.join("agent.toml"), format!("[server]\naddress = \"{address}\"\n")).unwrap();
    }

    /// An enrolled machine and its server.
    struct World {
        _folder: tempfile::TempDir,
        path: PathBuf,
        fake_server: FakeServer,
        ours: Authority,
    }

    impl World {
        /// The machine's certificate is valid until the year `until`.
        fn new(until: i32) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (path, ours) = (folder.path().join("state"), authority("ours"));
            let (fake_server, _) = enrolled(&path, &ours, 2020, until);
            Self { _folder: folder, path, fake_server, ours }
        }

        /// Starts the server, which answers with `answer(fake_server, path, body)`, and points the machine at it.
        async fn serve(&self, answer: impl Fn(&FakeServer, &str, &[u8]) -> Answer + Send + Sync + 'static) -> Server {
            let fake_server = self.fake_server.clone();
            let server = Server::start(&self.ours, move |path, body| answer(&fake_server, path, body)).await;
            dial(&self.path, &server.address.to_string());
            server
        }

        /// Segment and number of each report the server accepted.
        fn taken(&self) -> Vec<(u64, u64)> {
            self.fake_server.taken.lock().unwrap().clone()
        }
    }

    #[test]
    fn an_expired_certificate_is_renewed_and_the_machine_judged() {
        run(async {
            let world = World::new(2021);
            let server = world.serve(FakeServer::answer).await;
            let mut agent_state = open(&world.path);
            let done = once(&mut agent_state).await.unwrap();
            assert!(done.delivered && done.trouble.is_none(), "{:?}", done.trouble);
            assert_eq!(world.taken(), [(1, 1)]);
            let asked = server.asked();
            assert_eq!(asked[..2], [path::RENEW, path::REPORTS]);
            assert!(asked[2].starts_with(path::POLICY) && asked.len() == 3);
            assert_eq!(done.judgement.unwrap().policy_version, 7);
            drop(agent_state);
            let agent_state = open(&world.path);
            assert_eq!(agent_state.identity.certificate, world.fake_server.fresh);
            assert!(agent_state.judge().unwrap().is_none(), "nothing was observed since this start");
        });
    }

    #[test]
    fn a_certificate_that_the_server_refuses_for_its_dates_is_renewed_once() {
        run(async {
            let world = World::new(2100);
            let renewed = AtomicBool::new(false);
            let answer = move |fake_server: &FakeServer, path: &str, body: &[u8]| {
                renewed.fetch_or(path == path::RENEW, Ordering::SeqCst);
                if renewed.load(Ordering::SeqCst) {
                    fake_server.answer(path, body)
                } else {
                    refused(403, "certificate_expired")
                }
            };
            let server = world.serve(answer).await;
            let done = once(&mut open(&world.path)).await.unwrap();
            assert!(done.delivered && done.trouble.is_none(), "{:?}", done.trouble);
            assert_eq!(world.taken(), [(1, 1)]);
            assert_eq!(server.asked()[..3], [path::REPORTS, path::RENEW, path::REPORTS]);
        });
    }

    #[test]
    fn reports_wait_while_the_server_is_away_and_leave_in_order() {
        run(async {
            let world = World::new(2100);
            for waiting in 1..=3 {
                let done = once(&mut open(&world.path)).await.unwrap();
                assert!(!done.delivered && done.judgement.is_none());
                assert!(matches!(done.trouble, Some(WireError::Unreachable { .. })));
                assert_eq!(done.waiting, waiting);
            }
            let _server = world.serve(FakeServer::answer).await;
            let done = once(&mut open(&world.path)).await.unwrap();
            assert!(done.delivered && done.judgement.is_some());
            assert_eq!(world.taken(), [(1, 1), (1, 2), (1, 3), (1, 4)]);
        });
    }

    /// A broken chain is mended by a full report, but a server that refuses that too does not get one after another.
    #[test]
    fn a_server_that_refuses_every_report_is_asked_twice() {
        run(async {
            let world = World::new(2100);
            let answer = |_: &FakeServer, _: &str, _: &[u8]| {
                let refusal = protocol::Refusal {
                    code: "x".to_owned(),
                    message: policies::text::Text::new("x", "x"),
                    action: protocol::RefusalAction::Final,
                    retry_after_s: None,
                };
                let assignment =
                    Assignment { office: "x".to_owned(), role: Role::Workstation, confirmed: true, policy: None };
                let results = vec![ReportAnswer::Refused { refusal, agreed: None }];
                (
                    200,
                    vec![],
                    serde_json::to_vec(&ReportAnswers { results, assignment, server_time_at: 1, checkpoint: None })
                        .unwrap(),
                )
            };
            let server = world.serve(answer).await;
            let done = once(&mut open(&world.path)).await.unwrap();
            assert!(!done.delivered && matches!(done.trouble, Some(WireError::Refused { .. })), "{:?}", done.trouble);
            assert_eq!(server.asked(), [path::REPORTS, path::REPORTS]);
        });
    }
}
