//! Enrols this machine with a server: key, fingerprint, token, certificate. Nothing is sent before the server's certificate is
//! verified under the CA whose fingerprint the officer gave.

use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use policies::fact::Section;
use policies::text;
use policies::text::{Text, visible};
use protocol::token::Token;
use protocol::{Assignment, Digest, EnrolAnswer, EnrolRequest, limits, path};
use serde::{Deserialize, Serialize};

use crate::connection::tls::{Anchor, Trust};
use crate::connection::{Connection, WireError};
use crate::identity::keys::MachineKey;
use crate::identity::start::StartError;
use crate::identity::{BadAnswer, Identity};
use crate::platform::clock::Clock;
use crate::policy;
use crate::policy::last_answer::LastAnswer;
use crate::report::delivery::Delivery;
use crate::report::draft;
use crate::state::config::{self, Config, server_address};
use crate::state::{Missing, StateFolder};
use collect::Collector;

pub(crate) mod pending_enrolment;

/// The server's error code for a key that was enrolled before with another token.
const KEY_KNOWN: &str = "key_known";
/// ... and is revoked.
const KEY_REVOKED: &str = "key_revoked";

/// What the officer gives to the person who enrols. Never shown: it holds the token.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Invitation {
    /// `HOST:PORT`.
    pub(crate) server: String,
    /// The token as typed.
    pub(crate) token: String,
    /// The fingerprint as typed.
    pub(crate) fingerprint: String,
    /// Room and person as typed; may be empty.
    #[serde(default)]
    pub(crate) place: String,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Invitation").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The result of an enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enrolled {
    /// The machine's id.
    pub(crate) machine: String,
    /// What the server decided.
    pub(crate) assignment: Assignment,
    /// The machine's former id, when it was another one and readable: it has to be revoked on its server.
    pub(crate) former: Option<String>,
    /// Undelivered reports of a former identity that can no longer be delivered; their file is set aside.
    pub(crate) given_up: u64,
}

