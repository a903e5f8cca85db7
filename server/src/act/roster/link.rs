//! Linking a roster line to an enrolled machine, so that it counts once.

use super::refusal::{Refusal, RosterError};
use super::{line_find, subject};
use crate::act::By;
use crate::audit::Action;
use crate::roster::{certain, known_list};
use crate::store::machine::{Machine, MachineStatus};
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::roster::RosterLine;
use crate::store::{Db, StoreResult, Tx};

/// Start of the reason for which a reinstalled machine is revoked, in the store and the audit log; the new machine's id follows. Pages
/// show it in the reader's language.
pub(crate) const REPLACED: &str = "cài lại, thay bằng máy ";

/// Whether a pending machine may be linked without an officer looking at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// It may: the officer has just entered its serial number.
    Too,
    /// It stays pending.
    Not,
}

/// Links a line to an enrolled machine and thereby confirms the machine. Linking the same two again changes nothing. With `replace` the
/// machine that has the line is revoked: a reinstalled computer is a new machine in its old line.
///
/// # Errors
/// Line or machine is not within scope or not of `office`, the machine is revoked or has another line, the line has another machine and
/// `replace` was not given, or their roles differ.
pub async fn roster_link(
    db: &Db,
    by: &By,
    office: &str,
    line: &str,
    machine: &str,
    replace: bool,
) -> Result<RosterLine, RosterError> {
    let mut tx = db.write().await?;
    let line = line_find(&mut tx, by, office, line).await?;
    let machine = tx.machine_require(&by.scope, machine).await?;
    if machine.office != office {
        return Err(Refusal::OtherOffice.into());
    }
    if line.machine.as_ref() == Some(&machine.id) {
        return Ok(line);
    }
    if machine.status == MachineStatus::Revoked {
        return Err(Refusal::Revoked.into());
    }
    if let Some(other) = tx.roster_line_of_machine(&by.scope, &machine.id).await? {
        return Err(Refusal::HasLine(other.label).into());
    }
    if machine.role != line.role {
        return Err(Refusal::OtherRole.into());
    }
    let mut events = vec![NewEvent::of_office(EventKind::Roster, office)];
    if let Some(old) = &line.machine {
        if !replace {
            return Err(Refusal::LineTaken(old.clone()).into());
        }
        let reason = format!("{REPLACED}{}", machine.id);
        tx.machine_revoke(&by.scope, old, by.at, &by.name(), &reason).await?;
        let old = tx.machine_require(&by.scope, old).await?;
        let change = by.change(Action::MachineRevoked, Some(office), format!("{} {}", old.id, old.name));
        tx.audit_append(by.at, &change.with("reason", reason)).await?;
        events.push(NewEvent::of_machine(EventKind::Revoked, office, &old.id));
    }
    let line = tie(&mut tx, by, &line, &machine, "person").await?;
    events.push(NewEvent::of_machine(EventKind::Machine, office, &machine.id));
    tx.change_append(by.at, &events).await?;
    tx.commit().await?;
    Ok(line)
}

/// Frees a line from its machine, which stays enrolled and counts without a line.
///
/// # Errors
/// The line is not within scope, or has no machine.
pub async fn roster_unlink(db: &Db, by: &By, office: &str, line: &str) -> Result<RosterLine, RosterError> {
    let mut tx = db.write().await?;
    let line = line_find(&mut tx, by, office, line).await?;
    let Some(machine) = &line.machine else { return Err(Refusal::NotLinked.into()) };
    tx.roster_line_machine_set(&by.scope, &line.id, None).await?;
    tx.machine_line_forget(&by.scope, machine).await?;
    let change = by.change(Action::RosterUnlinked, Some(office), subject(&line)).with("machine", machine);
    by.conclude(tx, &change, &[NewEvent::of_office(EventKind::Roster, office)]).await?;
    Ok(RosterLine { machine: None, ..line })
}

/// Links those of the `lines` (ids) of an office whose serial number identifies the machine beyond doubt. The caller publishes the
/// events and commits.
pub(crate) async fn certain_link(
    tx: &mut Tx,
    by: &By,
    office: &str,
    lines: &[&str],
    pending: Pending,
) -> StoreResult<Vec<RosterLine>> {
    let roster = tx.roster_line_list(&by.scope, office).await?;
    let known = known_list(tx, &by.scope, office).await?;
    let mut linked = Vec::new();
    for (line, known) in certain(&roster, &known) {
        let machine = &known.machine;
        let admitted = machine.status == MachineStatus::Confirmed || pending == Pending::Too;
        if admitted && lines.contains(&line.id.as_str()) {
            linked.push(tie(tx, by, &line, machine, "serial").await?);
            tx.change_append(by.at, &[NewEvent::of_machine(EventKind::Machine, office, &machine.id)]).await?;
        }
    }
    Ok(linked)
}

/// Links a free line to a machine without a line, confirms the machine, and records both.
async fn tie(tx: &mut Tx, by: &By, line: &RosterLine, machine: &Machine, why: &str) -> StoreResult<RosterLine> {
    tx.roster_line_machine_set(&by.scope, &line.id, Some(&machine.id)).await?;
    let office = Some(line.office.as_str());
    let mut change =
        by.change(Action::RosterLinked, office, subject(line)).with("machine", &machine.id).with("by", why);
    if let Some(old) = &line.machine {
        change = change.with("before", old);
    }
    tx.audit_append(by.at, &change).await?;
    if tx.machine_confirm(&by.scope, &machine.id, by.at, &by.name()).await? {
        let change = by.change(Action::MachineConfirmed, office, format!("{} {}", machine.id, machine.name));
        tx.audit_append(by.at, &change).await?;
    }
    Ok(RosterLine { machine: Some(machine.id.clone()), ..line.clone() })
}
