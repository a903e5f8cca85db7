//! A machine that asks for something, over the wire or by file: who it is according to the store right now, so that a revocation
//! counts from the next request; how often it may ask; and why it is refused.

mod refusal;

use protocol::{Assignment, Role};

use crate::app::App;
use crate::bound::rate::Rate;
use crate::ingest::Reason;
use crate::store::machine::key::Peer as StoredPeer;
use crate::store::machine::{MachineStatus, Role as StoredRole};
use crate::store::{Noun, Scope, StoreError, Tx};

pub use refusal::{CallerError, Refusal};

/// The machine that sent a request: its certificate was checked, its key is in use and it is not revoked. Placed
/// in the extensions of every request over the wire except enrolment and renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub StoredPeer);

impl std::ops::Deref for Caller {
    type Target = StoredPeer;

    fn deref(&self) -> &StoredPeer {
        &self.0
    }
}

/// Whether `machine` may send one more request now. Checked before the store is queried.
///
/// # Errors
/// A retryable refusal when it sends too often.
pub fn rate_check(app: &App, machine: &str) -> Result<(), CallerError> {
    rate_take(app, &app.allowances.requests, machine)
}

/// Takes one from the allowance of `machine`.
///
/// # Errors
/// A retryable refusal when nothing is left.
pub fn rate_take(app: &App, rate: &Rate, machine: &str) -> Result<(), CallerError> {
    if rate.take(machine, app.clock.steady()) {
        return Ok(());
    }
    app.ingest.counters.count(app.clock.now_ms(), Reason::TooManyRequests, machine, "the allowance is used up");
    Err(Refusal::Reports(Reason::TooManyRequests).into())
}

/// Checks that the stored owner of a key may act as `machine`.
///
/// # Errors
/// A final refusal.
pub fn caller_check(stored: Option<StoredPeer>, machine: &str) -> Result<Caller, CallerError> {
    let stored = stored.filter(|stored| stored.machine == machine).ok_or(Refusal::UnknownMachine)?;
    if stored.status == MachineStatus::Revoked {
        return Err(Refusal::Revoked.into());
    }
    if stored.until_at.is_some() {
        return Err(Refusal::KeyReplaced.into());
    }
    Ok(Caller(stored))
}

/// The current key of a machine, if it has one.
///
/// # Errors
/// The database fails.
pub async fn key_in_use(tx: &mut Tx, machine: &str) -> anyhow::Result<Option<StoredPeer>> {
    for key in tx.machine_key_list(machine).await?.into_iter().rev() {
        if key.until_at.is_none() {
            return Ok(tx.machine_peer(&key.id).await?);
        }
    }
    Ok(None)
}

/// What the server decided about a machine, as sent in answers to it.
///
/// # Errors
/// The database fails, or the office is gone.
pub async fn assignment(app: &App, tx: &mut Tx, caller: &StoredPeer) -> Result<Assignment, StoreError> {
    let office = tx.office_get(&Scope::whole(), &caller.office).await?;
    let office = office.ok_or_else(|| StoreError::not_found(Noun::Office, &caller.office))?;
    Ok(Assignment {
        office: office.name,
        role: match caller.role {
            StoredRole::Workstation => Role::Workstation,
            StoredRole::Server => Role::Server,
        },
        confirmed: caller.status == MachineStatus::Confirmed,
        policy: app.policies.address(),
    })
}
