//! A token and a public key become a machine with a certificate. The token's use, the machine, the key and the
//! certificate are stored in one transaction; the same token with the same key gets the same answer without a second
//! use.

use data_encoding::BASE64;
use protocol::token::Token as TokenText;
use protocol::{EnrolAnswer, EnrolRequest, limits};
use rustls::pki_types::CertificateDer;

use super::caller::{CallerError, Refusal, assignment};
use crate::app::App;
use crate::audit::{Action, Actor, Change};
use crate::ca::csr::MachineKey;
use crate::ca::{serial_of, validity_ms};
use crate::roster::line_match;
use crate::store::machine::key::{Certificate, MachineKey as StoredKey};
use crate::store::machine::{Machine, MachineStatus};
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::text::is_storable;
use crate::store::token::{Admission, Enrolment, Token};
use crate::store::{Scope, Tx, new_id};

/// Enrols the machine that asks over the wire or by file.
///
/// # Errors
/// A final refusal that names what is wrong with the token or the request.
pub async fn machine_enrol(app: &App, request: &EnrolRequest) -> Result<EnrolAnswer, CallerError> {
    if ![&request.machine_name, &request.place].into_iter().all(|text| is_storable(text)) {
        return Err(Refusal::TextUnusable.into());
    }
    let key = csr_read(&request.csr)?;
    // Only reads so far: guessing tokens delays no report.
    let mut tx = app.db.read().await?;
    let text = TokenText::read(&request.token).map(|text| text.digest().to_string());
    let hash = match text {
        Ok(hash) if tx.token_is_known(&hash).await? => hash,
        text => {
            key_check(&mut tx, &key).await?;
            return Err(text.map_or(Refusal::TokenMalformed, |_| Refusal::TokenUnknown).into());
        }
    };
    drop(tx);
    let mut tx = app.db.write().await?;
    let token = tx.token_hold(&hash).await?.ok_or(Refusal::TokenUnknown)?;
    let certificate = match tx.enrolment_get(&token.id, &key.id()).await? {
        Some(earlier) => certificate_again(&mut tx, &token, &earlier).await?,
        None => {
            key_check(&mut tx, &key).await?;
            token_check(&token, app.clock.now_ms())?;
            machine_add(app, &mut tx, &token, &key, request).await?
        }
    };
    let peer = tx.machine_peer(&key.id()).await?.ok_or_else(|| anyhow::anyhow!("the key just kept is gone"))?;
    let assignment = assignment(app, &mut tx, &peer).await?;
    tx.commit().await?;
    let base64 = |certificate: &CertificateDer<'_>| BASE64.encode(certificate);
    Ok(EnrolAnswer {
        machine: peer.machine,
        certificate: BASE64.encode(&certificate),
        client_chain: vec![base64(app.secrets.client_ca.certificate())],
        server_cas: app.secrets.server_cas().map(base64).to_vec(),
        policy_keys: app.secrets.policy_keys.clone(),
        receipt_key: BASE64.encode(app.secrets.receipt.public_key()),
        sealing_key: Some(app.secrets.sealing_key_text()),
        server: app.config.server.clone(),
        server_time_at: app.clock.now_ms(),
        assignment,
    })
}

/// Reads a request's public key from base64 of a PKCS #10 request.
///
/// # Errors
/// A final refusal that says what is wrong with it.
pub fn csr_read(csr: &str) -> Result<MachineKey, CallerError> {
    let refused = |why: &dyn std::fmt::Display| Refusal::CsrUnusable(why.to_string());
    let der = BASE64.decode(csr.as_bytes()).map_err(|error| refused(&error))?;
    Ok(MachineKey::read(&der).map_err(|error| refused(&error))?)
}

/// Repeats a lost answer, even when the token is used up or expired by now, but not when the token or machine was revoked.
async fn certificate_again(tx: &mut Tx, token: &Token, earlier: &Enrolment) -> Result<Vec<u8>, CallerError> {
    if token.revoked_at.is_some() {
        return Err(Refusal::TokenRevoked.into());
    }
    if tx.machine_require(&Scope::whole(), &earlier.machine).await?.status == MachineStatus::Revoked {
        return Err(Refusal::Revoked.into());
    }
    let certificate = tx.certificate_get(&earlier.certificate).await?;
    Ok(certificate.ok_or_else(|| anyhow::anyhow!("certificate {} is gone", earlier.certificate))?.der)
}

