//! Encryption to the server: HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and ChaCha20-Poly1305. A finder of the stick
//! can read nothing; the signature inside shows who wrote it.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of a public key, a private key and of the encapsulated key before the ciphertext.
const KEY: usize = 32;
/// Bytes of the tag after the ciphertext.
const TAG: usize = 16;
/// The first bytes of a private key's PKCS #8 document (RFC 8410, 7); the 32 bytes of the key follow.
const PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x6e\x04\x22\x04\x20";

/// How many bytes sealing adds.
pub const OVERHEAD: usize = KEY + TAG;

/// Why bytes could not be sealed or opened, or a key is unusable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes are not a valid X25519 key.
    #[error("not an X25519 key")]
    BadKey,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomBytes,
    /// The bytes were not sealed to this key and purpose, or have been changed.
    #[error("it was not encrypted to this server, or it was changed since")]
    NotForUs,
}

/// The public key that bytes are sealed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealingPublicKey([u8; KEY]);

impl SealingPublicKey {
    /// Reads the 32 bytes of a key.
    ///
    /// # Errors
    /// When there are not 32, or the key is weak: anyone could read messages to it (RFC 9180, 7.1.4).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes: [u8; KEY] = bytes.try_into().map_err(|_| SealError::BadKey)?;
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&bytes).map_err(|_| SealError::BadKey)?;
        Ok(Self(bytes))
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Seals `bytes` for `purpose`; every call gives different bytes.
    ///
    /// # Errors
    /// When the key is weak or the system gives no random bytes.
    pub fn seal(&self, purpose: &[u8], bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        chance_check()?;
        let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&self.0).map_err(|_| SealError::BadKey)?;
        let (encapsulated, sealed) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &key,
            purpose,
            bytes,
            b"",
        )
        .map_err(|_| SealError::BadKey)?;
        Ok([encapsulated.to_bytes().as_slice(), &sealed].concat())
    }
}

/// The private key that opens sealed bytes.
pub struct SealingKey {
    private: <X25519HkdfSha256 as Kem>::PrivateKey,
}

impl SealingKey {
    /// Makes a new key and returns its PKCS #8 document (RFC 8410), to be stored safely.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Vec<u8>, SealError> {
        chance_check()?;
        let (private, _) = X25519HkdfSha256::gen_keypair();
        Ok([PKCS8.as_slice(), private.to_bytes().as_slice()].concat())
    }

    /// Reads a PKCS #8 document.
    ///
    /// # Errors
    /// When it is not an X25519 key.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, SealError> {
        let bytes = document.strip_prefix(&PKCS8).ok_or(SealError::BadKey)?;
        let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(bytes).map_err(|_| SealError::BadKey)?;
        Ok(Self { private })
    }

    /// The public key that belongs to it.
    pub fn public_key(&self) -> SealingPublicKey {
        SealingPublicKey(X25519HkdfSha256::sk_to_pk(&self.private).to_bytes().into())
    }

    /// Opens what was sealed to this key for `purpose`.
    ///
    /// # Errors
    /// [`SealError::NotForUs`] when it was sealed to another key or purpose, or has been changed.
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.open_beside(purpose, sealed, b"")
    }

    /// Like [`SealingKey::open`], with additional authenticated data.
    fn open_beside(&self, purpose: &[u8], sealed: &[u8], beside: &[u8]) -> Result<Vec<u8>, SealError> {
        let (encapsulated, sealed) = sealed.split_at_checked(KEY).ok_or(SealError::NotForUs)?;
        let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated);
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &encapsulated.map_err(|_| SealError::NotForUs)?,
            purpose,
            sealed,
            beside,
        )
        .map_err(|_| SealError::NotForUs)
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// The library aborts when there are no random bytes; checking first turns that into an ordinary error.
fn chance_check() -> Result<(), SealError> {
    SystemRandom::new().fill(&mut [0; 1]).map_err(|_| SealError::NoRandomBytes)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    fn key() -> SealingKey {
        SealingKey::from_pkcs8(&SealingKey::generate().unwrap()).unwrap()
    }

    /// One key for all cases of a property test.
    static KEY: std::sync::LazyLock<SealingKey> = std::sync::LazyLock::new(key);

    #[test]
    fn only_its_own_key_and_purpose_open_it() {
        let (ours, other) = (key(), key());
        let sealed = ours.public_key().seal(b"p", "sổ tay".as_bytes()).unwrap();
        assert_eq!(sealed.len(), "sổ tay".len() + OVERHEAD);
        assert_eq!(ours.open(b"p", &sealed).unwrap(), "sổ tay".as_bytes());
        assert_eq!(ours.open(b"q", &sealed), Err(SealError::NotForUs));
        assert_eq!(other.open(b"p", &sealed), Err(SealError::NotForUs));
        assert_ne!(ours.public_key().seal(b"p", b"").unwrap(), ours.public_key().seal(b"p", b"").unwrap());
        assert_eq!(format!("{ours:?}"), "SealingKey(..)");
    }

    /// The first vector of RFC 9180, A.2.1 (base mode, X25519, HKDF-SHA256, ChaCha20-Poly1305).
    #[test]
    fn opens_what_the_standard_sealed() {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let private = hex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let key = SealingKey::from_pkcs8(&[PKCS8.as_slice(), &private].concat()).unwrap();
        let public = hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        assert_eq!(key.public_key().as_bytes(), public);
        let encapsulated = hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
        let sealed = hex(concat!(
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db",
            "21993c62ce81883d2dd1b51a28"
        ));
        let opened = key.open_beside(b"Ode on a Grecian Urn", &[encapsulated, sealed].concat(), b"Count-0").unwrap();
        assert_eq!(opened, b"Beauty is truth, truth beauty");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(SealingKey::from_pkcs8(b"").is_err());
        assert!(SealingKey::from_pkcs8(&PKCS8).is_err());
        assert!(SealingPublicKey::from_bytes(&[1; 31]).is_err());
        let public = key().public_key();
        assert_eq!(SealingPublicKey::from_bytes(public.as_bytes()).unwrap(), public);
        // The point of small order: all messages to it share the same secret.
        let weak = SealingPublicKey::from_bytes(&[0; 32]);
        assert!(weak.is_err() || weak.unwrap().seal(b"p", b"").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_opened_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..48_usize) {
            let ours = &*KEY;
            prop_assert_eq!(ours.open(b"p", &bytes), Err(SealError::NotForUs));
            let mut sealed = ours.public_key().seal(b"p", &bytes).unwrap();
            prop_assert_eq!(ours.open(b"p", &sealed).unwrap(), bytes);
            sealed[at] ^= 1;
            prop_assert_eq!(ours.open(b"p", &sealed), Err(SealError::NotForUs));
        }
    }
}
