//! The server's answer to an exported file. Signed with the receipt key, because no TLS proves the sender; not encrypted, because it holds
//! no secret: certificates, public keys, receipts and a policy, which is published to every machine anyway.
//!
//! A file has three parts, each but the last ended by a line feed: [`MAGIC`], the signature in base64, the JSON of a [`FileAnswer`] byte
//! for byte as signed.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::bundle::SignedBundle;
use crate::digest::Digest;
use crate::limits;
use crate::log::LogAnswer;
use crate::message::{Assignment, EnrolAnswer, Refusal, RenewAnswer};
use crate::report::ReportAnswer;
use crate::sign::{BadKey, Purpose, SigningKey, verify};

/// The first bytes of the file.
pub const MAGIC: &[u8] = b"tram-an/answer/1\n";

/// The server's answer to one report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredReport {
    /// The report's hash.
    pub of: Digest,
    /// The same as over the network.
    #[serde(flatten)]
    pub answer: ReportAnswer,
}

/// The content of an answer file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAnswer {
    /// Id of the answering server.
    pub server: String,
    /// Digest of the public key of the machine it answers.
    pub key: Digest,
    /// The server's clock.
    pub server_time_at: i64,
    /// The answer to an enrolment request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<EnrolAnswer>,
    /// The answer to a renewal request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewAnswer>,
    /// One per report, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<AnsweredReport>,
    /// What receipts of the second form prove against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The answer to [`crate::unconnected::ExportHead::checkpoint`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogAnswer>,
    /// What the server decided about the machine; none when it refused the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
    /// The policy in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<SignedBundle>,
    /// Why the request was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// Why a file cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Longer than [`limits::ANSWER_FILE`], or malformed.
    #[error("the file is not an answer of a Trạm An server, or it is damaged")]
    Unreadable,
    /// Another server made it.
    #[error("the answer is of another server ({0})")]
    OtherServer(String),
    /// The signature is wrong: the file was changed, or somebody else made it.
    #[error("the answer's signature does not fit: it was damaged or changed since")]
    BadSignature,
    /// It answers another machine.
    #[error("the answer is for another machine")]
    OtherMachine,
}

/// A parsed file whose signature has not been checked yet.
#[derive(Clone, Debug)]
pub struct UncheckedAnswer {
    text: Vec<u8>,
    signature: Vec<u8>,
    claim: FileAnswer,
}

impl FileAnswer {
    /// Signs the answer with the receipt key and returns the file's bytes.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, BadKey> {
        let text = serde_json::to_vec(self).map_err(|_| BadKey)?;
        let signature = BASE64.encode(&key.sign(Purpose::Answer, &text)?);
        Ok([MAGIC, signature.as_bytes(), b"\n", &text].concat())
    }
}

impl UncheckedAnswer {
    /// Parses a file.
    ///
    /// # Errors
    /// [`AnswerError::Unreadable`].
    pub fn read(file: &[u8]) -> Result<Self, AnswerError> {
        if file.len() > limits::ANSWER_FILE {
            return Err(AnswerError::Unreadable);
        }
        let rest = file.strip_prefix(MAGIC).ok_or(AnswerError::Unreadable)?;
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or(AnswerError::Unreadable)?;
        let (signature, text) = (&rest[..end], &rest[end + 1..]);
        let signature = BASE64.decode(signature).map_err(|_| AnswerError::Unreadable)?;
        let claim = serde_json::from_slice(text).map_err(|_| AnswerError::Unreadable)?;
        Ok(Self { text: text.to_vec(), signature, claim })
    }

    /// Id of the server it claims to come from: says whose key to check with.
    pub fn claimed_server(&self) -> &str {
        &self.claim.server
    }

    /// The answer, if the server `server` with the receipt key `receipt_point` gave it to the machine with the public key `machine`.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn open(self, server: &str, receipt_point: &[u8], machine: &[u8]) -> Result<FileAnswer, AnswerError> {
        if self.claim.server != server {
            return Err(AnswerError::OtherServer(self.claim.server));
        }
        verify(receipt_point, Purpose::Answer, &self.text, &self.signature).map_err(|_| AnswerError::BadSignature)?;
        if self.claim.key != Digest::of(machine) {
            return Err(AnswerError::OtherMachine);
        }
        Ok(self.claim)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap()
    }

    fn answer() -> FileAnswer {
        FileAnswer {
            server: "s".to_owned(),
            key: Digest::of(b"machine"),
            server_time_at: 5,
            enrolment: None,
            renewal: None,
            reports: vec![AnsweredReport {
                of: Digest::ZERO,
                answer: ReportAnswer::Need { sections: vec!["lan".to_owned()] },
            }],
            checkpoint: None,
            log: None,
            assignment: None,
            policy: None,
            refusal: None,
        }
    }

    #[test]
    fn opens_only_for_its_machine_under_its_servers_key() {
        let key = key();
        let file = answer().sign(&key).unwrap();
        let read = || UncheckedAnswer::read(&file).unwrap();
        assert_eq!(read().open("s", key.public_key(), b"machine").unwrap(), answer());
        assert_eq!(read().open("t", key.public_key(), b"machine"), Err(AnswerError::OtherServer("s".to_owned())));
        assert_eq!(read().open("s", super::tests::key().public_key(), b"machine"), Err(AnswerError::BadSignature));
        assert_eq!(read().open("s", key.public_key(), b"other"), Err(AnswerError::OtherMachine));
    }

    #[test]
    fn the_text_is_pinned() {
        let zero = "0".repeat(64);
        let machine = Digest::of(b"machine");
        let text = format!(
            r#"{{"server":"s","key":"{machine}","server_time_at":5,"reports":[{{"of":"{zero}","status":"need","sections":["lan"]}}]}}"#
        );
        assert_eq!(serde_json::to_string(&answer()).unwrap(), text);
    }

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        let mut file = answer().sign(&key()).unwrap();
        file.resize(limits::ANSWER_FILE, b' ');
        assert!(UncheckedAnswer::read(&file).is_ok());
        file.push(b' ');
        assert_eq!(UncheckedAnswer::read(&file).unwrap_err(), AnswerError::Unreadable);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = UncheckedAnswer::read(&bytes);
            let _ = UncheckedAnswer::read(&[MAGIC, &bytes].concat());
        }

        #[test]
        fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let key = key();
            let mut file = answer().sign(&key).unwrap();
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            let opened = UncheckedAnswer::read(&file).and_then(|read| read.open("s", key.public_key(), b"machine"));
            prop_assert!(opened.is_err());
        }
    }
}
