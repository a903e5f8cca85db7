//! Looks at what machines reported: a person sees it only once an entry of the audit log says so. An entry names the person, what was
//! looked at, and the basis on which, which is empty while no role has to state one.

use super::By;
use crate::app::App;
use crate::app::looks::LookNotEntered;
use crate::audit::{Action, Change};
use crate::store::machine::Machine;
use crate::store::office::Office;
use crate::store::{Db, StoreResult};

/// Enters a look at a machine's page, in the session of this name. The same look within a quarter of an hour has its entry already.
///
/// # Errors
/// It could not be stored: the page must not be shown.
pub async fn machine_look(app: &App, by: &By, session: &str, machine: &Machine) -> Result<(), LookNotEntered> {
    app.looks.enter(session, of_machine(by, machine)).await
}

/// Enters a look at one machine by a command.
///
/// # Errors
/// It could not be stored: nothing must be shown.
pub async fn machine_look_now(db: &Db, by: &By, machine: &Machine) -> StoreResult<()> {
    enter_now(db, by, &of_machine(by, machine)).await
}

/// Enters a look at the outcomes of all machines of an office.
///
/// # Errors
/// It could not be stored: nothing must be shown.
pub async fn office_look(db: &Db, by: &By, office: &Office) -> StoreResult<()> {
    enter_now(db, by, &look(by, &office.id, format!("{} {}", office.id, office.name), "machines")).await
}

async fn enter_now(db: &Db, by: &By, change: &Change) -> StoreResult<()> {
    let mut tx = db.write().await?;
    tx.audit_append(by.at, change).await?;
    tx.commit().await
}

fn of_machine(by: &By, machine: &Machine) -> Change {
    look(by, &machine.office, format!("{} {}", machine.id, machine.name), "machine")
}

fn look(by: &By, office: &str, subject: String, of: &str) -> Change {
    by.change(Action::DetailViewed, Some(office), subject).with("of", of).with("basis", "")
}
