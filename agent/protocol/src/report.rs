//! The answer to reports: one per report, in order, with a receipt for each accepted one. Its first form is signed by itself; the second
//! ([`RECEIPTS`]) proves the report in the evidence log, with one signed checkpoint for the whole answer.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::header::Position;
use crate::log::proof::{BadProof, inclusion_verify};
use crate::log::tree::leaf_hash;
use crate::log::{Checkpoint, Hashes, leaf};
use crate::message::{Assignment, Refusal};
use crate::sign::{BadKey, BadSignature, Purpose, SigningKey, verify};

/// The newest form of receipts. Who takes it says so: over the network by [`ANNOUNCED`], in a file by
/// [`crate::unconnected::ExportHead::receipts`].
pub const RECEIPTS: u32 = 2;
/// The query of a request of reports by an agent that takes receipts of the second form.
pub const ANNOUNCED: &str = "receipts=2";

/// The server's answer to one report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ReportAnswer {
    /// Stored durably, now or earlier.
    Accepted {
        /// Proof of it.
        receipt: SignedReceipt,
    },
    /// The same, with a receipt of the second form.
    Logged {
        /// Proof of it, against the answer's checkpoint.
        receipt: LoggedReceipt,
    },
    /// Nothing was stored: the server lacks these sections' bodies. Send the same header with them.
    Need {
        /// Names of sections.
        sections: Vec<String>,
    },
    /// Nothing was stored.
    Refused {
        /// Why, and whether to retry.
        refusal: Refusal,
        /// The server's position in the machine's chain, when that is the problem.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agreed: Option<Position>,
    },
}

impl ReportAnswer {
    /// True when the report is stored durably.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted { .. } | Self::Logged { .. })
    }
}

/// The answer to one request of reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAnswers {
    /// One per report, in order. After one that was not accepted, the rest are refused with `retry`.
    pub results: Vec<ReportAnswer>,
    /// What the server decided about the machine.
    pub assignment: Assignment,
    /// The server's clock.
    pub server_time_at: i64,
    /// The log's checkpoint, as signed, that receipts of the second form prove against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// Where a report stands in the evidence log, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedReceipt {
    /// The place of its leaf, from 0.
    pub index: u64,
    /// When it was stored, by the server's clock; milliseconds since 1970 UTC.
    pub received_at: i64,
    /// Up to the root of the checkpoint.
    pub proof: Hashes,
}

impl LoggedReceipt {
    /// Checks that the log of this checkpoint holds the report of `machine` at this position.
    ///
    /// # Errors
    /// The proof does not show it.
    pub fn verify(&self, machine: &str, position: &Position, checkpoint: &Checkpoint) -> Result<(), BadProof> {
        let hash = leaf_hash(leaf::report(machine, position, self.received_at).as_bytes());
        inclusion_verify(hash, self.index, checkpoint.size, &self.proof.0, checkpoint.root)
    }
}

/// What the server attests: it has this report since this time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The machine.
    pub machine: String,
    /// The report's position.
    #[serde(flatten)]
    pub position: Position,
    /// When it was stored, by the server's clock; milliseconds since 1970 UTC.
    pub received_at: i64,
    /// Hash of the newest entry of the server's audit log, so that truncating the log is noticed.
    pub audit_head: Digest,
}

/// A [`Receipt`] with the server's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// JSON of the receipt, byte for byte as signed.
    pub receipt: String,
    /// Signature in base64.
    pub signature: String,
}

impl SignedReceipt {
    /// Signs a receipt.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(receipt: &Receipt, key: &SigningKey) -> Result<Self, BadKey> {
        let receipt = serde_json::to_string(receipt).map_err(|_| BadKey)?;
        let signature = BASE64.encode(&key.sign(Purpose::Receipt, receipt.as_bytes())?);
        Ok(Self { receipt, signature })
    }

    /// Verifies the signature with the server's receipt key and parses the receipt.
    ///
    /// # Errors
    /// When the signature is wrong or the text is not a receipt.
    pub fn open(&self, public_key: &[u8]) -> Result<Receipt, BadSignature> {
        let signature = BASE64.decode(self.signature.as_bytes()).map_err(|_| BadSignature)?;
        verify(public_key, Purpose::Receipt, self.receipt.as_bytes(), &signature)?;
        serde_json::from_str(&self.receipt).map_err(|_| BadSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_bytes_are_pinned_and_signed() {
        let receipt = Receipt {
            machine: "m".to_owned(),
            position: Position { segment: 1, number: 2, hash: Digest::ZERO },
            received_at: 3,
            audit_head: Digest::ZERO,
        };
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let signed = SignedReceipt::sign(&receipt, &key).unwrap();
        let zero = "0".repeat(64);
        let pinned = format!(
            r#"{{"machine":"m","segment":1,"number":2,"hash":"{zero}","received_at":3,"audit_head":"{zero}"}}"#
        );
        assert_eq!(signed.receipt, pinned);
        assert_eq!(signed.open(key.public_key()).unwrap(), receipt);
        let forged = SignedReceipt { receipt: pinned.replace(":3,", ":4,"), ..signed };
        assert!(forged.open(key.public_key()).is_err());
    }

    #[test]
    fn answers_are_pinned() {
        let need = ReportAnswer::Need { sections: vec!["lan".to_owned()] };
        assert_eq!(serde_json::to_string(&need).unwrap(), r#"{"status":"need","sections":["lan"]}"#);
        let receipt = LoggedReceipt { index: 7, received_at: 9, proof: Hashes(vec![Digest::ZERO]) };
        let logged = ReportAnswer::Logged { receipt };
        let proof = format!("{}=", "A".repeat(43));
        let pinned = format!(r#"{{"status":"logged","receipt":{{"index":7,"received_at":9,"proof":"{proof}"}}}}"#);
        assert_eq!(serde_json::to_string(&logged).unwrap(), pinned);
        assert_eq!(serde_json::from_str::<ReportAnswer>(&pinned).unwrap(), logged);
        assert!(logged.is_accepted() && !need.is_accepted());
        let assignment =
            Assignment { office: "o".to_owned(), role: crate::Role::Server, confirmed: true, policy: None };
        let answers = ReportAnswers { results: vec![], assignment, server_time_at: 1, checkpoint: None };
        let first = r#"{"results":[],"assignment":{"office":"o","role":"server","confirmed":true},"server_time_at":1}"#;
        assert_eq!(serde_json::to_string(&answers).unwrap(), first, "the first form stays as it was");
    }
}
