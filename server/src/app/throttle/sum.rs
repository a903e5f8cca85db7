//! What is reported about wrong passwords: one line in the log and one entry in the audit log for an account or an address when there are
//! many, and one with the sum when the period ends; never one per mistake.

use std::time::Duration;

use crate::app::App;
use crate::audit::{Action, Actor, Change};
use crate::store::StoreResult;
use crate::store::person::Person;

/// Wrong passwords for one account before they are reported.
pub(super) const ACCOUNT_FROM: u64 = 5;

/// Wrong passwords from one address before they are reported: a whole office may sit behind it.
pub(super) const ADDRESS_FROM: u64 = 20;

/// The owner of an account that somebody tries to enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    login: String,
    office: Option<String>,
    /// The address it was last tried from; empty for a session of the owner.
    address: String,
}

impl Owner {
    /// The owner of an account that somebody tried from `address`.
    pub(crate) fn new(person: &Person, address: impl ToString) -> Self {
        Self { login: person.login.clone(), office: person.office.clone(), address: address.to_string() }
    }
}

/// What mistakes are counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// An account that exists, wherever the attempts come from.
    Account(Owner),
    /// An address (of IPv6: its network), whatever the names.
    Address(String),
}

/// The mistakes of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(super) subject: Subject,
    /// Wrong passwords.
    pub(super) wrong: u64,
    /// Attempts that came too fast and were not checked.
    pub(super) refused: u64,
}

impl Sum {
    /// The audit entry. It names no person as the actor: the person typing was not the owner, or could not prove it.
    fn change(self) -> Change {
        let Self { subject, wrong, refused } = self;
        let change = match subject {
            Subject::Account(Owner { login, office, address }) => {
                let change = Change::new(Actor::Program, Action::LoginThrottled, office.as_deref(), login);
                if address.is_empty() { change } else { change.with("address", address) }
            }
            Subject::Address(address) => Change::new(Actor::Program, Action::LoginThrottled, None, address),
        };
        let change = change.with("failures", wrong);
        if refused > 0 { change.with("refused", refused) } else { change }
    }
}

/// Writes sums into both logs. If the database fails, only the program's log has them: no login waits for that.
pub(crate) async fn sums_write(app: &App, sums: Vec<Sum>) {
    if sums.is_empty() {
        return;
    }
    for Sum { subject, wrong, refused } in &sums {
        match subject {
            Subject::Account(owner) => {
                tracing::warn!(account = owner.login, failures = wrong, refused, "wrong passwords for an account");
            }
            Subject::Address(address) => {
                tracing::warn!(address, failures = wrong, refused, "wrong passwords from an address");
            }
        }
    }
    if let Err(error) = sums_audit(app, sums).await {
        tracing::error!("wrong passwords are not in the audit log: {error:#}", error = anyhow::Error::new(error));
    }
}

async fn sums_audit(app: &App, sums: Vec<Sum>) -> StoreResult<()> {
    let now = app.clock.now_ms();
    let mut tx = app.db.write().await?;
    for sum in sums {
        tx.audit_append(now, &sum.change()).await?;
    }
    tx.commit().await
}

/// How often ended periods are looked for.
pub(crate) const EVERY: Duration = Duration::from_secs(60);
