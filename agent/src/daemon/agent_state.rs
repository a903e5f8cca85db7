//! Everything the agent holds between start and end: state folder, identity, policy, newest facts, undelivered reports.
//! `once` and `run` are the two ways of driving it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{AgentEventKind, Assignment, Digest, event};

use crate::connection::tls::{Anchor, Trust};
use crate::connection::{Connection, WireError};
use crate::identity::keys::MachineKey;
use crate::identity::start::StartError;
use crate::identity::{Identity, Validity};
use crate::platform::clock::Clock;
use crate::policy::judgement::Judgement;
use crate::policy::last_answer::LastAnswer;
use crate::policy::notice::Notice;
use crate::policy::store::{PolicyStore, PolicyStoreError};
use crate::report::delivery::Delivery;
use crate::report::draft::{Author, Draft, ReportError};
use crate::report::journal::Journal;
use crate::report::observation::{Observation, Volatile};
use crate::state::config::{self, Config, ConfigError};
use crate::state::{self, Missing, StateFolder};
use collect::Collector;

/// The running agent.
pub(crate) struct AgentState {
    /// The state folder.
    pub(crate) state: StateFolder,
    /// The machine's clock and the trusted time.
    pub(crate) clock: Arc<Clock>,
    /// The configuration.
    pub(crate) config: Config,
    /// The machine's identity with its server.
    pub(crate) identity: Identity,
    /// Reads the facts from the machine.
    pub(crate) collector: Collector,
    /// The newest facts.
    pub(crate) observation: Observation,
    /// Reports being delivered.
    pub(crate) delivery: Delivery,
    /// The policy in use.
    pub(crate) policies: PolicyStore,
    /// What the server last said.
    pub(crate) last_answer: LastAnswer,
    /// The agent's own events.
    pub(crate) journal: Journal,
    author: Author,
    config_path: PathBuf,
}

impl std::fmt::Debug for AgentState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AgentState")
            .field("state", &self.state)
            .field("machine", &self.identity.machine)
            .finish_non_exhaustive()
    }
}

impl AgentState {
    /// Starts from the folder `state`; `collector` reads the machine.
    ///
    /// # Errors
    /// When the machine is not enrolled, another process holds the folder, or a file cannot be used.
    pub(crate) fn open(
        state: &Path,
        config: Option<&Path>,
        collector: Collector,
        clock: Arc<Clock>,
    ) -> Result<Self, StartError> {
        let state = StateFolder::open(state, Missing::Refuse)?;
        let config_path = config::path(state.path(), config);
        let config = Config::load(&config_path)?;
        let identity = Identity::load(&state)?.ok_or(StartError::NotEnrolled)?;
        let key = MachineKey::load(&state)?.ok_or(StartError::NotEnrolled)?;
        if !identity.is_for(key.signing().public_key()) {
            return Err(MachineKey::foreign(&state).into());
        }
        let last_answer = LastAnswer::load(&state)?;
        clock.server_said_once(last_answer.server_at, identity.validity().until);
        let most_bytes = config.spool.most_mebibytes << 20;
        let delivery =
            Delivery::open(&state, &identity.machine, identity.receipt_point(), most_bytes, clock.trusted())?;
        let (policies, problem) = PolicyStore::open(&state, &identity, last_answer.policy_version);
        if let Some(error) = problem {
            tracing::error!(%error, "the policy on disk is not used; it is fetched again");
        }
        let journal = Journal::open(&state, clock.now())?;
        let author = Author { machine: identity.machine.clone(), start: crate::platform::random::identifier()?, key };
        let agent_state = Self {
            state,
            clock,
            config,
            identity,
            collector,
            observation: Observation::default(),
            delivery,
            policies,
            last_answer,
            journal,
            author,
            config_path,
        };
        agent_state.policy_learn();
        Ok(agent_state)
    }

    /// Tells the collector what the policy in use knows about operating systems. A policy that cannot be read is skipped here; the
    /// error is reported where it is read.
    pub(crate) fn policy_learn(&self) {
        if let Ok(Some(loaded)) = self.policies.load(&self.state, &self.identity) {
            self.collector.learn(&loaded.set);
        }
    }

    /// Path of the configuration file.
    pub(crate) fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// Reads the configuration again. True when it has changed.
    ///
    /// # Errors
    /// When it cannot be used; the former one stays in force.
    pub(crate) fn config_reload(&mut self) -> Result<bool, ConfigError> {
        let config = Config::load(&self.config_path)?;
        let changed = config != self.config;
        self.config = config;
        self.delivery.spool.set_most_bytes(self.config.spool.most_mebibytes << 20);
        Ok(changed)
    }

