//! The answer to reports: one per report, in order, with a receipt signed by the server for each accepted one.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::header::Position;
use crate::message::{Assignment, Refusal};
use crate::sign::{BadKey, BadSignature, Purpose, SigningKey, verify};

/// The server's answer to one report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ReportAnswer {
    /// Stored durably, now or earlier.
    Accepted {
        /// Proof of it.
        receipt: SignedReceipt,
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

/// The answer to one request of reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAnswers {
    /// One per report, in order. After one that was not accepted, the rest are refused with `retry`.
    pub results: Vec<ReportAnswer>,
    /// What the server decided about the machine.
    pub assignment: Assignment,
    /// The server's clock.
    pub server_time_at: i64,
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
    }
}
