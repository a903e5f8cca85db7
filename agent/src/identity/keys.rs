//! The machine's key: a P-256 key made on the machine, which never leaves it. It signs reports and renewals, and
//! authenticates the machine in TLS.

use protocol::sign::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use crate::identity::certificate;
use crate::state::{Remedy, StateError, StateFolder};

/// The key's file: PKCS #8, DER; mode 0600, on Windows sealed for the account that runs the agent.
const FILE: &str = "key";

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Error of the state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system could not make a key.
    #[error("cannot make a key")]
    NotMade(#[from] protocol::sign::BadKey),
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
        let damaged = |reason: String| StateError::Damaged { path: state.file(FILE), reason, remedy: Remedy::Connect };
        let document = match state.read_secret(FILE) {
            Ok(Some(document)) => document,
            Ok(None) => return Ok(None),
            Err(StateError::Damaged { reason, .. }) => return Err(damaged(reason).into()),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Self::read(document).map_err(|error| damaged(error.to_string()))?))
    }

    /// Reads the key, or makes one. A retried enrolment finds the key of the first attempt. A key that is damaged, or sealed by
    /// another account (an administrator's console, before the service), is set aside and replaced.
    ///
    /// # Errors
    /// See [`MachineKey::load`]; also when it cannot be written.
    pub fn load_or_make(state: &StateFolder) -> Result<Self, KeyError> {
        match Self::load(state) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => {}
            Err(KeyError::State(error @ (StateError::Sealed { .. } | StateError::Damaged { .. }))) => {
                tracing::warn!(%error, "a new key is made");
            }
            Err(error) => return Err(error),
        }
        Self::make_anew(state)
    }

    /// Makes a new key and sets the existing one aside.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn make_anew(state: &StateFolder) -> Result<Self, KeyError> {
        state.set_aside(FILE, "former")?;
        let document = SigningKey::generate()?;
        state.write_secret(FILE, &document)?;
        Ok(Self::read(document)?)
    }

    /// The error for a key that does not belong to the identity.
    pub fn foreign(state: &StateFolder) -> KeyError {
        let reason = "it is another key than the identity's".to_owned();
        StateError::Damaged { path: state.file(FILE), reason, remedy: Remedy::Connect }.into()
    }

    fn read(document: Vec<u8>) -> Result<Self, protocol::sign::BadKey> {
        Ok(Self { signing: SigningKey::from_pkcs8(&document)?, document })
    }

    /// The key in the form that signs reports and renewals.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The key in the form that TLS needs.
    pub fn for_tls(&self) -> rustls::pki_types::PrivateKeyDer<'static> {
        rustls::pki_types::PrivatePkcs8KeyDer::from(self.document.clone()).into()
    }

    /// A PKCS #10 request, DER. Its subject is empty, because the server only uses its public key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn request(&self) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        // A request begins like any DER and no `Purpose` does, so its signature is useless anywhere else.
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
        // As the server reads it: key and signature in the formats it expects.
        rcgen::CertificateSigningRequestParams::from_der(&request.into()).unwrap();
        assert_eq!(format!("{key:?}"), "MachineKey(..)");
    }

    #[test]
    fn a_damaged_key_is_named_and_set_aside_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        state.write(FILE, b"not a key", Durability::Relaxed).unwrap();
        let error = MachineKey::load(&state).unwrap_err().to_string();
        assert!(error.contains("key is damaged (the private key") && error.contains("enrol"), "{error}");
        let key = MachineKey::load_or_make(&state).unwrap();
        assert_eq!(std::fs::read(state.file("key.former")).unwrap(), b"not a key");
        assert_eq!(MachineKey::load(&state).unwrap().unwrap().signing().public_key(), key.signing().public_key());
    }
}
