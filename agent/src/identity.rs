//! The machine's identity with its server, and everything it pins: written at enrolment and renewal, read at start.

use data_encoding::BASE64;
use protocol::message::PolicyKey;
use protocol::unconnected::SealingPublicKey;
use protocol::{Digest, EnrolAnswer, RenewAnswer};
use serde::{Deserialize, Serialize};

use crate::identity::certificate::Certificate;
use crate::state::{DAMAGED, Durability, Remedy, StateError, StateFolder};

pub mod certificate;
pub mod keys;
pub mod start;

/// The identity's file.
pub(crate) const FILE: &str = "identity.json";

/// The machine's identity. Holds no secret: the key has its own file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `HOST:PORT` given at enrolment; empty for a machine that only works by files.
    pub address: String,
    /// The machine's id, chosen by the server.
    pub machine: String,
    /// The server's id, which every policy must name.
    pub server: String,
    /// The machine's certificate, base64 of DER.
    pub certificate: String,
    /// The CA that issued it.
    pub client_chain: Vec<String>,
    /// The CAs that may issue a server's certificate.
    pub server_cas: Vec<String>,
    /// The keys that may sign policies.
    pub policy_keys: Vec<PolicyKey>,
    /// The key that signs receipts: uncompressed point, base64.
    pub receipt_key: String,
    /// The key that files for the server are encrypted to; none from a server that takes no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<String>,
}

/// The server's answer is not one an honest server sends; says why.
#[derive(Debug, thiserror::Error)]
#[error("the server's answer cannot be used: {0}")]
pub struct BadAnswer(pub String);

/// Certificates are valid for one year from their issue, although they start earlier; milliseconds.
const YEAR: i64 = 365 * 24 * 60 * 60 * 1000;

/// When a certificate is valid; milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First instant.
    pub from: i64,
    /// Last instant.
    pub until: i64,
}

impl Validity {
    /// Reads the dates of a certificate.
    pub fn of(certificate: &Certificate<'_>) -> Self {
        Self { from: certificate.not_before.saturating_mul(1000), until: certificate.not_after.saturating_mul(1000) }
    }

    /// True in the last third of the validity (at most its last year), and after it.
    pub fn renewal_is_due(self, now: i64) -> bool {
        now >= self.renewal_at()
    }

    /// When that last third begins.
    pub fn renewal_at(self) -> i64 {
        self.until - (self.until - self.from).min(YEAR) / 3
    }
}

impl Identity {
    /// Reads the identity; none when the machine is not enrolled.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn load(state: &StateFolder) -> Result<Option<Self>, StateError> {
        let damaged = |reason: String| StateError::Damaged { path: state.file(FILE), reason, remedy: Remedy::Connect };
        match state.read_json::<Self>(FILE) {
            Ok(Some(identity)) => identity.whole().map(Some).map_err(|BadAnswer(reason)| damaged(reason)),
            Err(StateError::Damaged { reason, .. }) => Err(damaged(reason)),
            read => read,
        }
    }

    /// Like [`Identity::load`], for a new enrolment: a damaged file is set aside and counts as none.
    ///
    /// # Errors
    /// When the state folder refuses.
    pub fn load_or_set_aside(state: &StateFolder) -> Result<Option<Self>, StateError> {
        match Self::load(state) {
            Err(error @ StateError::Damaged { .. }) => {
                tracing::warn!("{error}");
                state.set_aside(FILE, DAMAGED)?;
                Ok(None)
            }
            read => read,
        }
    }

    /// Writes the identity and syncs it to disk.
    ///
    /// # Errors
    /// When the state folder refuses.
    pub fn save(&self, state: &StateFolder) -> Result<(), StateError> {
        state.write_json(FILE, self, Durability::Synced)
    }

    /// The identity that `answer` gives to the machine with this `public_key`.
    ///
    /// # Errors
    /// When the parts of the answer do not fit together.
    pub fn enrolled(address: &str, answer: EnrolAnswer, public_key: &[u8]) -> Result<Self, BadAnswer> {
        let identity = Self {
            address: address.to_owned(),
            machine: answer.machine,
            server: answer.server,
            certificate: answer.certificate,
            client_chain: answer.client_chain,
            server_cas: answer.server_cas,
            policy_keys: answer.policy_keys,
            receipt_key: answer.receipt_key,
            sealing_key: answer.sealing_key,
        };
        identity.checked(public_key)
    }

    /// The same identity with a new certificate.
    ///
    /// # Errors
    /// See [`Identity::enrolled`].
    pub fn renewed(&self, answer: RenewAnswer, public_key: &[u8]) -> Result<Self, BadAnswer> {
        let identity = Self {
            certificate: answer.certificate,
            client_chain: answer.client_chain,
            server_cas: answer.server_cas,
            sealing_key: answer.sealing_key.or_else(|| self.sealing_key.clone()),
            ..self.clone()
        };
        identity.checked(public_key)
    }

    fn checked(self, public_key: &[u8]) -> Result<Self, BadAnswer> {
        if !self.is_for(public_key) {
            return Err(BadAnswer("the certificate is for another key than this machine's".to_owned()));
        }
        self.whole()
    }

    /// True when the machine's certificate is for this public key.
    pub fn is_for(&self, public_key: &[u8]) -> bool {
        let certificate = decode(&self.certificate).unwrap_or_default();
        Certificate::read(&certificate).is_some_and(|certificate| certificate.public_key == public_key)
    }

    /// The identity, if each of its parts is well-formed.
    fn whole(self) -> Result<Self, BadAnswer> {
        let bad = |what: &str| BadAnswer(what.to_owned());
        let certificate = decode(&self.certificate).ok_or_else(|| bad("the certificate is not base64"))?;
        if Certificate::read(&certificate).is_none() {
            return Err(bad("the certificate is not X.509"));
        }
        if self.authorities().iter().any(|authority| Certificate::read(authority).is_none()) {
            return Err(bad("a CA is not X.509"));
        }
        if self.server_cas.is_empty() || ders(&self.server_cas).is_none() || ders(&self.client_chain).is_none() {
            return Err(bad("a CA is missing or not base64"));
        }
        if self.policy_keys.is_empty() || self.policy_keys.iter().any(|key| decode(&key.public_key).is_none()) {
            return Err(bad("a policy key is missing or not base64"));
        }
        if decode(&self.receipt_key).is_none() {
            return Err(bad("the receipt key is not base64"));
        }
        if self.machine.is_empty() || self.machine.len() > 64 || self.server.is_empty() {
            return Err(bad("the machine's or the server's id is missing or too long"));
        }
        Ok(self)
    }

    /// The machine's certificate and its CA, DER.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        let mut chain = ders(std::slice::from_ref(&self.certificate)).unwrap_or_default();
        chain.extend(ders(&self.client_chain).unwrap_or_default());
        chain
    }

    /// The CAs that may issue a server's certificate, DER.
    pub fn authorities(&self) -> Vec<Vec<u8>> {
        ders(&self.server_cas).unwrap_or_default()
    }

    /// The public key that receipts are checked against.
    pub fn receipt_point(&self) -> Vec<u8> {
        decode(&self.receipt_key).unwrap_or_default()
    }

    /// The key that files for the server are encrypted to.
    pub fn sealing(&self) -> Option<SealingPublicKey> {
        SealingPublicKey::from_bytes(&decode(self.sealing_key.as_deref()?)?).ok()
    }

    /// The digest of the machine's certificate; a renewal request names it.
    pub fn certificate_digest(&self) -> Digest {
        Digest::of(&decode(&self.certificate).unwrap_or_default())
    }

    /// Validity of the machine's certificate; when it cannot be read, one that always needs renewal.
    pub fn validity(&self) -> Validity {
        let der = decode(&self.certificate).unwrap_or_default();
        match Certificate::read(&der) {
            Some(certificate) => Validity::of(&certificate),
            None => Validity { from: 0, until: 0 },
        }
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.as_bytes()).ok()
}

