//! Adding and renaming offices, and setting how long they are being set up.

pub mod lan;

use super::By;
use crate::audit::Action;
use crate::error::UserError;
use crate::store::office::{Office, OfficeKind};
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::{Db, Noun, Scope, StoreError, StoreResult, new_id};

/// The longest setup period of an office from now, in milliseconds: a year.
const SETUP_MOST_MS: i64 = 366 * 24 * 60 * 60 * 1000;

/// How long a new office is being set up (đang khởi tạo): a score, no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// The policy's days after the first enrolment.
    OfPolicy,
    /// Until this instant; milliseconds UTC.
    Until(i64),
    /// Not at all: for a quickstart and for offices whose machines are known.
    Over,
}

/// A new office.
#[derive(Clone, Debug)]
pub struct NewOffice {
    /// Its display name.
    pub name: String,
    /// Its level in the tree.
    pub kind: OfficeKind,
    /// The parent office; `None` makes a root.
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
    let event = NewEvent::of_office(EventKind::Roster, &office.id);
    by.conclude(tx, &change, &[event]).await?;
    Ok(office)
}

/// Gives an office another name. The same name again changes nothing.
///
/// # Errors
/// It is not within scope, the name is empty, or the database fails.
pub async fn office_rename(db: &Db, by: &By, id: &str, name: &str) -> anyhow::Result<Office> {
    let name = name.trim();
    if name.is_empty() {
        return Err(
            UserError::new("Tên cơ quan không được để trống.", "The name of an office must not be empty.").into()
        );
    }
    let mut tx = db.write().await?;
    let before = tx.office_get(&by.scope, id).await?.ok_or_else(|| StoreError::not_found(Noun::Office, id))?;
    if before.name == name {
        return Ok(before);
    }
    tx.office_rename(&by.scope, id, name).await?;
    let office = Office { name: name.to_owned(), ..before.clone() };
    let change = by
        .change(Action::OfficeChanged, Some(id), format!("{id} {name}"))
        .with("name", name)
        .with("before", &before.name);
    by.conclude(tx, &change, &[NewEvent::of_office(EventKind::Roster, id)]).await?;
    Ok(office)
}

/// Sets until when an office and all below it are being set up: a score, no letter. Only someone above the office may do so, or it could
/// hide its letter. Returns the offices this changed.
///
/// # Errors
/// It is not within scope, the person does not stand above it, the end has passed or lies more than a year ahead, or the database fails.
pub async fn office_setup(db: &Db, by: &By, id: &str, set_up: SetUp) -> anyhow::Result<Vec<Office>> {
    let until_at = match set_up {
        SetUp::OfPolicy => None,
        SetUp::Until(at) if at <= by.at => {
            return Err(UserError::new(
                "Ngày cuối của thời gian khởi tạo đã qua. Hãy chọn ngày từ hôm nay trở đi, hoặc dùng --over để xếp loại ngay.",
                "The last day of being set up has passed. Choose today or a later day, or use --over to give a letter at once.",
            )
            .into());
        }
        SetUp::Until(at) if at > by.at.saturating_add(SETUP_MOST_MS) => {
            return Err(UserError::new(
                "Thời gian khởi tạo dài nhất là một năm. Hãy chọn ngày sớm hơn.",
                "An office may be being set up for at most a year. Choose an earlier day.",
            )
            .into());
        }
        SetUp::Until(at) => Some(at),
        SetUp::Over => Some(by.at),
    };
    let mut tx = db.write().await?;
    tx.office_require(&by.scope, id).await?;
    if !tx.office_is_below(&by.scope, id).await? {
        return Err(UserError::new(
            "Chỉ người thuộc cấp trên của cơ quan mới đặt được thời gian khởi tạo của cơ quan đó.",
            "Only somebody from above an office may say how long it is being set up.",
        )
        .into());
    }
    let (mut changed, mut events) = (Vec::new(), Vec::new());
    for office in tx.office_list(&Scope::office(id)).await? {
        let is_over = set_up == SetUp::Over && office.setup_until_at.is_some_and(|end| end <= by.at);
        if is_over || office.setup_until_at == until_at {
            continue;
        }
        tx.office_setup_set(&by.scope, &office.id, until_at).await?;
        let mut change = by.change(Action::OfficeChanged, Some(&office.id), format!("{} {}", office.id, office.name));
        change = match until_at {
            Some(at) => change.with("setup_until_at", at),
            None => change.with("setup", "policy"),
        };
        tx.audit_append(by.at, &change).await?;
        events.push(NewEvent::of_office(EventKind::Roster, &office.id));
        changed.push(Office { setup_until_at: until_at, ..office });
    }
    tx.change_append(by.at, &events).await?;
    tx.commit().await?;
    Ok(changed)
}

#[cfg(test)]
mod tests;