/// Refuses a key that has a machine already, before anything is said about the token. Only the holder of the key learns of it: the request
/// is signed with it.
async fn key_check(tx: &mut Tx, key: &MachineKey) -> Result<(), CallerError> {
    let Some(peer) = tx.machine_peer(&key.id()).await? else { return Ok(()) };
    // The agent of a revoked machine then makes a new key; one that is still enrolled keeps its own.
    Err(match peer.status {
        MachineStatus::Revoked => Refusal::KeyRevoked(peer.machine),
        MachineStatus::Pending | MachineStatus::Confirmed => Refusal::KeyKnown(peer.machine),
    }
    .into())
}

fn token_check(token: &Token, now: i64) -> Result<(), CallerError> {
    if token.revoked_at.is_some() {
        return Err(Refusal::TokenRevoked.into());
    }
    if token.expires_at <= now {
        return Err(Refusal::TokenExpired.into());
    }
    if token.uses_left <= 0 {
        return Err(Refusal::TokenUsedUp.into());
    }
    Ok(())
}

/// Uses the token and adds machine, key and certificate.
async fn machine_add(
    app: &App,
    tx: &mut Tx,
    token: &Token,
    key: &MachineKey,
    request: &EnrolRequest,
) -> Result<Vec<u8>, CallerError> {
    let now = app.clock.now_ms();
    if !tx.token_use(&token.id, now).await? {
        return Err(Refusal::TokenUsedUp.into());
    }
    let mut name: String = request.machine_name.trim().chars().take(limits::MACHINE_NAME).collect();
    if name.is_empty() {
        "?".clone_into(&mut name);
    }
    let place: String = request.place.trim().chars().take(limits::MACHINE_PLACE).collect();
    let scope = Scope::office(&token.office);
    let line = line_match(tx, &scope, &token.office, [&name, &place], token.role).await?;
    let confirmed_by = match (&line, token.admits) {
        (_, Admission::Confirmed) => Some(token.created_by.clone()),
        (Some(_), Admission::Pending) => Some("roster".to_owned()),
        (None, Admission::Pending) => None,
    };
    let machine = Machine {
        id: new_id(),
        office: token.office.clone(),
        role: token.role,
        status: if confirmed_by.is_some() { MachineStatus::Confirmed } else { MachineStatus::Pending },
        name,
        place,
        traits: request.traits.to_string(),
        token: Some(token.id.clone()),
        enrolled_at: now,
        confirmed_at: confirmed_by.is_some().then_some(now),
        confirmed_by,
        revoked_at: None,
        revoked_by: None,
        revoked_for: None,
        clone_at: None,
        clone_why: None,
        line: None,
    };
    tx.machine_insert(&scope, &machine).await?;
    let stored = StoredKey {
        id: key.id(),
        machine: machine.id.clone(),
        public_key: key.spki().to_vec(),
        since_at: now,
        until_at: None,
    };
    tx.machine_key_insert(&stored).await?;
    let certificate = certificate_issue(app, tx, &machine.id, key).await?;
    let enrolment = Enrolment {
        token: token.id.clone(),
        machine_key: key.id(),
        machine: machine.id.clone(),
        certificate: certificate.serial,
        at: now,
    };
    tx.enrolment_insert(&enrolment).await?;
    let mut changes = vec![
        NewEvent::of_machine(EventKind::Machine, &machine.office, &machine.id),
        NewEvent { subject: Some(token.id.clone()), ..NewEvent::of_office(EventKind::Token, &machine.office) },
    ];
    if let Some(line) = line {
        tx.roster_line_machine_set(&scope, &line.id, Some(&machine.id)).await?;
        changes.push(NewEvent::of_office(EventKind::Roster, &machine.office));
    }
    let subject = format!("{} {}", machine.id, machine.name);
    let change = Change::new(Actor::Program, Action::MachineEnrolled, Some(&machine.office), subject)
        .with("token", &token.id)
        .with("status", machine.status);
    tx.audit_append(now, &change).await?;
    tx.change_append(now, &changes).await?;
    tracing::info!(machine = machine.id, office = machine.office, status = machine.status.word(), "machine enrolled");
    Ok(certificate.der)
}

/// Issues a certificate for `key` and stores it.
///
/// # Errors
/// The key cannot sign or the database fails.
pub async fn certificate_issue(app: &App, tx: &mut Tx, machine: &str, key: &MachineKey) -> anyhow::Result<Certificate> {
    let now = app.clock.now_ms();
    let der = app.secrets.client_ca.issue_machine(machine, key, now)?;
    let (not_before_at, not_after_at) = validity_ms(&der)?;
    let certificate = Certificate {
        serial: serial_of(&der)?,
        machine: machine.to_owned(),
        machine_key: key.id(),
        der: der.to_vec(),
        issued_at: now,
        not_before_at,
        not_after_at,
    };
    tx.certificate_insert(&certificate).await?;
    Ok(certificate)
}
