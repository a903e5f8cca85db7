//! Decisions about machines: confirming, revoking, ordering a check, changing their role or office.

use policies::text;

use super::By;
use super::roster::link::{Pending, certain_link};
use super::waiver::waivers_withdraw;
use crate::audit::Action;
use crate::error::UserError;
use crate::store::machine::{Machine, MachineStatus, Role};
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::{Db, StoreResult, Tx};

/// Maximum characters of the reason for revoking a machine.
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
        let event = NewEvent::of_machine(EventKind::Machine, &machine.office, id);
        by.conclude(tx, &change, &[event]).await?;
    }
    Ok(machine)
}

/// Revokes a machine: every request of its keys is refused from now on and its held poll ends. `reason` is for the log. When the same
/// computer has enrolled again (known by its serial number), that machine takes over the line of the roster.
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
            NewEvent::of_machine(EventKind::Revoked, &machine.office, id),
            NewEvent::of_office(EventKind::Roster, &machine.office),
        ];
        by.conclude(tx, &change, &events).await?;
    }
    Ok(machine)
}

/// Asks a machine to check itself now; a revoked one is not asked. Asking again before it is done adds nothing.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within scope.
pub async fn machine_check(db: &Db, by: &By, id: &str) -> StoreResult<Machine> {
    let mut tx = db.write().await?;
    let machine = tx.machine_require(&by.scope, id).await?;
    if machine.status != MachineStatus::Revoked {
        tx.machine_order_check(&by.scope, id, by.at, &by.name()).await?;
        let change = by.change(Action::CheckOrdered, Some(&machine.office), subject(&machine));
        let event = NewEvent::of_machine(EventKind::Ordered, &machine.office, id);
        by.conclude(tx, &change, &[event]).await?;
    }
    Ok(machine)
}

/// Gives a machine another role, and its line of the roster with it: it is judged by the other controls from now on. Its waivers end,
/// because they were granted under other controls.
///
/// # Errors
/// It is not within scope, is revoked, or the database fails.
pub async fn machine_role(db: &Db, by: &By, id: &str, role: Role) -> anyhow::Result<Machine> {
    let mut tx = db.write().await?;
    let machine = live(&mut tx, by, id).await?;
    if machine.role == role {
        return Ok(machine);
    }
    waivers_withdraw(&mut tx, by, &machine).await?;
    tx.machine_role_set(&by.scope, id, role).await?;
    let change = by.change(Action::MachineRoleChanged, Some(&machine.office), subject(&machine)).with("role", role);
    by.conclude(tx, &change, &[NewEvent::of_machine(EventKind::Machine, &machine.office, id)]).await?;
    Ok(Machine { role, ..machine })
}

/// Moves a machine to another office, where it counts from now on. Its line in the old roster stays, without a machine; its waivers
/// end, because they were granted by someone above the old office. Both offices get a log entry.
///
/// # Errors
/// Machine or office is not within scope, the machine is revoked, or the database fails.
pub async fn machine_move(db: &Db, by: &By, id: &str, office: &str) -> anyhow::Result<Machine> {
    let mut tx = db.write().await?;
    let machine = live(&mut tx, by, id).await?;
    if machine.office == office {
        return Ok(machine);
    }
    waivers_withdraw(&mut tx, by, &machine).await?;
    tx.machine_move(&by.scope, id, office).await?;
    for (of, name, other) in [(&*machine.office, "to", office), (office, "from", &machine.office)] {
        let other = tx.office_get(&by.scope, other).await?.map(|other| format!("{} {}", other.id, other.name));
        let change = by.change(Action::MachineMoved, Some(of), subject(&machine));
        tx.audit_append(by.at, &change.with(name, other.unwrap_or_default())).await?;
    }
    let events =
        [NewEvent::of_office(EventKind::Roster, &machine.office), NewEvent::of_machine(EventKind::Machine, office, id)];
    tx.change_append(by.at, &events).await?;
    tx.commit().await?;
    Ok(Machine { office: office.to_owned(), ..machine })
}

/// Settles which of two computers with one key keeps it: the one whose report comes next, so make the other enrol again first. From
/// that report on the machine is judged again.
///
/// # Errors
/// It is not within scope, is revoked, shows no sign of a second computer, or the database fails.
pub async fn machine_settle(db: &Db, by: &By, id: &str) -> anyhow::Result<Machine> {
    let mut tx = db.write().await?;
    let machine = live(&mut tx, by, id).await?;
    let Some(why) = machine.clone_why.as_ref().filter(|_| machine.clone_at.is_some()) else {
        return Err(UserError::from(text!(
            "Máy {id} không có dấu hiệu hai máy dùng chung một khoá; không có gì để quyết định.",
            "The machine {id} shows no sign of two computers with one key; there is nothing to settle."
        ))
        .into());
    };
    tx.machine_clone_settle(&by.scope, id).await?;
    let change = by.change(Action::MachineSettled, Some(&machine.office), subject(&machine)).with("reason", why);
    by.conclude(tx, &change, &[NewEvent::of_machine(EventKind::Machine, &machine.office, id)]).await?;
    Ok(Machine { clone_at: None, clone_why: None, ..machine })
}

/// A machine that is not revoked.
async fn live(tx: &mut Tx, by: &By, id: &str) -> anyhow::Result<Machine> {
    let machine = tx.machine_require(&by.scope, id).await?;
    if machine.status == MachineStatus::Revoked { Err(revoked(id).into()) } else { Ok(machine) }
}

/// The error for any act on a revoked machine.
pub fn revoked(id: &str) -> UserError {
    UserError::from(text!(
        "Máy {id} đã bị thu hồi; máy phải đăng ký lại bằng mã đăng ký máy mới.",
        "The machine {id} is revoked; it must enrol again with a new token."
    ))
}

fn subject(machine: &Machine) -> String {
    format!("{} {}", machine.id, machine.name)
}

#[cfg(test)]
mod tests;