fn ders(texts: &[String]) -> Option<Vec<Vec<u8>>> {
    texts.iter().map(|text| decode(text)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::keys::MachineKey;
    use crate::state::Missing;

    /// An identity whose certificate is self-signed by the key of `state`.
    pub(crate) fn sample(state: &StateFolder) -> Identity {
        let key = MachineKey::load_or_make(state).unwrap();
        let rustls::pki_types::PrivateKeyDer::Pkcs8(document) = key.for_tls() else { panic!("not PKCS #8") };
        let pair = rcgen::KeyPair::try_from(document.secret_pkcs8_der()).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
        let certificate = BASE64.encode(certificate.der());
        let point = BASE64.encode(key.signing().public_key());
        Identity {
            address: "127.0.0.1:1".to_owned(),
            machine: "m".to_owned(),
            server: "s".to_owned(),
            client_chain: vec![certificate.clone()],
            server_cas: vec![certificate.clone()],
            certificate,
            policy_keys: vec![PolicyKey {
                id: PolicyKey::id_of(key.signing().public_key()),
                public_key: point.clone(),
            }],
            receipt_key: point,
            sealing_key: None,
        }
    }

    #[test]
    fn an_identity_is_kept_and_its_validity_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        assert!(Identity::load(&state).unwrap().is_none());
        let identity = sample(&state);
        identity.save(&state).unwrap();
        assert_eq!(Identity::load(&state).unwrap(), Some(identity.clone()));
        let validity = identity.validity();
        assert!(validity.from < validity.until);
        assert_eq!(identity.chain().len(), 2);
    }

    #[test]
    fn renewal_is_due_in_the_last_third_and_ever_after() {
        let validity = Validity { from: 0, until: 300 };
        assert!(!validity.renewal_is_due(199));
        assert!(validity.renewal_is_due(200));
        assert!(validity.renewal_is_due(1000));
        let backdated = Validity { from: -YEAR, until: YEAR };
        assert_eq!(backdated.renewal_at(), YEAR - YEAR / 3);
    }

    #[test]
    fn an_answer_for_another_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let identity = sample(&state);
        let key = MachineKey::load_or_make(&state).unwrap();
        let answer = RenewAnswer {
            certificate: identity.certificate.clone(),
            client_chain: vec![],
            server_cas: identity.server_cas.clone(),
            sealing_key: None,
            server_time_at: 0,
        };
        assert!(identity.renewed(answer.clone(), key.signing().public_key()).is_ok());
        assert!(identity.renewed(answer.clone(), b"another").unwrap_err().0.contains("another key"));
        let answer = RenewAnswer { server_cas: vec![], ..answer };
        assert!(identity.renewed(answer, key.signing().public_key()).is_err());
    }
}
