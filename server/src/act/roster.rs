//! Writing down which machines an office has, and declaring that the list is complete.

use super::By;
use crate::audit::Action;
use crate::store::change::{ChangeKind, NewChange};
use crate::store::machine::Role;
use crate::store::roster::{Roster, RosterLine, RosterState};
use crate::store::{Db, StoreResult, new_id};

/// A machine an office says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// What the office calls it; a machine that enrols under this name finds its line.
    pub label: String,
    /// Where it stands; may be empty.
    pub room: String,
    /// Who uses it; may be empty.
    pub person: String,
    /// Workstation or server.
    pub role: Role,
}

/// Adds lines to the roster of `office`, all or none.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when the office is not within scope.
pub async fn roster_add(db: &Db, by: &By, office: &str, lines: &[NewLine]) -> StoreResult<Vec<RosterLine>> {
    let mut tx = db.write().await?;
    let mut added = Vec::new();
    for line in lines {
        let line = RosterLine {
            id: new_id(),
            office: office.to_owned(),
            label: line.label.trim().to_owned(),
            room: line.room.trim().to_owned(),
            person: line.person.trim().to_owned(),
            role: line.role,
            state: RosterState::InUse,
            state_by: None,
            state_from_at: None,
            state_until_at: None,
            machine: None,
            created_at: by.at,
            removed_at: None,
        };
        tx.roster_line_insert(&by.scope, &line).await?;
        let change =
            by.change(Action::RosterAdded, Some(office), format!("{} {}", line.id, line.label)).with("role", line.role);
        tx.audit_append(by.at, &change).await?;
        added.push(line);
    }
    tx.change_append(by.at, &[NewChange::of_office(ChangeKind::Roster, office)]).await?;
    tx.commit().await?;
    Ok(added)
}

/// Declares that the roster of `office` is complete. `secret_machines` is how many machines for state secrets it has besides:
/// their count is all that is ever recorded of them.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when the office is not within scope.
pub async fn roster_declare(db: &Db, by: &By, office: &str, secret_machines: u32) -> StoreResult<Roster> {
    let roster = Roster {
        office: office.to_owned(),
        declared_at: by.at,
        declared_by: by.name(),
        secret_machines: secret_machines.into(),
    };
    let mut tx = db.write().await?;
    tx.roster_declare(&by.scope, &roster).await?;
    let lines = tx.roster_line_list(&by.scope, office).await?.len();
    let change = by.change(Action::RosterDeclared, Some(office), office).with("lines", lines);
    by.conclude(tx, &change, &[NewChange::of_office(ChangeKind::Roster, office)]).await?;
    Ok(roster)
}