    /// Validity of the machine's certificate.
    pub(crate) fn validity(&self) -> Validity {
        self.identity.validity()
    }

    /// The machine's private key.
    pub(crate) fn key(&self) -> &MachineKey {
        &self.author.key
    }

    /// The server's `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.config.server.address.as_deref().unwrap_or(&self.identity.address)
    }

    /// True when there is no address to dial: the machine enrolled by file and none has been configured since.
    pub(crate) fn is_unconnected(&self) -> bool {
        self.address().is_empty()
    }

    /// A connection to the server, authenticated with the machine's certificate.
    ///
    /// # Errors
    /// When certificate, key or proxy cannot be used.
    pub(crate) fn connection(&self) -> Result<Connection, WireError> {
        self.line(Some((self.identity.chain(), self.author.key.for_tls())))
    }

    /// A connection to the server without a client certificate, for renewal.
    ///
    /// # Errors
    /// When the proxy cannot be used.
    pub(crate) fn plain_connection(&self) -> Result<Connection, WireError> {
        self.line(None)
    }

    fn line(
        &self,
        machine: Option<(Vec<Vec<u8>>, rustls::pki_types::PrivateKeyDer<'static>)>,
    ) -> Result<Connection, WireError> {
        let trust = Trust::new(Anchor::Authorities(self.identity.authorities()), Arc::clone(&self.clock));
        Connection::new(self.address(), self.config.server.proxy.as_deref(), &trust, machine)
    }

    /// Judges the newest facts by the signed policy and publishes the result for people at the machine; none until there are
    /// facts, a policy and a role.
    ///
    /// # Errors
    /// When the policy on disk fails its checks.
    pub(crate) fn judge(&self) -> Result<Option<Judgement>, PolicyStoreError> {
        let Some(assignment) = &self.last_answer.assignment else { return Ok(None) };
        if self.observation.is_empty() {
            return Ok(None);
        }
        let Some(loaded) = self.policies.load(&self.state, &self.identity)? else { return Ok(None) };
        let facts = self.observation.facts();
        let judgement = Judgement::new(&loaded, assignment.role, facts, self.clock.instant());
        let controls = loaded.set.controls(assignment.role);
        let notice = Notice::new(&judgement, controls, facts, assignment, self.last_answer.server_at);
        if let Err(error) = notice.post(self.state.path()) {
            tracing::warn!(%error, "people at this machine cannot see the newest result");
        }
        Ok(Some(judgement))
    }

    /// Like [`AgentState::judge`], but logs the error.
    pub(crate) fn judged(&self) -> Option<Judgement> {
        self.judge().unwrap_or_else(|error| {
            tracing::error!(%error, "the machine cannot be judged by the policy on disk");
            None
        })
    }

    /// Makes a report of the newest facts and queues it for delivery. `outcomes` is the digest of the verdicts, if
    /// judged.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn report(&mut self, outcomes: Option<Digest>) -> Result<(), ReportError> {
        let now = self.clock.now();
        let volatile = if self.delivery.chain.opens() || self.observation.outcomes_changed(outcomes) {
            Volatile::Now
        } else {
            Volatile::Hourly
        };
        if state::was_repaired() {
            self.journal.note(AgentEventKind::StateRepaired, None, now);
        }
        let mut entries = self.observation.entries(volatile, now)?;
        // Never later than the facts: the agent's events are no evidence about the machine.
        let observed_at = entries.values().map(|entry| entry.header.observed_at).max().unwrap_or(now);
        entries.insert(event::SECTION, self.journal.entry(observed_at)?);
        let draft = Draft { entries, traits: self.observation.traits(), policy: self.policies.address(), made_at: now };
        self.delivery.submit(&self.author, &draft, &self.state)?;
        self.observation.reported(&draft.entries, outcomes, now);
        Ok(())
    }

    /// Processes what every server answer contains. Returns the address of a policy to fetch.
    pub(crate) fn learn(&mut self, assignment: &Assignment, server_time_at: i64) -> Option<Digest> {
        self.clock.server_said(server_time_at, self.validity().until);
        self.last_answer.heard(assignment, self.clock.server_at(), &self.state);
        assignment.policy.filter(|policy| Some(*policy) != self.policies.address())
    }

    /// Starts using a fetched bundle.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn policy_use(&mut self, signed: &protocol::SignedBundle) -> Result<(), PolicyStoreError> {
        self.policies.replace(&self.state, &self.identity, signed)?;
        self.last_answer.policy_version = self.policies.version();
        self.policy_learn();
        self.last_answer.keep(&self.state);
        tracing::info!(version = self.policies.version(), "a new policy is in use");
        Ok(())
    }
}
