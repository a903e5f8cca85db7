//! The file that an officer gives instead of address, token and fingerprint: JSON, for a machine that never reaches its server.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::seal::SealingPublicKey;
use crate::limits;
use crate::token::Token;

/// The format name in the file.
const FORMAT: &str = "tram-an/invitation";
/// The file's version; a reader refuses any other.
const VERSION: u32 = 1;

/// An invitation. Holds the token: anyone who has the file may enrol as many machines as the token has uses.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    format: String,
    version: u32,
    /// Name of the office, for the person who finds the file.
    pub office: String,
    /// The server's id.
    pub server: String,
    /// The token as text.
    pub token: String,
    /// When the token expires; milliseconds since 1970 UTC.
    pub expires_at: i64,
    /// The CAs that may issue a server's certificate: active, standby; DER in base64.
    pub server_cas: Vec<String>,
    /// The key that exports are sealed to: 32 bytes of X25519 in base64.
    pub sealing_key: String,
    /// The key that signs answers and receipts: uncompressed point of P-256 in base64.
    pub receipt_key: String,
}

/// The content of an invitation, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inviting {
    /// See [`Invitation`].
    pub office: String,
    /// See [`Invitation`].
    pub server: String,
    /// See [`Invitation`].
    pub expires_at: i64,
    /// DER of the CAs.
    pub server_cas: Vec<Vec<u8>>,
    /// The key that exports are sealed to.
    pub sealing_key: SealingPublicKey,
    /// The public key that answers are signed with.
    pub receipt_key: Vec<u8>,
}

/// Why a file is not a valid invitation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// Longer than [`limits::INVITATION`], or not such JSON.
    #[error("the file is not an invitation of Trạm An")]
    Unreadable,
    /// Of a version this program does not know.
    #[error("the invitation has version {0}, this program knows version {VERSION}")]
    OtherVersion(u32),
    /// A key, a certificate or the token in it is invalid; says which.
    #[error("the invitation is damaged: {0} makes no sense")]
    Damaged(&'static str),
}

impl Invitation {
    /// Makes an invitation with `token`.
    pub fn new(inviting: &Inviting, token: &Token) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            office: inviting.office.clone(),
            server: inviting.server.clone(),
            token: token.reveal(),
            expires_at: inviting.expires_at,
            server_cas: inviting.server_cas.iter().map(|der| BASE64.encode(der)).collect(),
            sealing_key: BASE64.encode(inviting.sealing_key.as_bytes()),
            receipt_key: BASE64.encode(&inviting.receipt_key),
        }
    }

    /// Parses a file.
    ///
    /// # Errors
    /// See [`InvitationError`].
    pub fn read(bytes: &[u8]) -> Result<Self, InvitationError> {
        #[derive(Deserialize)]
        struct Named {
            format: String,
            version: u32,
        }
        if bytes.len() > limits::INVITATION {
            return Err(InvitationError::Unreadable);
        }
        let named: Named = serde_json::from_slice(bytes).map_err(|_| InvitationError::Unreadable)?;
        if named.format != FORMAT {
            return Err(InvitationError::Unreadable);
        }
        if named.version != VERSION {
            return Err(InvitationError::OtherVersion(named.version));
        }
        let invitation: Self = serde_json::from_slice(bytes).map_err(|_| InvitationError::Unreadable)?;
        Token::read(&invitation.token).map_err(|_| InvitationError::Damaged("the token"))?;
        invitation.sealing()?;
        if invitation.receipt_point().len() != 65 {
            return Err(InvitationError::Damaged("the key that signs answers"));
        }
        if invitation.server.is_empty() || invitation.authorities().is_none_or(|authorities| authorities.is_empty()) {
            return Err(InvitationError::Damaged("the server's certificate"));
        }
        Ok(invitation)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// Never in practice: every invitation can be written as JSON.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The key that exports are sealed to.
    ///
    /// # Errors
    /// When it is not a valid key.
    pub fn sealing(&self) -> Result<SealingPublicKey, InvitationError> {
        let damaged = InvitationError::Damaged("the key to encrypt to");
        let bytes = BASE64.decode(self.sealing_key.as_bytes()).unwrap_or_default();
        SealingPublicKey::from_bytes(&bytes).map_err(|_| damaged)
    }

    /// The public key that answers are checked with; empty when it is not base64.
    pub fn receipt_point(&self) -> Vec<u8> {
        BASE64.decode(self.receipt_key.as_bytes()).unwrap_or_default()
    }

    /// The CAs, DER; none when one is not base64.
    pub fn authorities(&self) -> Option<Vec<Vec<u8>>> {
        self.server_cas.iter().map(|text| BASE64.decode(text.as_bytes()).ok()).collect()
    }
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("server", &self.server).field("office", &self.office).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::unconnected::SealingKey;

    fn invitation() -> Invitation {
        let key = SealingKey::from_pkcs8(&SealingKey::generate().unwrap()).unwrap();
        let inviting = Inviting {
            office: "UBND xã An Bình".to_owned(),
            server: "s".to_owned(),
            expires_at: 7,
            server_cas: vec![vec![0x30, 0]],
            sealing_key: key.public_key(),
            receipt_key: vec![4; 65],
        };
        Invitation::new(&inviting, &Token::new([7; 16]))
    }

    #[test]
    fn is_read_back_and_hides_its_token_from_logs() {
        let invitation = invitation();
        let bytes = invitation.to_bytes().unwrap();
        assert_eq!(Invitation::read(&bytes).unwrap(), invitation);
        assert!(!format!("{invitation:?}").contains(&invitation.token));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("{\n  \"format\": \"tram-an/invitation\",\n  \"version\": 1,"), "{text}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let changed = |from: &str, to: &str| {
            let text = String::from_utf8(invitation().to_bytes().unwrap()).unwrap();
            assert!(text.contains(from));
            Invitation::read(text.replacen(from, to, 1).as_bytes()).unwrap_err()
        };
        assert_eq!(changed("tram-an/invitation", "other"), InvitationError::Unreadable);
        assert_eq!(changed("\"version\": 1", "\"version\": 2"), InvitationError::OtherVersion(2));
        assert_eq!(changed("\"token\": \"", "\"token\": \"U"), InvitationError::Damaged("the token"));
        assert_eq!(
            changed("\"sealing_key\": \"", "\"sealing_key\": \"AAAA"),
            InvitationError::Damaged("the key to encrypt to")
        );
        assert_eq!(
            changed("\"receipt_key\": \"", "\"receipt_key\": \"?"),
            InvitationError::Damaged("the key that signs answers")
        );
        assert_eq!(
            changed("\"server\": \"s\"", "\"server\": \"\""),
            InvitationError::Damaged("the server's certificate")
        );
        assert_eq!(Invitation::read(&vec![b' '; limits::INVITATION + 1]), Err(InvitationError::Unreadable));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500), at in any::<prop::sample::Index>()) {
            let _ = Invitation::read(&bytes);
            let mut whole = invitation().to_bytes().unwrap();
            let at = at.index(whole.len());
            whole[at] ^= 1;
            let _ = Invitation::read(&whole);
        }
    }
}
