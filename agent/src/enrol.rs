//! Connects this machine to a server: key, fingerprint, token, certificate. Nothing is sent before the server's certificate was
//! found under the CA whose fingerprint the officer handed over.

use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use policies::fact::Section;
use policies::text::{Text, visible};
use protocol::token::Token;
use protocol::{Assignment, Digest, EnrolAnswer, EnrolRequest, limits, path};

use crate::clock::Clock;
use crate::collect::Collector;
use crate::config::{Config, server_address};
use crate::connection::{Connection, WireError};
use crate::delivery::Delivery;
use crate::identity::{BadAnswer, Identity};
use crate::keys::MachineKey;
use crate::os::Os;
use crate::policy_store;
use crate::report;
use crate::standing::Standing;
use crate::state::{Missing, StateFolder};
use crate::station::{StartError, config_path};
use crate::tls::{Anchor, Trust};

/// What a person hands over.
pub struct Invitation {
    /// `HOST:PORT`.
    pub server: String,
    /// The token as typed.
    pub token: String,
    /// The fingerprint as typed.
    pub fingerprint: String,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The machine's id.
    pub machine: String,
    /// What the server decided.
    pub assignment: Assignment,
    /// Undelivered reports of a former identity that were given up.
    pub given_up: u64,
}

/// Why a machine was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The address is not `HOST:PORT`.
    #[error("--server {0}")]
    Address(#[from] crate::config::NotAnAddress),
    /// The fingerprint is not 64 hexadecimal digits.
    #[error("--fingerprint must be the 64 hexadecimal digits that the officer handed over with the token")]
    Fingerprint,
    /// The token is not one.
    #[error(transparent)]
    Token(#[from] protocol::token::NotAToken),
    /// State, key or configuration.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server could not be reached, was not believed, or said no.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server's answer does not fit this machine.
    #[error(transparent)]
    Answer(#[from] BadAnswer),
}

impl EnrolError {
    /// The error as a person reads it.
    pub fn text(&self) -> Text {
        let vi = match self {
            Self::Address(_) => {
                "địa chỉ máy chủ (--server) phải có dạng TÊN-MÁY:CỔNG, ví dụ may-chu.xa.gov.vn:8443".to_owned()
            }
            Self::Fingerprint => {
                "dấu vân tay (--fingerprint) phải gồm đúng 64 chữ số thập lục phân mà cán bộ phụ trách đã đưa kèm mã"
                    .to_owned()
            }
            Self::Token(_) => "mã đăng ký không đúng: cần 26 chữ và số, chia nhóm năm ký tự".to_owned(),
            Self::Start(error) => return error.text(),
            Self::Wire(error) => return error.text(),
            Self::Answer(error) => format!("không dùng được câu trả lời của máy chủ: {}", error.0),
        };
        Text::new(vi, self.to_string())
    }
}

/// The fingerprint as typed: case, spaces, colons and dashes do not matter.
///
/// # Errors
/// When it is not 64 hexadecimal digits.
pub fn fingerprint_read(text: &str) -> Result<Digest, EnrolError> {
    let digits: String = text.chars().filter(|character| !matches!(character, ' ' | ':' | '-')).collect();
    digits.to_ascii_lowercase().parse().map_err(|_| EnrolError::Fingerprint)
}

/// Enrols the machine that `os` leads to, with its state in the folder `state`. May be repeated at will: the key stays the
/// same, and for the same key and token the server gives the same certificate.
///
/// # Errors
/// As [`EnrolError`] says.
pub async fn enrol(
    invitation: &Invitation,
    state: &Path,
    config: Option<&Path>,
    os: Arc<dyn Os>,
    clock: Arc<Clock>,
) -> Result<Enrolled, EnrolError> {
    let address = server_address(&invitation.server)?;
    let fingerprint = fingerprint_read(&invitation.fingerprint)?;
    Token::read(&invitation.token)?;
    let state = StateFolder::open(state, Missing::Create).map_err(StartError::from)?;
    let config = Config::load(&config_path(state.path(), config)).map_err(StartError::from)?;
    let former = Identity::load(&state).map_err(StartError::from)?;
    let key = MachineKey::load_or_make(&state).map_err(StartError::from)?;
    let facts = Collector::new(os).collect(&[Section::System, Section::Lan], clock.instant());
    let request = EnrolRequest {
        token: invitation.token.clone(),
        csr: BASE64.encode(&key.request().map_err(StartError::from)?),
        machine_name: visible(facts.system.name.known().map_or("", String::as_str), limits::MACHINE_NAME),
        traits: report::traits(&facts),
        agent: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let trust = Trust::new(Anchor::Fingerprint(fingerprint), Arc::clone(&clock));
    let connection = Connection::new(address, config.server.proxy.as_deref(), &trust, None)?;
    let answer: EnrolAnswer = connection.post(path::ENROL, &request).await?;

    let assignment = answer.assignment.clone();
    let server_time_at = answer.server_time_at;
    let identity = Identity::enrolled(address, answer, key.signing().public_key())?;
    if !identity.authorities().iter().any(|authority| Digest::of(authority) == fingerprint) {
        return Err(BadAnswer("its CA is not the one of the fingerprint".to_owned()).into());
    }
    let mut given_up = 0;
    let mut standing = Standing::load(&state).map_err(StartError::from)?;
    if former.is_none_or(|former| former.machine != identity.machine || former.server != identity.server) {
        given_up = Delivery::forget(&state).map_err(StartError::from)?;
        state.remove(policy_store::FILE).map_err(StartError::from)?;
        standing = Standing::default();
    }
    clock.server_said(server_time_at, identity.validity().until);
    standing.server_at = clock.server_at();
    standing.assignment = Some(assignment.clone());
    standing.save(&state).map_err(StartError::from)?;
    // Last: the machine is enrolled from the moment this file is there.
    identity.save(&state).map_err(StartError::from)?;
    Ok(Enrolled { machine: identity.machine, assignment, given_up })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_people_write_them() {
        let digest = Digest::of(b"ca");
        let plain = digest.to_string();
        let pairs: Vec<String> =
            plain.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
        for written in [plain.clone(), plain.to_uppercase(), pairs.join(":"), pairs.join(" ")] {
            assert_eq!(fingerprint_read(&written).unwrap(), digest, "{written}");
        }
        for wrong in ["", "ab", &plain[1..], &format!("{plain}0"), &plain.replace('a', "g")[..64]] {
            if wrong != plain {
                assert!(fingerprint_read(wrong).is_err(), "{wrong}");
            }
        }
    }
}
