//! The public keys that verify notes: of a log (type 0x02: ECDSA on P-256 with SHA-256) and of a witness (type 0x04: Ed25519). Written
//! as one text, a vkey: `NAME+ID+KEY`.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};

use super::note::{Note, Signature, is_key_name};
use crate::digest::Digest;

/// The type byte of a log's key.
const ECDSA: u8 = 0x02;
/// The type byte of a witness's key.
const COSIGNER: u8 = 0x04;
/// What stands before the point in a SubjectPublicKeyInfo of a key on P-256 (RFC 5480).
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Characters of a vkey at most.
const LONGEST: usize = 1024;

/// A public key and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    id: [u8; 4],
    public: Public,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    /// A log's: the uncompressed point.
    Log([u8; 65]),
    /// A witness's.
    Witness([u8; 32]),
}

/// The text is not a vkey, or its parts do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a verifier key: NAME+ID+KEY, of a log (ECDSA P-256, type 02) or of a witness (Ed25519, type 04), with the id of that key"
)]
pub struct BadKey;

/// No signature by the key, or one that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// No line has this name and id.
    #[error("there is no signature by {0}")]
    Absent(String),
    /// The line is there; the signature is wrong.
    #[error("the signature by {0} does not fit")]
    Wrong(String),
}

impl NoteKey {
    /// The key of the log `name`, by its uncompressed point.
    ///
    /// # Errors
    /// The name cannot be one of a key, or the point is not of 65 bytes.
    pub fn log(name: &str, point: &[u8]) -> Result<Self, BadKey> {
        Self::new(name, Public::Log(point.try_into().map_err(|_| BadKey)?))
    }

    /// The key of the witness `name`.
    ///
    /// # Errors
    /// The name cannot be one of a key.
    pub fn witness(name: &str, public: [u8; 32]) -> Result<Self, BadKey> {
        Self::new(name, Public::Witness(public))
    }

    fn new(name: &str, public: Public) -> Result<Self, BadKey> {
        if !is_key_name(name) {
            return Err(BadKey);
        }
        let hash = match &public {
            Public::Log(point) => Digest::of_parts(&[&SPKI, point]),
            Public::Witness(key) => Digest::of_parts(&[name.as_bytes(), b"\n", &[COSIGNER], key]),
        };
        let [a, b, c, d, ..] = hash.0;
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], public })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line with which this key signed what gave `bytes`.
    pub(super) fn line(&self, bytes: Vec<u8>) -> Signature {
        Signature { name: self.name.clone(), id: self.id, bytes }
    }

    /// True for a witness's key.
    pub fn is_witness(&self) -> bool {
        matches!(self.public, Public::Witness(_))
    }

    /// Finds the lines by this key and checks each; returns the first one.
    ///
    /// # Errors
    /// There is none, or one does not fit.
    pub fn verify<'a>(&self, note: &'a Note) -> Result<&'a Signature, NotSigned> {
        let mut first = None;
        for signature in note.signatures.iter().filter(|line| line.name == self.name && line.id == self.id) {
            if !self.fits(&note.text, &signature.bytes) {
                return Err(NotSigned::Wrong(self.name.clone()));
            }
            first = first.or(Some(signature));
        }
        first.ok_or_else(|| NotSigned::Absent(self.name.clone()))
    }

    fn fits(&self, text: &str, signature: &[u8]) -> bool {
        match &self.public {
            Public::Log(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(text.as_bytes(), signature).is_ok()
            }
            Public::Witness(key) => super::cosignature::split(signature).is_some_and(|(time, signature)| {
                let message = super::cosignature::message(time, text);
                UnparsedPublicKey::new(&ED25519, key).verify(message.as_bytes(), signature).is_ok()
            }),
        }
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = match &self.public {
            Public::Log(point) => [&[ECDSA], SPKI.as_slice(), point].concat(),
            Public::Witness(key) => [&[COSIGNER], key.as_slice()].concat(),
        };
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&key))
    }
}

impl FromStr for NoteKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key), true) = (parts.next(), parts.next(), parts.next(), text.len() <= LONGEST)
        else {
            return Err(BadKey);
        };
        let key = BASE64.decode(key.as_bytes()).map_err(|_| BadKey)?;
        let read = match key.split_first() {
            Some((&ECDSA, spki)) => Self::log(name, spki.strip_prefix(&SPKI).ok_or(BadKey)?)?,
            Some((&COSIGNER, key)) => Self::witness(name, key.try_into().map_err(|_| BadKey)?)?,
            _ => return Err(BadKey),
        };
        if HEXLOWER.encode(&read.id) == id { Ok(read) } else { Err(BadKey) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_no_other_is() {
        let log = NoteKey::log("tram-an/log/1/s/1", &[4; 65]).unwrap();
        let witness = NoteKey::witness("police.example/w1", [7; 32]).unwrap();
        for key in [&log, &witness] {
            assert_eq!(key.to_string().parse::<NoteKey>().as_ref(), Ok(key));
        }
        assert!(witness.is_witness() && !log.is_witness());
        let text = witness.to_string();
        let (name, rest) = text.split_once('+').unwrap();
        let bad = [
            String::new(),
            name.to_owned(),
            format!("other+{rest}"),
            format!("{text}A"),
            text.replacen("+", "+0", 1),
            format!("two words+{rest}"),
            format!("{name}+00000000+AQ=="),
            format!("{}+{rest}", "n".repeat(LONGEST)),
        ];
        for text in bad {
            assert_eq!(text.parse::<NoteKey>(), Err(BadKey), "{text}");
        }
        assert_eq!(NoteKey::log("a+b", &[4; 65]), Err(BadKey));
        assert_eq!(NoteKey::log("a", &[4; 64]), Err(BadKey));
    }
}
