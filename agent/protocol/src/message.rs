//! The JSON messages other than reports: enrolment, renewal, orders, refusals.
//!
//! Times are milliseconds since 1970 UTC. Certificates, keys and requests are DER in base64.

use policies::text::Text;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::sign::{BadKey, BadSignature, Purpose, SigningKey, verify};

pub use policies::policy::Role;

/// What the server decided about a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Name of the office it belongs to.
    pub office: String,
    /// The role the server decided.
    pub role: Role,
    /// False while the machine is pending: outside the grade until an officer confirms it.
    pub confirmed: bool,
    /// Address of the policy bundle in force, if one has been published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
}

/// Requests a certificate with a token. Sent only after the server's certificate has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The token as the officer typed it ([`crate::token`]).
    pub token: String,
    /// PKCS #10 request, DER in base64; only its public key is used.
    pub csr: String,
    /// The machine's own name; a hint for the officer.
    pub machine_name: String,
    /// Room and person as typed at the machine; a hint for the officer, empty when nobody was asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Digest of the hardware.
    pub traits: Digest,
    /// Version of the agent.
    pub agent: String,
}

/// A certificate, and everything an agent pins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// The machine's id, chosen by the server.
    pub machine: String,
    /// The machine's certificate.
    pub certificate: String,
    /// The CA that issued it, to send along in handshakes.
    pub client_chain: Vec<String>,
    /// The CAs that may issue a server's certificate: active, standby.
    pub server_cas: Vec<String>,
    /// The keys that may sign policies: uncompressed points in base64, with their ids.
    pub policy_keys: Vec<PolicyKey>,
    /// The key that signs receipts: uncompressed point in base64.
    pub receipt_key: String,
    /// The key that files for the server are encrypted to ([`crate::unconnected::seal`]), in base64; none from a server that
    /// takes no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<String>,
    /// The server's id, which every policy must name.
    pub server: String,
    /// The server's clock.
    pub server_time_at: i64,
    /// What the server decided.
    pub assignment: Assignment,
}

/// A key that may sign policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyKey {
    /// Its id: the first 16 hexadecimal digits of the SHA-256 of the point.
    pub id: String,
    /// Uncompressed point in base64.
    pub public_key: String,
}

impl PolicyKey {
    /// The id of a public key.
    pub fn id_of(public_key: &[u8]) -> String {
        let mut id = Digest::of(public_key).to_string();
        id.truncate(16);
        id
    }
}

/// Requests a new certificate; sent inside a [`SignedRenewal`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewRequest {
    /// The machine's id.
    pub machine: String,
    /// The current certificate, which the new one replaces: the same request twice renews only once.
    pub certificate: Digest,
    /// PKCS #10 request, DER in base64. Its public key may be a new one: the old key signs the change.
    pub csr: String,
    /// When it was made, by the machine's clock.
    pub made_at: i64,
}

/// A [`RenewRequest`] signed with the machine's current key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRenewal {
    /// JSON of the request, byte for byte as signed.
    pub request: String,
    /// Signature in base64.
    pub signature: String,
}

impl SignedRenewal {
    /// Signs a request.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(request: &RenewRequest, key: &SigningKey) -> Result<Self, BadKey> {
        let request = serde_json::to_string(request).map_err(|_| BadKey)?;
        let signature = key.sign(Purpose::Renewal, request.as_bytes())?;
        Ok(Self { request, signature: data_encoding::BASE64.encode(&signature) })
    }

    /// Parses the request without trusting it, to learn which machine's key must have signed it.
    ///
    /// # Errors
    /// When it is not a request.
    pub fn claim(&self) -> serde_json::Result<RenewRequest> {
        serde_json::from_str(&self.request)
    }

    /// Checks the signature under `public_key`.
    ///
    /// # Errors
    /// When the signature is wrong.
    pub fn verify(&self, public_key: &[u8]) -> Result<(), BadSignature> {
        let signature = data_encoding::BASE64.decode(self.signature.as_bytes()).map_err(|_| BadSignature)?;
        verify(public_key, Purpose::Renewal, self.request.as_bytes(), &signature)
    }
}

