//! Making offices.

use super::By;
use crate::audit::Action;
use crate::store::change::{ChangeKind, NewChange};
use crate::store::office::{Office, OfficeKind};
use crate::store::{Db, StoreResult, new_id};

/// How long a new office is being set up (đang khởi tạo): a score, no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// The policy's days after the first enrolment.
    OfPolicy,
    /// Until this instant; milliseconds UTC.
    Until(i64),
    /// Not at all: for a quickstart, and for offices whose machines are known.
    Over,
}

/// A new office.
#[derive(Clone, Debug)]
pub struct NewOffice {
    /// As people write it.
    pub name: String,
    /// What it is.
    pub kind: OfficeKind,
    /// The office above; a root when absent.
    pub parent: Option<String>,
    /// How long it is being set up.
    pub set_up: SetUp,
}

/// Adds an office.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when the office above is not within scope.
pub async fn office_add(db: &Db, by: &By, new: &NewOffice) -> StoreResult<Office> {
    let office = Office {
        id: new_id(),
        parent: new.parent.clone(),
        name: new.name.trim().to_owned(),
        kind: new.kind,
        created_at: by.at,
        setup_until_at: match new.set_up {
            SetUp::OfPolicy => None,
            SetUp::Until(at) => Some(at),
            SetUp::Over => Some(by.at),
        },
    };
    let mut tx = db.write().await?;
    tx.office_insert(&by.scope, &office).await?;
    let change = by
        .change(Action::OfficeAdded, Some(&office.id), format!("{} {}", office.id, office.name))
        .with("kind", office.kind);
    let event = NewChange::of_office(ChangeKind::Roster, &office.id);
    by.conclude(tx, &change, &[event]).await?;
    Ok(office)
}
