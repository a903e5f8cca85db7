//! Recording who brought in a file from a machine without a network. What the file asks for is done as on the wire.

use super::By;
use crate::audit::Action;
use crate::store::machine::Machine;
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::{Db, StoreResult};

/// Records that a person brought a file with a new machine or new `reports` from it.
///
/// # Errors
/// The database fails.
pub async fn file_note(db: &Db, by: &By, machine: &Machine, reports: usize) -> StoreResult<()> {
    let mut tx = db.write().await?;
    tx.contact_import_put(&machine.id, by.at).await?;
    let subject = format!("{} {}", machine.id, machine.name);
    let change = by
        .change(Action::FileImported, Some(&machine.office), subject)
        .with("status", machine.status)
        .with("reports", reports);
    let event = NewEvent::of_machine(EventKind::Machine, &machine.office, &machine.id);
    by.conclude(tx, &change, &[event]).await
}
