//! The machine's key: a P-256 key made on the machine, never leaving it. It signs reports and renewals, and proves the
//! machine in TLS.

use protocol::sign::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use crate::certificate;
use crate::state::{StateError, StateFolder};

/// The key's file: PKCS #8, DER; mode 0600, on Windows sealed for the account that runs the agent.
const FILE: &str = "key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The state folder refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file is no key of ours, or none could be made.
    #[error("{path}: {source}")]
    Bad {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        source: protocol::sign::BadKey,
    },
    /// The signing request could not be made: the system gives no random bytes.
    #[error("cannot make a signing request")]
    Request,
}

/// The machine's key.
pub struct MachineKey {
    signing: SigningKey,
    document: Vec<u8>,
}

impl MachineKey {
    /// Reads the key; none when the machine has none yet.
    ///
    /// # Errors
    /// When the file may be read by others or is no key.
    pub fn load(state: &StateFolder) -> Result<Option<Self>, KeyError> {
        let Some(document) = state.read_secret(FILE)? else { return Ok(None) };
        Self::read(document, state).map(Some)
    }

    /// Reads the key, or makes one. A retried enrolment finds the key of the first attempt; a key that another account sealed (an
    /// administrator's console, before the service) is given up for a new one.
    ///
    /// # Errors
    /// As [`MachineKey::load`], or when it cannot be written.
    pub fn load_or_make(state: &StateFolder) -> Result<Self, KeyError> {
        match Self::load(state) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => {}
            Err(KeyError::State(error @ StateError::Sealed { .. })) => {
                tracing::warn!(%error, "a new key is made");
            }
            Err(error) => return Err(error),
        }
        let document = SigningKey::generate().map_err(|source| KeyError::Bad { path: state.file(FILE), source })?;
        state.write_secret(FILE, &document)?;
        Self::read(document, state)
    }

    fn read(document: Vec<u8>, state: &StateFolder) -> Result<Self, KeyError> {
        let signing = SigningKey::from_pkcs8(&document);
        let signing = signing.map_err(|source| KeyError::Bad { path: state.file(FILE), source })?;
        Ok(Self { signing, document })
    }

    /// What signs reports and renewals.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The key for TLS.
    pub fn for_tls(&self) -> rustls::pki_types::PrivateKeyDer<'static> {
        rustls::pki_types::PrivatePkcs8KeyDer::from(self.document.clone()).into()
    }

    /// A PKCS #10 request, DER. The server uses only its public key, so it names nothing.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn request(&self) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        // A request begins as every DER does and no `Purpose` does, so its signature is worth nothing elsewhere.
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.document, &random);
        let pair = pair.map_err(|_| KeyError::Request)?;
        certificate::request(self.signing.public_key(), |information| {
            pair.sign(&random, information).map(|signature| signature.as_ref().to_vec()).map_err(|_| KeyError::Request)
        })
    }
}

impl std::fmt::Debug for MachineKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MachineKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

    use super::*;
    use crate::state::{Durability, Missing};

    #[test]
    fn the_key_is_made_once_and_its_request_names_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        assert!(MachineKey::load(&state).unwrap().is_none());
        let key = MachineKey::load_or_make(&state).unwrap();
        let again = MachineKey::load_or_make(&state).unwrap();
        assert_eq!(key.signing().public_key(), again.signing().public_key());
        state.check_private(FILE).unwrap();
        let request = key.request().unwrap();
        assert!(request.len() < protocol::limits::CSR);
        let (_, parsed) = x509_parser::certification_request::X509CertificationRequest::from_der(&request).unwrap();
        let info = &parsed.certification_request_info;
        assert_eq!(&*info.subject_pki.subject_public_key.data, key.signing().public_key());
        assert_eq!(info.subject.iter().count(), 0);
        let held = ring::signature::UnparsedPublicKey::new(
            &ring::signature::ECDSA_P256_SHA256_ASN1,
            key.signing().public_key(),
        );
        held.verify(info.raw, &parsed.signature_value.data).unwrap();
        // As the server reads it: key and signature in the forms it expects.
        rcgen::CertificateSigningRequestParams::from_der(&request.into()).unwrap();
        assert_eq!(format!("{key:?}"), "MachineKey(..)");
    }

    #[test]
    fn a_damaged_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        state.write(FILE, b"not a key", Durability::Relaxed).unwrap();
        let error = MachineKey::load_or_make(&state).unwrap_err().to_string();
        assert!(error.contains("key: the private key"), "{error}");
    }
}