/// A new certificate, with everything an agent pins, so that CAs and policy keys can be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewAnswer {
    /// The machine's new certificate.
    pub certificate: String,
    /// The CA that issued it.
    pub client_chain: Vec<String>,
    /// The CAs that may issue a server's certificate: active, standby.
    pub server_cas: Vec<String>,
    /// See [`EnrolAnswer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<String>,
    /// The server's clock.
    pub server_time_at: i64,
}

/// Polls for orders; the server holds the answer until there is one or time is up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRequest {
    /// Address of the policy bundle the agent uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// The last decision the agent received: a newer one is answered at once. None from older agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Assignment>,
    /// Orders carried out since the last poll.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<String>,
}

/// Something the agent has to do. No order changes a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Check everything again now and report.
    CheckNow {
        /// The order's id, to be repeated in [`PollRequest::done`].
        id: String,
    },
    /// An order this version does not know; nothing is done.
    #[serde(other)]
    Unknown,
}

/// Orders, and the server's current decisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollAnswer {
    /// The orders; empty when time was up.
    pub orders: Vec<Order>,
    /// What the server decided; its policy address differs from the agent's when there is a new policy.
    pub assignment: Assignment,
    /// The server's clock.
    pub server_time_at: i64,
}

/// Whether to retry the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalAction {
    /// Retry the same request later.
    Retry,
    /// Never send the same request again. After a report: open a new segment.
    Final,
}

/// Why a request was refused: the body of every answer other than success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A fixed code for programs and counters, such as `bad_signature`.
    pub code: String,
    /// What is wrong, where, and what to do.
    pub message: Text,
    /// Whether to retry.
    pub action: RefusalAction,
    /// With [`RefusalAction::Retry`]: the least seconds to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_bytes_are_pinned() {
        let answer = PollAnswer {
            orders: vec![Order::CheckNow { id: "7".to_owned() }],
            assignment: Assignment {
                office: "Xã An".to_owned(),
                role: Role::Workstation,
                confirmed: true,
                policy: None,
            },
            server_time_at: 1,
        };
        let pinned = concat!(
            r#"{"orders":[{"order":"check_now","id":"7"}],"#,
            r#""assignment":{"office":"Xã An","role":"workstation","confirmed":true},"server_time_at":1}"#,
        );
        assert_eq!(serde_json::to_string(&answer).unwrap(), pinned);
        assert_eq!(serde_json::from_str::<PollAnswer>(pinned).unwrap(), answer);
        let refusal = Refusal {
            code: "token_expired".to_owned(),
            message: Text::new("Mã đã hết hạn.", "The token has expired."),
            action: RefusalAction::Final,
            retry_after_s: None,
        };
        assert_eq!(
            serde_json::to_string(&refusal).unwrap(),
            r#"{"code":"token_expired","message":{"vi":"Mã đã hết hạn.","en":"The token has expired."},"action":"final"}"#,
        );
    }

    #[test]
    fn an_order_of_a_later_version_is_left_alone() {
        let order: Order = serde_json::from_str(r#"{"order":"dance","tempo":120}"#).unwrap();
        assert_eq!(order, Order::Unknown);
    }

    #[test]
    fn a_renewal_is_believed_only_under_the_right_key() {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let request = RenewRequest {
            machine: "m".to_owned(),
            certificate: Digest::of(b"old"),
            csr: "AA==".to_owned(),
            made_at: 1,
        };
        let mut signed = SignedRenewal::sign(&request, &key).unwrap();
        assert_eq!(signed.claim().unwrap(), request);
        assert!(signed.verify(key.public_key()).is_ok());
        signed.request.push(' ');
        assert!(signed.verify(key.public_key()).is_err());
    }
}
