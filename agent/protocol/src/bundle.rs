//! A published policy: all its files, the server's id, a rising version and the signing key's id, signed as a whole.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::limits;
use crate::message::PolicyKey;
use crate::sign::{BadKey, Purpose, SigningKey, verify};

/// The files of a policy and what they are bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Id of the server it is meant for.
    pub server: String,
    /// Rises with every publication; an agent refuses a lower one than it has.
    pub version: u64,
    /// Id of the key that signs it ([`PolicyKey::id_of`]).
    pub key: String,
    /// When it was made; milliseconds since 1970 UTC.
    pub made_at: i64,
    /// File name to TOML text: the office file and the control files it names.
    pub files: BTreeMap<String, String>,
}

/// A bundle's exact bytes with their signature: as sent, and as stored on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBundle {
    /// JSON of the [`Bundle`], byte for byte as signed.
    pub bundle: String,
    /// Signature in base64.
    pub signature: String,
}

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Longer than [`limits::BUNDLE`].
    #[error("the policy bundle has {0} bytes, allowed are {max}", max = limits::BUNDLE)]
    TooLong(usize),
    /// Not valid JSON of a bundle.
    #[error("the policy bundle cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Signed by a key that is not pinned.
    #[error("the policy bundle names the signing key {0}, which is not one of the pinned keys")]
    UnknownKey(String),
    /// The signature is wrong.
    #[error("the policy bundle's signature does not fit its bytes")]
    BadSignature,
    /// For another server.
    #[error("the policy bundle is for server {0}")]
    OtherServer(String),
    /// Older than the one in use.
    #[error("the policy bundle has version {offered}, in use is {used}")]
    Older {
        /// The version offered.
        offered: u64,
        /// The version in use.
        used: u64,
    },
}

impl SignedBundle {
    /// Signs a bundle for agents; its `key` is set to the id of `key`.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(bundle: Bundle, key: &SigningKey) -> Result<Self, BadKey> {
        Self::sign_for(Purpose::Policy, bundle, key)
    }

    /// Signs a bundle for agents ([`Purpose::Policy`]) or for the server alone ([`Purpose::ServerPolicy`]).
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign_for(purpose: Purpose, mut bundle: Bundle, key: &SigningKey) -> Result<Self, BadKey> {
        bundle.key = PolicyKey::id_of(key.public_key());
        let bundle = serde_json::to_string(&bundle).map_err(|_| BadKey)?;
        let signature = BASE64.encode(&key.sign(purpose, bundle.as_bytes())?);
        Ok(Self { bundle, signature })
    }

    /// The address it is fetched by: the digest of its exact bytes.
    pub fn address(&self) -> Digest {
        Digest::of(self.bundle.as_bytes())
    }

    /// Parses the bundle if one of `keys` signed it for agents of `server` and its version is at least `used`.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn open(&self, keys: &[PolicyKey], server: &str, used: u64) -> Result<Bundle, BundleError> {
        self.open_for(Purpose::Policy, keys, server, used)
    }

    /// Like [`SignedBundle::open`], for what was signed for `purpose`.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn open_for(
        &self,
        purpose: Purpose,
        keys: &[PolicyKey],
        server: &str,
        used: u64,
    ) -> Result<Bundle, BundleError> {
        if self.bundle.len() > limits::BUNDLE {
            return Err(BundleError::TooLong(self.bundle.len()));
        }
        let bundle: Bundle = serde_json::from_str(&self.bundle)?;
        let key = keys.iter().find(|key| key.id == bundle.key);
        let key = key.ok_or_else(|| BundleError::UnknownKey(bundle.key.clone()))?;
        let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| BundleError::BadSignature);
        verify(&decode(&key.public_key)?, purpose, self.bundle.as_bytes(), &decode(&self.signature)?)
            .map_err(|_| BundleError::BadSignature)?;
        if bundle.server != server {
            return Err(BundleError::OtherServer(bundle.server));
        }
        if bundle.version < used {
            return Err(BundleError::Older { offered: bundle.version, used });
        }
        Ok(bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(key: &SigningKey) -> (SignedBundle, PolicyKey) {
        let bundle = Bundle {
            server: "s".to_owned(),
            version: 3,
            key: String::new(),
            made_at: 1,
            files: BTreeMap::from([("level-2.toml".to_owned(), "format = 1\n".to_owned())]),
        };
        let public = key.public_key();
        let pinned = PolicyKey { id: PolicyKey::id_of(public), public_key: BASE64.encode(public) };
        (SignedBundle::sign(bundle, key).unwrap(), pinned)
    }

    #[test]
    fn only_a_pinned_key_the_right_server_and_no_lower_version_open_it() {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let (signed, pinned) = signed(&key);
        let keys = [pinned];
        assert_eq!(signed.open(&keys, "s", 3).unwrap().version, 3);
        assert!(matches!(signed.open(&[], "s", 0), Err(BundleError::UnknownKey(_))));
        assert!(matches!(signed.open(&keys, "t", 0), Err(BundleError::OtherServer(_))));
        assert!(matches!(signed.open(&keys, "s", 4), Err(BundleError::Older { offered: 3, used: 4 })));
        let mut forged = signed.clone();
        forged.bundle = forged.bundle.replace("format = 1", "format = 2");
        assert!(matches!(forged.open(&keys, "s", 0), Err(BundleError::BadSignature)));
        assert_ne!(forged.address(), signed.address());
        forged.bundle = " ".repeat(limits::BUNDLE + 1);
        assert!(matches!(forged.open(&keys, "s", 0), Err(BundleError::TooLong(_))));
    }

    #[test]
    fn what_is_signed_for_the_server_is_no_policy_for_agents() {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let (agents, pinned) = signed(&key);
        let keys = [pinned];
        let bundle = agents.open(&keys, "s", 0).unwrap();
        let server = SignedBundle::sign_for(Purpose::ServerPolicy, bundle.clone(), &key).unwrap();
        assert_eq!(server.open_for(Purpose::ServerPolicy, &keys, "s", 0).unwrap(), bundle);
        assert!(matches!(server.open(&keys, "s", 0), Err(BundleError::BadSignature)));
        assert!(matches!(agents.open_for(Purpose::ServerPolicy, &keys, "s", 0), Err(BundleError::BadSignature)));
    }

    #[test]
    fn the_exact_bytes_are_pinned() {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let (signed, pinned) = signed(&key);
        let expected = format!(
            r#"{{"server":"s","version":3,"key":"{}","made_at":1,"files":{{"level-2.toml":"format = 1\n"}}}}"#,
            pinned.id
        );
        assert_eq!(signed.bundle, expected);
    }
}
