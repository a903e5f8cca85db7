//! Issuing a new certificate to a known machine on a request signed with its key. The old certificate may have expired; only revoked
//! machines are refused. A new key is accepted when the old key signed the request; every key is kept with its validity period.

use data_encoding::BASE64;
use protocol::{Digest, RenewAnswer, RenewRequest, SignedRenewal};
use rustls::pki_types::CertificateDer;

use super::caller::{CallerError, Refusal, key_in_use};
use super::enrol::{certificate_issue, csr_read};
use crate::app::App;
use crate::audit::{Action, Actor, Change};
use crate::ca::LEAF_MS;
use crate::ca::csr::{MachineKey, point_of};
use crate::store::Tx;
use crate::store::machine::MachineStatus;
use crate::store::machine::key::{Certificate, MachineKey as StoredKey, Peer};
use crate::store::outbox::{EventKind, NewEvent};

/// Maximum keys of a machine. All are kept, because they prove its reports; an honest machine has one, plus one for each move.
const KEYS: usize = 32;
/// Certificates kept per machine, besides the one issued at enrolment.
const CERTIFICATES: i64 = 16;

/// Renews the certificate of the machine that asks over the wire or by file. A request that is not allowed, too frequent or a repetition
/// costs no write.
///
/// # Errors
/// A final refusal: unknown or revoked machine, wrong signature, unusable request, more keys than are kept. A retryable one when the
/// machine asks too often.
pub async fn machine_renew(app: &App, signed: &SignedRenewal) -> Result<RenewAnswer, CallerError> {
    let request = signed.claim().map_err(|_| Refusal::BadSignature)?;
    let new_key = csr_read(&request.csr)?;
    let mut tx = app.db.read().await?;
    let asked_for = asked(app, &mut tx, signed, &request, &new_key).await?;
    drop(tx);
    let certificate = match asked_for {
        Asked::Before(certificate) => certificate,
        Asked::Anew(current) => {
            if !app.allowances.renewals.take(&current.machine, app.clock.steady()) {
                return Err(Refusal::TooManyRenewals.into());
            }
            let mut tx = app.db.write().await?;
            if !tx.machine_hold(&request.machine).await? {
                return Err(Refusal::UnknownMachine.into());
            }
            // Checked again: another request may have been faster.
            let certificate = match asked(app, &mut tx, signed, &request, &new_key).await? {
                Asked::Before(certificate) => certificate,
                Asked::Anew(current) => certificate_renew(app, &mut tx, &current, &new_key).await?,
            };
            tx.commit().await?;
            app.callers.forget(&request.machine);
            certificate
        }
    };
    let base64 = |certificate: &CertificateDer<'_>| BASE64.encode(certificate);
    Ok(RenewAnswer {
        certificate: BASE64.encode(&certificate.der),
        client_chain: vec![base64(app.secrets.client_ca.certificate())],
        server_cas: app.secrets.server_cas().map(base64).to_vec(),
        sealing_key: Some(app.secrets.sealing_key_text()),
        server_time_at: app.clock.now_ms(),
    })
}

/// What a renewal asks for.
enum Asked {
    /// One already issued, whose answer was lost.
    Before(Certificate),
    /// A certificate for the machine that now has this key.
    Anew(Peer),
}

async fn asked(
    app: &App,
    tx: &mut Tx,
    signed: &SignedRenewal,
    request: &RenewRequest,
    new_key: &MachineKey,
) -> Result<Asked, CallerError> {
    let current = key_in_use(tx, &request.machine).await?.ok_or(Refusal::UnknownMachine)?;
    let repeated = new_key.id() == current.key;
    signature_check(tx, signed, &current, repeated).await?;
    if current.status == MachineStatus::Revoked {
        return Err(Refusal::Revoked.into());
    }
    match tx.certificate_latest(&current.machine).await? {
        Some(latest) if repeated && is_answer(&latest, request.certificate, app.clock.now_ms()) => {
            Ok(Asked::Before(latest))
        }
        _ => Ok(Asked::Anew(current)),
    }
}

async fn certificate_renew(
    app: &App,
    tx: &mut Tx,
    current: &Peer,
    new_key: &MachineKey,
) -> Result<Certificate, CallerError> {
    if new_key.id() != current.key {
        key_replace(app, tx, current, new_key).await?;
    }
    let certificate = certificate_issue(app, tx, &current.machine, new_key).await?;
    tx.certificate_prune(&current.machine, CERTIFICATES).await?;
    Ok(certificate)
}

/// The machine's current key must have signed. When the request repeats a key change already made (its answer was lost), the
/// previous key may have signed.
async fn signature_check(
    tx: &mut Tx,
    signed: &SignedRenewal,
    current: &Peer,
    repeated: bool,
) -> Result<(), CallerError> {
    let fits = |spki: &[u8]| point_of(spki).is_some_and(|point| signed.verify(point).is_ok());
    if fits(&current.public_key) {
        return Ok(());
    }
    if repeated {
        let keys = tx.machine_key_list(&current.machine).await?;
        let before = keys.iter().rev().find(|key| key.until_at.is_some());
        if before.is_some_and(|key| fits(&key.public_key)) {
            return Ok(());
        }
    }
    Err(Refusal::BadSignature.into())
}

/// Whether `latest` was the answer to an earlier, equal request: it was issued after the certificate the machine names and is far from expiry.
fn is_answer(latest: &Certificate, replaced: Digest, now: i64) -> bool {
    Digest::of(&latest.der) != replaced && latest.not_after_at.saturating_sub(now) > LEAF_MS / 3
}

async fn key_replace(app: &App, tx: &mut Tx, current: &Peer, new_key: &MachineKey) -> Result<(), CallerError> {
    let now = app.clock.now_ms();
    if tx.machine_peer(&new_key.id()).await?.is_some() {
        return Err(Refusal::KeyUsed.into());
    }
    if tx.machine_key_list(&current.machine).await?.len() >= KEYS {
        return Err(Refusal::TooManyKeys.into());
    }
    let stored = StoredKey {
        id: new_key.id(),
        machine: current.machine.clone(),
        public_key: new_key.spki().to_vec(),
        since_at: now,
        until_at: None,
    };
    tx.machine_key_insert(&stored).await?;
    tx.machine_key_end_others(&current.machine, &stored.id, now).await?;
    let change = Change::new(Actor::Program, Action::MachineKeyReplaced, Some(&current.office), &current.machine)
        .with("key_before", &current.key)
        .with("key", &stored.id);
    tx.audit_append(now, &change).await?;
    // So that every server forgets the old key.
    let event = NewEvent::of_machine(EventKind::Machine, &current.office, &current.machine);
    tx.change_append(now, &[event]).await?;
    Ok(())
}
