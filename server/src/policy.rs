//! The policy in force: the one published last, trusted only under a known key, and shared with everything that judges by it
//! or sends it. Reading and judging are in the crate `policies`; publishing is a command.

mod compiled;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::body::Bytes;
use policies::policy::{PolicyErrors, PolicySet};
use protocol::bundle::BundleError;
use protocol::message::PolicyKey;
use protocol::sign::{BadKey, Purpose, SigningKey};
use protocol::{Bundle, Digest, SignedBundle};
use serde::{Deserialize, Serialize};

pub use compiled::CompiledPolicy;

use crate::error::UserError;
use crate::store::Db;

/// What `policy sign` makes and `policy publish` takes: two sets under one version, by one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedPolicy {
    /// The set sent to agents.
    #[serde(flatten)]
    pub agents: SignedBundle,
    /// The files as they were written, for the server only. Policies signed before this set existed have none; the server then
    /// judges by the agents' set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<SignedBundle>,
}

/// Why a policy cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The files cannot be read.
    #[error(transparent)]
    Policy(#[from] PolicyErrors),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] BadKey),
}

impl SignedPolicy {
    /// Signs `set` for `server` under `version`, made at `made_at` (milliseconds UTC).
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn sign(
        set: &PolicySet,
        server: &str,
        version: u64,
        made_at: i64,
        key: &SigningKey,
    ) -> Result<Self, SignError> {
        let bundle = |files| Bundle { server: server.to_owned(), version, key: String::new(), made_at, files };
        let agents = SignedBundle::sign(bundle(set.files_for_agents()?), key)?;
        let server = SignedBundle::sign_for(Purpose::ServerPolicy, bundle(set.files().clone()), key)?;
        Ok(Self { agents, server: Some(server) })
    }
}

/// A published policy.
#[derive(Debug)]
pub struct Published {
    /// The digest by which agents request it.
    pub address: Digest,
    /// The bundle sent to agents.
    pub signed: SignedBundle,
    /// The set that stays on the server.
    pub server: Option<SignedBundle>,
    /// Its content.
    pub bundle: Bundle,
    /// The policy compiled for judging.
    pub judge: Arc<CompiledPolicy>,
    json: OnceLock<Bytes>,
}

impl Published {
    /// The bundle sent to agents, as JSON: made once and shared, even by a thousand concurrent fetches.
    ///
    /// # Errors
    /// None in practice.
    pub fn json(&self) -> serde_json::Result<Bytes> {
        if let Some(json) = self.json.get() {
            return Ok(json.clone());
        }
        let json = Bytes::from(serde_json::to_vec(&self.signed)?);
        Ok(self.json.get_or_init(|| json).clone())
    }
}

/// Why a bundle cannot be used as a policy.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The envelope does not match: key, server or version.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The envelope of the set for the server does not match.
    #[error("the set for the server: {0}")]
    Server(BundleError),
    /// The set for the server has another version.
    #[error("the set for the server has version {0}")]
    OtherVersion(u64),
    /// The files inside are not a valid policy.
    #[error("the policy cannot be read")]
    Policy(#[from] PolicyErrors),
}

/// The policy in force, kept in memory and reread when another is published.
#[derive(Debug)]
pub struct Policies {
    server: String,
    keys: Vec<PolicyKey>,
    current: RwLock<Option<Arc<Published>>>,
}

impl Policies {
    /// No policy yet; `keys` may sign for `server`.
    pub fn new(server: String, keys: Vec<PolicyKey>) -> Self {
        Self { server, keys, current: RwLock::default() }
    }

    /// The policy in force; `None` until the first is published.
    pub fn current(&self) -> Option<Arc<Published>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The policy in force, compiled for judging.
    pub fn judge(&self) -> Option<Arc<CompiledPolicy>> {
        self.current().map(|published| Arc::clone(&published.judge))
    }

    /// Address of the policy in force.
    pub fn address(&self) -> Option<Digest> {
        self.current().map(|published| published.address)
    }

    /// Reads the newest policy from the store when it is not the one in memory. The database is trusted only under a known key,
    /// because someone who can write there must not be able to publish policies.
    ///
    /// # Errors
    /// The database fails, or what it holds is not signed by a known key.
    pub async fn refresh(&self, db: &Db) -> anyhow::Result<()> {
        let Some(stored) = db.read().await?.policy_bundle_latest().await? else { return Ok(()) };
        if self.address().is_some_and(|address| address.to_string() == stored.address) {
            return Ok(());
        }
        let signed = SignedPolicy { agents: stored.signed()?, server: stored.signed_for_server()? };
        let published = Arc::new(self.open(signed, 0).map_err(|cause| {
            UserError::new(
                "Bộ tiêu chí trong cơ sở dữ liệu không dùng được. Hãy ký và công bố lại: posture-server policy sign, posture-server policy publish.",
                "The policy in the database cannot be used. Sign and publish it again: posture-server policy sign, posture-server policy publish.",
            )
            .because(cause)
        })?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(published);
        Ok(())
    }

    /// Checks a policy against the known keys, this server's id and the version in use. The server judges by its own set, if there is one.
    ///
    /// # Errors
    /// Any of the three does not match, or the files inside are not a valid policy.
    pub fn open(&self, signed: SignedPolicy, used: u64) -> Result<Published, OpenError> {
        let SignedPolicy { agents: signed, server } = signed;
        let bundle = signed.open(&self.keys, &self.server, used)?;
        let own = server.as_ref().map(|own| own.open_for(Purpose::ServerPolicy, &self.keys, &self.server, 0));
        let own = own.transpose().map_err(OpenError::Server)?;
        if let Some(own) = own.as_ref().filter(|own| own.version != bundle.version) {
            return Err(OpenError::OtherVersion(own.version));
        }
        let address = signed.address();
        let files = own.as_ref().map_or(&bundle.files, |own| &own.files);
        let judge = Arc::new(CompiledPolicy::new(&address.to_string(), files)?);
        Ok(Published { address, signed, server, bundle, judge, json: OnceLock::new() })
    }
}

#[cfg(test)]
mod tests {
    use policies::policy::Role;

    use super::*;

    /// Bundles signed before the controls had one source stay usable for ever.
    #[test]
    fn the_first_bundle_is_read_as_ever() {
        let signed = include_str!("../../policies/tests/bundles/format-1.json");
        let key = include_str!("../../policies/tests/bundles/format-1.key.json");
        let policies = Policies::new("format-1".to_owned(), vec![serde_json::from_str(key).unwrap()]);
        let published = policies.open(serde_json::from_str(signed).unwrap(), 1).unwrap();
        assert_eq!(published.judge.set().controls(Role::Workstation).controls().len(), 63);
        assert_eq!(published.judge.set().controls(Role::Server).controls().len(), 66);
    }
}