/// Why a machine was not enrolled.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
pub(crate) enum EnrolError {
    /// The address is not `HOST:PORT`.
    Address(#[from] crate::state::config::NotAnAddress),
    /// The fingerprint is not 64 hexadecimal digits.
    Fingerprint,
    /// The token is malformed.
    #[error(transparent)]
    Token(#[from] protocol::token::NotAToken),
    /// State, key or configuration.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server could not be reached, was not trusted, or refused, or its answer does not fit this machine.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl EnrolError {
    /// True when the server says that the machine is already enrolled as the identity it has here.
    pub(crate) fn is_enrolled(&self) -> bool {
        matches!(self, Self::Wire(WireError::Refused { refusal }) if refusal.code == KEY_KNOWN)
    }

    /// The error message for people, in both languages.
    pub(crate) fn text(&self) -> Text {
        match self {
            Self::Address(error) => text!(
                "địa chỉ máy chủ (--server) phải có dạng TÊN-MÁY:CỔNG, ví dụ may-chu.xa.gov.vn:8443",
                "--server {error}"
            ),
            Self::Fingerprint => text!(
                "dấu vân tay (--fingerprint) phải gồm đúng 64 chữ số thập lục phân mà cán bộ phụ trách đã đưa kèm mã",
                "--fingerprint must be the 64 hexadecimal digits that the officer gave with the token"
            ),
            Self::Token(error) => text!("mã đăng ký không đúng: cần 26 chữ và số, chia nhóm năm ký tự", "{error}"),
            Self::Start(error) => error.text(),
            Self::Wire(error) => error.text(),
        }
    }
}

/// Parses a typed fingerprint: case, spaces, colons and dashes do not matter.
///
/// # Errors
/// When it is not 64 hexadecimal digits.
pub(crate) fn fingerprint_read(text: &str) -> Result<Digest, EnrolError> {
    let digits: String = text.chars().filter(|character| !matches!(character, ' ' | ':' | '-')).collect();
    digits.to_ascii_lowercase().parse().map_err(|_| EnrolError::Fingerprint)
}

/// Enrols the machine that `collector` reads, with its state in the folder `state`. Can be repeated: the key stays the same, and the
/// server gives the same certificate for the same key and token. Damaged files of a former identity are set aside, never deleted.
///
/// # Errors
/// See [`EnrolError`].
pub(crate) async fn enrol(
    invitation: &Invitation,
    state: &Path,
    config: Option<&Path>,
    collector: &Collector,
    clock: Arc<Clock>,
) -> Result<Enrolled, EnrolError> {
    let address = server_address(&invitation.server)?;
    let fingerprint = fingerprint_read(&invitation.fingerprint)?;
    Token::read(&invitation.token)?;
    let state = StateFolder::open(state, Missing::Create).map_err(StartError::from)?;
    let config = Config::load(&config::path(state.path(), config)).map_err(StartError::from)?;
    let former = Identity::load_or_set_aside(&state).map_err(StartError::from)?;
    let mut key = MachineKey::load_or_make(&state).map_err(StartError::from)?;
    let trust = Trust::new(Anchor::Fingerprint(fingerprint), Arc::clone(&clock));
    let connection = Connection::new(address, config.server.proxy.as_deref(), &trust, None)?;
    let first = request(&invitation.token, &invitation.place, &key, collector, &clock)?;
    let mut revoked = false;
    let answer: EnrolAnswer = match connection.post(path::ENROL, &first).await {
        // The key belongs to an identity that was lost or revoked: nothing here belongs to it any more.
        Err(WireError::Refused { refusal })
            if refusal.code == KEY_REVOKED || (refusal.code == KEY_KNOWN && former.is_none()) =>
        {
            revoked = refusal.code == KEY_REVOKED;
            key = MachineKey::make_anew(&state).map_err(StartError::from)?;
            let csr = BASE64.encode(&key.request().map_err(StartError::from)?);
            connection.post(path::ENROL, &EnrolRequest { csr, ..first }).await?
        }
        answered => answered?,
    };

    let assignment = answer.assignment.clone();
    let server_time_at = answer.server_time_at;
    let unusable = |BadAnswer(reason)| WireError::Unusable(reason);
    let mut identity = Identity::enrolled(address, answer, key.signing().public_key()).map_err(unusable)?;
    if let Some(former) = former.as_ref().filter(|former| former.machine == identity.machine)
        && former.is_for(key.signing().public_key())
        && former.validity().until > identity.validity().until
    {
        // The server answers the same token with the first certificate; the machine has renewed it since.
        identity.certificate.clone_from(&former.certificate);
    }
    if !identity.authorities().iter().any(|authority| Digest::of(authority) == fingerprint) {
        return Err(WireError::Unusable("its CA is not the one of the fingerprint".to_owned()).into());
    }
    let given_up = adopt(&state, &clock, former.as_ref(), &identity, &assignment, server_time_at)?;
    let former = former.map(|former| former.machine).filter(|former| *former != identity.machine && !revoked);
    Ok(Enrolled { machine: identity.machine, assignment, former, given_up })
}

/// The enrolment request of this machine with `token`, over the network or by file; `place` is the roster line a person
/// chose, or empty.
///
/// # Errors
/// When the key cannot sign.
pub(crate) fn request(
    token: &str,
    place: &str,
    key: &MachineKey,
    collector: &Collector,
    clock: &Clock,
) -> Result<EnrolRequest, StartError> {
    let facts = collector.collect(&[Section::System, Section::Lan], clock.instant());
    Ok(EnrolRequest {
        token: token.to_owned(),
        csr: BASE64.encode(&key.request()?),
        machine_name: visible(facts.system.name.known().map_or("", String::as_str), limits::MACHINE_NAME),
        place: visible(place, limits::MACHINE_PLACE),
        traits: draft::traits(&facts),
        agent: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Adopts the identity that a server gave. Returns how many undelivered reports of a `former` one are given up.
///
/// # Errors
/// When the state folder refuses.
pub(crate) fn adopt(
    state: &StateFolder,
    clock: &Clock,
    former: Option<&Identity>,
    identity: &Identity,
    assignment: &Assignment,
    server_time_at: i64,
) -> Result<u64, StartError> {
    let mut given_up = 0;
    let mut last_answer = LastAnswer::load(state)?;
    if former.is_none_or(|former| former.machine != identity.machine || former.server != identity.server) {
        given_up = Delivery::forget(state)?;
        state.remove(policy::store::FILE)?;
        last_answer = LastAnswer::default();
    }
    clock.server_said(server_time_at, identity.validity().until);
    last_answer.server_at = clock.server_at();
    last_answer.assignment = Some(assignment.clone());
    last_answer.save(state)?;
    // Last: the machine counts as enrolled from the moment this file exists.
    identity.save(state)?;
    Ok(given_up)
}

#[cfg(test)]
pub(crate) mod tests {
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

    use std::sync::Mutex;

    use protocol::Role;
    use protocol::message::PolicyKey;
    use protocol::sign::SigningKey;
    use x509_parser::prelude::FromDer;

    use crate::connection::test_server::{Answer, Server, refused, run};
    use crate::connection::tls::tests::{Authority, authority};
    use collect::linux::Machine;
    use os::recorded::Recorded;

    pub(crate) const TOKEN: &str = "000G4-0R40M-30E20-9185G-R38E1-W";

    /// A certificate under `clients` for the key of a request, valid until the given year; base64.
    fn certified(clients: &Authority, csr: &[u8], until: i32) -> String {
        let (_, parsed) = x509_parser::certification_request::X509CertificationRequest::from_der(csr).unwrap();
        let key = rcgen::SubjectPublicKeyInfo::from_der(parsed.certification_request_info.subject_pki.raw).unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        BASE64.encode(parameters.signed_by(&key, &clients.issuer).unwrap().der())
    }

    /// What an honest server answers: a certificate for the key of the request, under `clients`.
    pub(crate) fn admit(ours: &[u8], clients: &Authority, machine: &str, body: &[u8]) -> Answer {
        let request: EnrolRequest = serde_json::from_slice(body).unwrap();
        let csr = BASE64.decode(request.csr.as_bytes()).unwrap();
        let policy_key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let point = BASE64.encode(policy_key.public_key());
        let answer = EnrolAnswer {
            machine: machine.to_owned(),
            certificate: certified(clients, &csr, 2090),
            client_chain: vec![BASE64.encode(&clients.der)],
            server_cas: vec![BASE64.encode(ours)],
            policy_keys: vec![PolicyKey { id: PolicyKey::id_of(policy_key.public_key()), public_key: point.clone() }],
            receipt_key: point,
            sealing_key: None,
            server: "s".to_owned(),
            server_time_at: 1,
            assignment: Assignment {
                office: "Xã An".to_owned(),
                role: Role::Workstation,
                confirmed: false,
                policy: None,
            },
        };
        (200, vec![], serde_json::to_vec(&answer).unwrap())
    }

    /// What an officer hands over.
    pub(crate) fn invitation(server: &str, token: &str, fingerprint: &str) -> Invitation {
        Invitation {
            server: server.to_owned(),
            token: token.to_owned(),
            fingerprint: fingerprint.to_owned(),
            place: String::new(),
        }
    }

    /// Collects from a machine on which nothing was recorded.
    pub(crate) fn nothing_recorded() -> Collector {
        Collector::new(Arc::new(Machine::new(Arc::new(Recorded::default()))))
    }

    async fn enrolled(invitation: &Invitation, state: &Path) -> Result<Enrolled, EnrolError> {
        enrol(invitation, state, None, &nothing_recorded(), Arc::new(Clock::system())).await
    }

    async fn attempt(server: &Server, fingerprint: Digest, state: &Path) -> Result<Enrolled, EnrolError> {
        enrolled(&invitation(&server.address.to_string(), TOKEN, &fingerprint.to_string()), state).await
    }

    #[test]
    fn the_token_goes_only_to_the_server_of_the_fingerprint() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let state = folder.path().join("state");
            let (ours, clients) = (authority("ours"), authority("clients"));
            let fingerprint = Digest::of(&ours.der);
            let ca = ours.der.clone();
            let server = Server::start(&ours, move |_, body| admit(&ca, &clients, "m", body)).await;

            let error = attempt(&server, Digest::of(b"another"), &state).await.unwrap_err();
            assert!(matches!(error, EnrolError::Wire(WireError::Untrusted { .. })), "{error}");
            assert!(server.asked().is_empty(), "nothing is sent before the fingerprint fits");
            assert!(!state.join("identity.json").exists());

            let enrolled = attempt(&server, fingerprint, &state).await.unwrap();
            assert_eq!((enrolled.machine.as_str(), enrolled.assignment.confirmed), ("m", false));
            assert_eq!(server.asked(), [path::ENROL]);
            let kept = std::fs::read_to_string(state.join("identity.json")).unwrap();
            assert!(!kept.contains(TOKEN));
        });
    }

    #[test]
    fn a_retry_uses_the_same_key_and_keeps_the_chain_unless_the_machine_is_another() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state");
            let (ours, clients) = (authority("ours"), authority("clients"));
            let fingerprint = Digest::of(&ours.der);
            let ca = ours.der.clone();
            let machine = Arc::new(Mutex::new("m"));
            let named = Arc::clone(&machine);
            let server = Server::start(&ours, move |_, body| admit(&ca, &clients, *named.lock().unwrap(), body)).await;
            attempt(&server, fingerprint, &path).await.unwrap();
            let key = std::fs::read(path.join("key")).unwrap();
            {
                let state = StateFolder::open(&path, Missing::Refuse).unwrap();
                let mut delivery = Delivery::open(&state, ("m", "s"), vec![], 1 << 20, 0).unwrap();
                let report = crate::report::spool::tests::report(1, 1);
                delivery.spool.append(&report).unwrap();
                delivery.chain.made_one(crate::report::spool::Waiting::read(report).unwrap().position).unwrap();
            }
            assert_eq!(attempt(&server, fingerprint, &path).await.unwrap().given_up, 0);
            assert_eq!(std::fs::read(path.join("key")).unwrap(), key);
            *machine.lock().unwrap() = "n";
            assert_eq!(attempt(&server, fingerprint, &path).await.unwrap().given_up, 1);
            let state = StateFolder::open(&path, Missing::Refuse).unwrap();
            let delivery = Delivery::open(&state, ("n", "s"), vec![], 1 << 20, 0).unwrap();
            assert_eq!((delivery.spool.count(), delivery.chain.next().segment), (0, 1));
        });
    }

    #[test]
    fn a_renewed_certificate_outlives_an_enrolment_with_the_same_token() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state");
            let (ours, clients) = (authority("ours"), Arc::new(authority("clients")));
            let (ca, issuing) = (ours.der.clone(), Arc::clone(&clients));
            let server = Server::start(&ours, move |_, body| admit(&ca, &issuing, "m", body)).await;
            attempt(&server, Digest::of(&ours.der), &path).await.unwrap();
            let state = StateFolder::open(&path, Missing::Refuse).unwrap();
            let csr = MachineKey::load(&state).unwrap().unwrap().request().unwrap();
            let mut renewed = Identity::load(&state).unwrap().unwrap();
            renewed.certificate = certified(&clients, &csr, 2091);
            renewed.save(&state).unwrap();
            drop(state);
            attempt(&server, Digest::of(&ours.der), &path).await.unwrap();
            let kept = Identity::load(&StateFolder::open(&path, Missing::Refuse).unwrap()).unwrap().unwrap();
            assert_eq!(kept.certificate, renewed.certificate);
        });
    }

    #[test]
    fn a_revoked_machine_begins_anew_with_another_key_and_one_that_is_enrolled_stays() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state");
            let (ours, clients) = (authority("ours"), authority("clients"));
            let (fingerprint, ca) = (Digest::of(&ours.der), ours.der.clone());
            // The server's answer about the first key; none at first.
            let word = Arc::new(Mutex::new(None::<(&str, Vec<u8>)>));
            let said = Arc::clone(&word);
            let server = Server::start(&ours, move |_, body| {
                let request: EnrolRequest = serde_json::from_slice(body).unwrap();
                let csr = BASE64.decode(request.csr.as_bytes()).unwrap();
                match &*said.lock().unwrap() {
                    Some((code, first)) if csr.windows(first.len()).any(|window| window == first) => refused(409, code),
                    known => admit(&ca, &clients, if known.is_some() { "n" } else { "m" }, body),
                }
            })
            .await;
            attempt(&server, fingerprint, &path).await.unwrap();
            let state = StateFolder::open(&path, Missing::Refuse).unwrap();
            let first = MachineKey::load(&state).unwrap().unwrap().signing().public_key().to_vec();
            drop(state);
            *word.lock().unwrap() = Some((KEY_KNOWN, first.clone()));
            assert!(attempt(&server, fingerprint, &path).await.is_err(), "nothing waiting is given up");
            *word.lock().unwrap() = Some((KEY_REVOKED, first));
            let enrolled = attempt(&server, fingerprint, &path).await.unwrap();
            assert_eq!((enrolled.machine.as_str(), enrolled.former), ("n", None), "it is revoked already");
        });
    }

    #[test]
    fn what_was_handed_over_wrongly_is_said_before_anything_is_sent() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let attempt = async |server: &str, token: &str, fingerprint: &str| {
                let state = folder.path().join("state");
                enrolled(&invitation(server, token, fingerprint), &state).await.unwrap_err()
            };
            let fingerprint = Digest::ZERO.to_string();
            assert!(matches!(attempt("https://a", TOKEN, &fingerprint).await, EnrolError::Address(_)));
            assert!(matches!(attempt("a:1", TOKEN, "").await, EnrolError::Fingerprint));
            let error = attempt("a:1", "secret-token", &fingerprint).await;
            assert!(matches!(error, EnrolError::Token(_)));
            assert!(!error.to_string().contains("secret-token") && !error.text().vi.contains("secret-token"));
            assert!(!folder.path().join("state").exists());
        });
    }
}
