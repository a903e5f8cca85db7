//! Signatures: ECDSA on P-256 with SHA-256, DER, always over a prefix that names the purpose, so that a signature made
//! for one purpose is worthless for another.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};

/// What a signature is for; a prefix per purpose comes before the signed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A report's header, by the machine.
    Report,
    /// A request for a new certificate, by the machine.
    Renewal,
    /// A receipt for a report, by the server.
    Receipt,
    /// A policy bundle, by the policy key.
    Policy,
    /// The bundle published with it for the server alone, by the same key.
    ServerPolicy,
    /// A file exported by a machine without a network.
    Export,
    /// The file that answers it, by the server's receipt key.
    Answer,
    /// A checkpoint of the evidence log, by the server's receipt key. Its prefix is how every log's name begins, so that the signature is
    /// one over the whole text, as others verify it.
    Log,
}

impl Purpose {
    /// The bytes put before what is signed (and before what is hashed, for a report).
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Report => b"tram-an/report/1\n",
            Self::Renewal => b"tram-an/renewal/1\n",
            Self::Receipt => b"tram-an/receipt/1\n",
            Self::Policy => b"tram-an/policy/1\n",
            Self::ServerPolicy => b"tram-an/server-policy/1\n",
            Self::Export => b"tram-an/export/1\n",
            Self::Answer => b"tram-an/answer/1\n",
            Self::Log => b"tram-an/log/1/",
        }
    }
}

/// The signature does not match bytes, purpose and key.
#[derive(Debug, thiserror::Error)]
#[error("the signature does not fit")]
pub struct BadSignature;

/// A private key could not be made or read, or could not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the private key is not a usable P-256 key in PKCS #8 form")]
pub struct BadKey;

/// A private key on P-256.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl SigningKey {
    /// Makes a new key and returns its PKCS #8 document, to be stored safely.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Vec<u8>, BadKey> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        Ok(document.map_err(|_| BadKey)?.as_ref().to_vec())
    }

    /// Reads a PKCS #8 document.
    ///
    /// # Errors
    /// When it is not a P-256 key.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, BadKey> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document, &random).map_err(|_| BadKey)?;
        Ok(Self { pair, random })
    }

    /// The public key: the uncompressed point of 65 bytes (SEC 1, 2.3.3), as encoded in a certificate.
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs `bytes` for `purpose`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> Result<Vec<u8>, BadKey> {
        let signed = [purpose.prefix(), bytes].concat();
        Ok(self.pair.sign(&self.random, &signed).map_err(|_| BadKey)?.as_ref().to_vec())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Checks `signature` over `bytes` for `purpose` under the uncompressed point `public_key`.
///
/// # Errors
/// When signature, bytes, purpose and key do not match.
pub fn verify(public_key: &[u8], purpose: Purpose, bytes: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    let signed = [purpose.prefix(), bytes].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key).verify(&signed, signature).map_err(|_| BadSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_fits_only_its_own_bytes_purpose_and_key() {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let other = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let signature = key.sign(Purpose::Report, b"facts").unwrap();
        assert!(signature.len() <= crate::limits::SIGNATURE);
        assert!(verify(key.public_key(), Purpose::Report, b"facts", &signature).is_ok());
        assert!(verify(key.public_key(), Purpose::Report, b"fact", &signature).is_err());
        assert!(verify(key.public_key(), Purpose::Policy, b"facts", &signature).is_err());
        assert!(verify(other.public_key(), Purpose::Report, b"facts", &signature).is_err());
        assert!(verify(key.public_key(), Purpose::Report, b"facts", &signature[1..]).is_err());
        assert!(verify(b"", Purpose::Report, b"facts", b"").is_err());
    }

    #[test]
    fn a_damaged_key_is_refused() {
        assert!(SigningKey::from_pkcs8(b"").is_err());
        assert!(SigningKey::from_pkcs8(&[0x30; 138]).is_err());
    }
}
