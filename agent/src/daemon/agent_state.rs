//! Everything the agent holds between start and end: state, identity, policy, the newest facts and the reports on their way.
//! `once` and `run` are two ways of driving it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{Assignment, Digest};

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
use crate::report::observation::{Observation, Volatile};
use crate::state::config::{self, Config, ConfigError};
use crate::state::{Missing, StateFolder};
use collect::Collector;

/// The agent at work.
pub(crate) struct AgentState {
    /// The state folder.
    pub(crate) state: StateFolder,
    /// The sense of time.
    pub(crate) clock: Arc<Clock>,
    /// What a person set.
    pub(crate) config: Config,
    /// Who this machine is.
    pub(crate) identity: Identity,
    /// What reads the machine.
    pub(crate) collector: Collector,
    /// The newest facts.
    pub(crate) observation: Observation,
    /// Reports on their way.
    pub(crate) delivery: Delivery,
    /// The policy in use.
    pub(crate) policies: PolicyStore,
    /// What the server last said.
    pub(crate) last_answer: LastAnswer,
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
    /// Starts from the folder `state`, reading the machine through `collector`.
    ///
    /// # Errors
    /// When the machine is not enrolled, another process is at work, or a file cannot be used.
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
            author,
            config_path,
        };
        agent_state.policy_learn();
        Ok(agent_state)
    }

    /// Tells the collector what the policy in use knows of systems. A policy that cannot be used teaches nothing; who reads it says so.
    pub(crate) fn policy_learn(&self) {
        if let Ok(Some(loaded)) = self.policies.load(&self.state, &self.identity) {
            self.collector.learn(&loaded.set);
        }
    }

    /// The configuration's file.
    pub(crate) fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// Reads the configuration again. True when it says something else.
    ///
    /// # Errors
    /// When it cannot be used; the former stays in force.
    pub(crate) fn config_reload(&mut self) -> Result<bool, ConfigError> {
        let config = Config::load(&self.config_path)?;
        let changed = config != self.config;
        self.config = config;
        self.delivery.spool.set_most_bytes(self.config.spool.most_mebibytes << 20);
        Ok(changed)
    }

    /// When the machine's certificate is valid.
    pub(crate) fn validity(&self) -> Validity {
        self.identity.validity()
    }

    /// The machine's key.
    pub(crate) fn key(&self) -> &MachineKey {
        &self.author.key
    }

    /// `HOST:PORT` to dial.
    pub(crate) fn address(&self) -> &str {
        self.config.server.address.as_deref().unwrap_or(&self.identity.address)
    }

    /// True when there is no address to dial: the machine enrolled by file and nobody configured one since.
    pub(crate) fn is_unconnected(&self) -> bool {
        self.address().is_empty()
    }

    /// A line to the server on which the machine proves itself.
    ///
    /// # Errors
    /// When certificate, key or proxy cannot be used.
    pub(crate) fn connection(&self) -> Result<Connection, WireError> {
        self.line(Some((self.identity.chain(), self.author.key.for_tls())))
    }

    /// A line to the server without a certificate, for renewal.
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

    /// Judges the newest facts by the signed policy, and posts the result for the person at the machine; none before there are
    /// facts, a policy and a role.
    ///
    /// # Errors
    /// When the policy on disk does not check.
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

    /// As [`AgentState::judge`]; trouble is logged.
    pub(crate) fn judged(&self) -> Option<Judgement> {
        self.judge().unwrap_or_else(|error| {
            tracing::error!(%error, "the machine cannot be judged by the policy on disk");
            None
        })
    }

    /// Makes a report of the newest facts and keeps it for delivery. `outcomes` is the digest of the verdicts, if judged.
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
        let draft = Draft {
            entries: self.observation.entries(volatile, now)?,
            traits: self.observation.traits(),
            policy: self.policies.address(),
            made_at: now,
        };
        self.delivery.submit(&self.author, &draft, &self.state)?;
        self.observation.reported(&draft.entries, outcomes, now);
        Ok(())
    }

    /// Takes in what every answer of the server says. Returns the address of a policy that is to be fetched.
    pub(crate) fn learn(&mut self, assignment: &Assignment, server_time_at: i64) -> Option<Digest> {
        self.clock.server_said(server_time_at, self.validity().until);
        self.last_answer.heard(assignment, self.clock.server_at(), &self.state);
        assignment.policy.filter(|policy| Some(*policy) != self.policies.address())
    }

    /// Takes a fetched bundle into use.
    ///
    /// # Errors
    /// Why it is not used.
    pub(crate) fn policy_use(&mut self, signed: &protocol::SignedBundle) -> Result<(), PolicyStoreError> {
        self.policies.replace(&self.state, &self.identity, signed)?;
        self.last_answer.policy_version = self.policies.version();
        self.policy_learn();
        self.last_answer.keep(&self.state);
        tracing::info!(version = self.policies.version(), "a new policy is in use");
        Ok(())
    }
}
