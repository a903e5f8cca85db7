//! Deciding about machines: confirming, revoking, asking for a check.

use super::By;
use super::roster::link::{Pending, certain_link};
use crate::audit::Action;
use crate::store::change::{ChangeKind, NewChange};
use crate::store::machine::{Machine, MachineStatus};
use crate::store::{Db, StoreResult};

/// Characters of the reason for revoking a machine.
pub const REASON_MOST: usize = 200;

/// Confirms a pending machine, so that it counts. Confirming it again changes nothing; a revoked machine stays revoked.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within scope.
pub async fn machine_confirm(db: &Db, by: &By, id: &str) -> StoreResult<Machine> {
    let mut tx = db.write().await?;
    let confirmed = tx.machine_confirm(&by.scope, id, by.at, &by.name()).await?;
    let machine = tx.machine_require(&by.scope, id).await?;
    if confirmed {
        let change = by.change(Action::MachineConfirmed, Some(&machine.office), subject(&machine));
        let event = NewChange::of_machine(ChangeKind::Machine, &machine.office, id);
        by.conclude(tx, &change, &[event]).await?;
    }
    Ok(machine)
}

/// Revokes a machine: every request of its keys is refused from now on and its held poll ends. `reason` is for the log. When the same
/// computer enrolled anew (its serial number says so), that machine takes over the line of the roster.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within scope.
pub async fn machine_revoke(db: &Db, by: &By, id: &str, reason: &str) -> StoreResult<Machine> {
    let mut tx = db.write().await?;
    let line = tx.roster_line_of_machine(&by.scope, id).await?;
    let revoked = tx.machine_revoke(&by.scope, id, by.at, &by.name(), reason).await?;
    let machine = tx.machine_require(&by.scope, id).await?;
    if revoked {
        if let Some(line) = line {
            certain_link(&mut tx, by, &machine.office, &[&line.id], Pending::Not).await?;
        }
        let change = by.change(Action::MachineRevoked, Some(&machine.office), subject(&machine)).with("reason", reason);
        let events = [
            NewChange::of_machine(ChangeKind::Revoked, &machine.office, id),
            NewChange::of_office(ChangeKind::Roster, &machine.office),
        ];
        by.conclude(tx, &change, &events).await?;
    }
    Ok(machine)
}

/// Asks a machine to check itself now; a revoked one is not asked. While it was not done, asking again adds nothing.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within scope.
pub async fn machine_check(db: &Db, by: &By, id: &str) -> StoreResult<Machine> {
    let mut tx = db.write().await?;
    let machine = tx.machine_require(&by.scope, id).await?;
    if machine.status != MachineStatus::Revoked {
        tx.machine_order_check(&by.scope, id, by.at, &by.name()).await?;
        let change = by.change(Action::CheckOrdered, Some(&machine.office), subject(&machine));
        let event = NewChange::of_machine(ChangeKind::Ordered, &machine.office, id);
        by.conclude(tx, &change, &[event]).await?;
    }
    Ok(machine)
}

fn subject(machine: &Machine) -> String {
    format!("{} {}", machine.id, machine.name)
}
