//! The policy in force: what was published last, believed only under a known key, and shared with whoever judges or hands it
//! out. Reading and judging are in the crate `policies`; publishing is a command.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::body::Bytes;
use policies::policy::PolicyErrors;
use protocol::bundle::BundleError;
use protocol::message::PolicyKey;
use protocol::{Bundle, Digest, SignedBundle};

use crate::error::Told;
use crate::judge::Judge;
use crate::store::Db;

/// A published policy.
#[derive(Debug)]
pub struct Published {
    /// By which agents ask for it.
    pub address: Digest,
    /// What travels.
    pub signed: SignedBundle,
    /// What it says.
    pub bundle: Bundle,
    /// What judges by it.
    pub judge: Arc<Judge>,
    json: OnceLock<Bytes>,
}

impl Published {
    /// What travels, as JSON: made once, so that a thousand machines which fetch it at once hold it once.
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

/// Why a bundle is not a policy to use.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The envelope does not fit: key, server or version.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The files inside are not a valid policy.
    #[error("the policy cannot be read")]
    Policy(#[from] PolicyErrors),
}

/// The policy in force, kept in memory and read again when another is published.
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

    /// What judges by it.
    pub fn judge(&self) -> Option<Arc<Judge>> {
        self.current().map(|published| Arc::clone(&published.judge))
    }

    /// Its address.
    pub fn address(&self) -> Option<Digest> {
        self.current().map(|published| published.address)
    }

    /// Reads the newest policy from the store when it is not the one in memory. What stands in the database is believed only under
    /// a known key, for whoever can write there must not be able to hand out policies.
    ///
    /// # Errors
    /// The database fails, or what it holds is not signed by a known key.
    pub async fn refresh(&self, db: &Db) -> anyhow::Result<()> {
        let Some(stored) = db.read().await?.policy_bundle_latest().await? else { return Ok(()) };
        if self.address().is_some_and(|address| address.to_string() == stored.address) {
            return Ok(());
        }
        let published = Arc::new(self.open(stored.signed()?, 0).map_err(|cause| {
            Told::new(
                "Bộ tiêu chí trong cơ sở dữ liệu không dùng được. Hãy ký và công bố lại: posture-server policy sign, posture-server policy publish.",
                "The policy in the database cannot be used. Sign and publish it again: posture-server policy sign, posture-server policy publish.",
            )
            .because(cause)
        })?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(published);
        Ok(())
    }

    /// Checks a bundle against the known keys, this server's id and the version in use.
    ///
    /// # Errors
    /// Any of the three does not fit, or the files inside are not a valid policy.
    pub fn open(&self, signed: SignedBundle, used: u64) -> Result<Published, OpenError> {
        let bundle = signed.open(&self.keys, &self.server, used)?;
        let address = signed.address();
        let judge = Arc::new(Judge::new(&address.to_string(), &bundle.files)?);
        Ok(Published { address, signed, bundle, judge, json: OnceLock::new() })
    }
}
