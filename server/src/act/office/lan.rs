//! Approving gateways and DNS servers of an office, and taking them off its list.

use policies::office::{AddressRange, RangeError};
use policies::text;
use policies::text::Text;

use crate::act::By;
use crate::audit::Action;
use crate::error::UserError;
use crate::store::approved_address::{AddressKind, ApprovedAddress};
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::text::is_storable;
use crate::store::{Db, Scope, StoreError, new_id};

/// The most addresses that hold for an office: more would be no list that a person keeps.
pub const MOST_APPROVED: usize = 100;
/// The longest name of a document, in characters.
const LONGEST_DOCUMENT: usize = 200;

/// A change of the lists of one office. Addresses are as typed.
#[derive(Clone, Debug, Default)]
pub struct LanChange {
    /// What is approved.
    pub add: Vec<(AddressKind, String)>,
    /// What is taken off.
    pub remove: Vec<(AddressKind, String)>,
    /// Number and date of the document that approves; may be empty.
    pub document: String,
}

/// Why the lists were not changed.
#[derive(Debug)]
pub enum LanError {
    /// A rule forbids it.
    Refused(Refusal),
    /// The office is not within scope, or the database failed.
    Store(StoreError),
}

/// The rule that forbids a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An address cannot be approved.
    Address(RangeError),
    /// Nothing is added or removed.
    Nothing,
    /// It is approved already.
    Twice(String),
    /// It is not on the office's own list.
    NotThere(String),
    /// The list is full.
    Full,
    /// The document's name is too long or holds a character that cannot be kept.
    Document,
}

impl From<Refusal> for LanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for LanError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LanError> for anyhow::Error {
    fn from(error: LanError) -> Self {
        match error {
            LanError::Refused(refusal) => UserError::from(refusal.text()).into(),
            LanError::Store(error) => error.into(),
        }
    }
}

impl Refusal {
    /// What the person reads.
    pub fn text(&self) -> Text {
        match self {
            Self::Address(error) => error.text(),
            Self::Nothing => Text::new("Chưa ghi địa chỉ nào.", "No address is given."),
            Self::Twice(address) => text!("{0} đã có trong danh sách.", "{0} is on the list already.", address),
            Self::NotThere(address) => text!(
                "{0} không có trong danh sách của chính cơ quan này. Nếu địa chỉ theo danh sách của cấp trên, hãy sửa ở cấp trên.",
                "{0} is not on this office's own list. If it is on the list of an office above, change it there.",
                address
            ),
            Self::Full => text!(
                "Danh sách đã có {0} địa chỉ, không thêm được nữa. Hãy gộp các địa chỉ thành dải.",
                "The list holds {0} addresses and can take no more. Join some of them into a range.",
                MOST_APPROVED
            ),
            Self::Document => text!(
                "Số và ngày văn bản dài quá {0} ký tự hoặc có ký tự không lưu được.",
                "Number and date of the document are longer than {0} characters or hold one that cannot be kept.",
                LONGEST_DOCUMENT
            ),
        }
    }
}

/// Changes the lists of an office, all of it or nothing. The offices below that have no list of their own follow.
///
/// # Errors
/// The office is not within scope; an address cannot be approved, is on the list already or is not on it; the list is full; the document
/// cannot be kept.
pub async fn office_lan_change(db: &Db, by: &By, office: &str, change: &LanChange) -> Result<(), LanError> {
    let document = change.document.trim();
    if document.chars().count() > LONGEST_DOCUMENT || !is_storable(document) {
        return Err(Refusal::Document.into());
    }
    if change.add.is_empty() && change.remove.is_empty() {
        return Err(Refusal::Nothing.into());
    }
    let mut tx = db.write().await?;
    // Two people who add at once wait for each other.
    tx.roster_hold(&by.scope, office).await?;
    let name = tx.office_get(&by.scope, office).await?.map(|office| office.name).unwrap_or_default();
    let subject = format!("{office} {name}");
    for (kind, typed) in &change.remove {
        let holding = tx.approved_address_in_force(&by.scope, office).await?;
        // What earlier versions allowed or wrote in another way is taken off as it stands.
        let address = match holding.iter().any(|entry| entry.kind == *kind && entry.address == typed.trim()) {
            true => typed.trim().to_owned(),
            false => written(typed)?,
        };
        if !tx.approved_address_remove(&by.scope, office, (*kind, &address), by.at, &by.name()).await? {
            return Err(Refusal::NotThere(address).into());
        }
        let entry = by.change(Action::OfficeLanRemoved, Some(office), &*subject).with("address", &address);
        tx.audit_append(by.at, &entry.with("as", kind)).await?;
    }
    for (kind, typed) in &change.add {
        let address = written(typed)?;
        let holding = tx.approved_address_in_force(&by.scope, office).await?;
        let own = holding.iter().filter(|entry| entry.office == office && entry.kind == *kind);
        if own.clone().any(|entry| entry.address == address) {
            return Err(Refusal::Twice(address).into());
        }
        if own.count() >= MOST_APPROVED {
            return Err(Refusal::Full.into());
        }
        let approved = ApprovedAddress {
            id: new_id(),
            office: office.to_owned(),
            kind: *kind,
            address,
            document: document.to_owned(),
            added_at: by.at,
            added_by: by.name(),
            removed_at: None,
            removed_by: None,
        };
        tx.approved_address_insert(&by.scope, &approved).await?;
        let mut entry = by.change(Action::OfficeLanAdded, Some(office), &*subject).with("address", &approved.address);
        if !document.is_empty() {
            entry = entry.with("document", document);
        }
        tx.audit_append(by.at, &entry.with("as", kind)).await?;
    }
    let below = tx.office_list(&Scope::office(office)).await?;
    let events: Vec<NewEvent> = below.iter().map(|office| NewEvent::of_office(EventKind::Roster, &office.id)).collect();
    tx.change_append(by.at, &events).await?;
    tx.commit().await?;
    Ok(())
}

/// An address in the one way the store writes it.
fn written(typed: &str) -> Result<String, Refusal> {
    typed.parse::<AddressRange>().map(|range| range.to_string()).map_err(Refusal::Address)
}

#[cfg(test)]
mod tests;
