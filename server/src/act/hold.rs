//! Legal holds (giữ dữ liệu phục vụ vụ việc): what a machine reported in a period is kept for a case, whatever retention says. One person asks
//! that a hold be released, another agrees, and then everything is kept for some years more. A hold outlives the machine's access.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use policies::policy::section_named;
use policies::text;
use policies::text::Text;

use super::By;
use crate::audit::{Action, Change};
use crate::store::hold::gone::Gone;
use crate::store::hold::{HeldSections, Hold, Paper};
use crate::store::machine::Machine;
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::{Db, StoreError, StoreResult, Tx, new_id};

/// The longest reason or part of a document's name, in characters.
pub const TEXT_MOST: usize = 300;
/// How long everything is kept after a release.
const YEARS_AFTER: i64 = 5;

/// Why nothing was done about a hold.
#[derive(Debug)]
pub enum HoldError {
    /// A rule forbids it: what happened and what to do.
    Refused(Text),
    /// It is not within scope, or the database failed.
    Store(StoreError),
}

impl From<StoreError> for HoldError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A hold to make.
#[derive(Clone, Debug)]
pub struct NewHold {
    /// The machine.
    pub machine: String,
    /// The beginning of the period, milliseconds UTC.
    pub from_at: i64,
    /// Its end; `None` while it goes on.
    pub until_at: Option<i64>,
    /// Names of sections; none for all.
    pub sections: Vec<String>,
    /// The document that orders it.
    pub paper: Paper,
}

/// Makes a hold: from now on nothing of it is removed. Also says what was removed before.
///
/// # Errors
/// The machine is not within scope, the period ends before it begins, a section does not exist, the document is not named, or the database
/// fails.
pub async fn hold_make(db: &Db, by: &By, new: &NewHold) -> Result<(Hold, Gone), HoldError> {
    if new.until_at.is_some_and(|until| until <= new.from_at) {
        return Err(HoldError::Refused(text!(
            "Ngày cuối của khoảng thời gian cần giữ đứng trước ngày đầu. Hãy xem lại --from và --to.",
            "The last day of the period lies before its first. Look at --from and --to."
        )));
    }
    let mut sections = Vec::new();
    for name in &new.sections {
        let section = section_named(name.trim()).map_err(|sentence| {
            let mut text = text!("Chưa giữ được: ", "Not held: ");
            text.append(&sentence);
            let end = if sentence.en.ends_with('?') { "" } else { "." };
            text.push(end, end);
            HoldError::Refused(text)
        })?;
        sections.push(section.name().to_owned());
    }
    sections.sort_unstable();
    sections.dedup();
    let hold = Hold {
        id: new_id(),
        machine: new.machine.clone(),
        from_at: new.from_at,
        until_at: new.until_at,
        sections: HeldSections(sections),
        paper: Paper {
            number: named(&new.paper.number)?,
            date: new.paper.date.clone(),
            issuer: named(&new.paper.issuer)?,
        },
        made_at: by.at,
        made_by: by.name(),
        asked_at: None,
        asked_by: None,
        asked_why: None,
        released_at: None,
        released_by: None,
        kept_until_at: None,
    };
    let mut tx = db.write().await?;
    let machine = tx.machine_require(&by.scope, &new.machine).await?;
    tx.hold_insert(&by.scope, &hold).await?;
    let gone = tx.hold_gone(&hold).await?;
    let mut change = change(by, Action::HoldMade, &machine, &hold).with("period_from_at", hold.from_at);
    if let Some(until) = hold.until_at {
        change = change.with("period_until_at", until);
    }
    if !hold.sections.0.is_empty() {
        change = change.with("sections", hold.sections.0.join(" "));
    }
    if !gone.is_empty() {
        change = change.with("gone", gone_counted(&gone));
    }
    conclude(tx, by, &machine, &change).await?;
    Ok((hold, gone))
}

/// Asks that a hold be released; it stays until another person agrees.
///
/// # Errors
/// It is not within scope, somebody asked before, it is released, the reason is missing, or the database fails.
pub async fn hold_release_ask(db: &Db, by: &By, id: &str, why: &str) -> Result<Hold, HoldError> {
    let (mut tx, machine, hold) = live(db, by, id).await?;
    let why = reason(why)?;
    if let Some(other) = &hold.asked_by {
        return Err(HoldError::Refused(text!(
            "{other} đã đề nghị thôi giữ; còn chờ người thứ hai đồng ý: posture-server hold agree {id}",
            "{other} has asked for the release; a second person must agree: posture-server hold agree {id}"
        )));
    }
    if !tx.hold_ask(id, Some((by.at, &by.name(), &why))).await? {
        return Err(changed());
    }
    let change = change(by, Action::HoldReleaseAsked, &machine, &hold).with("reason", why);
    let hold = tx.hold_require(&by.scope, id).await?;
    conclude(tx, by, &machine, &change).await?;
    Ok(hold)
}

/// Agrees that a hold be released, as a second person. Everything it is about is kept for five years more.
///
/// # Errors
/// It is not within scope, nobody asked, the same person did, the person does not stand above the machine's office, or the database fails.
pub async fn hold_release_agree(db: &Db, by: &By, id: &str) -> Result<Hold, HoldError> {
    let (mut tx, machine, hold) = live(db, by, id).await?;
    let Some(asked_by) = hold.asked_by.clone() else {
        return Err(HoldError::Refused(text!(
            "Chưa ai đề nghị thôi giữ. Hãy đề nghị trước: posture-server hold release {id} --reason ...",
            "Nobody has asked for the release. Ask first: posture-server hold release {id} --reason ..."
        )));
    };
    if asked_by == by.name() {
        return Err(HoldError::Refused(text!(
            "{asked_by} đã đề nghị thôi giữ nên không được tự đồng ý. Hãy để người thứ hai, dùng tài khoản khác, thực hiện.",
            "{asked_by} asked for the release and must not agree to it. Leave it to a second person with another account."
        )));
    }
    if !tx.office_is_below(&by.scope, &machine.office).await? {
        return Err(HoldError::Refused(text!(
            "Chỉ người thuộc cấp trên của cơ quan có máy mới được đồng ý thôi giữ.",
            "Only somebody from above the machine's office may agree to the release."
        )));
    }
    let kept_until_at = years_after(by.at);
    if !tx.hold_release(id, by.at, &by.name(), kept_until_at).await? {
        return Err(changed());
    }
    let hold = tx.hold_require(&by.scope, id).await?;
    let change = change(by, Action::HoldReleased, &machine, &hold)
        .with("asked_by", asked_by)
        .with("reason", hold.asked_why.clone().unwrap_or_default())
        .with("kept_until_at", kept_until_at);
    conclude(tx, by, &machine, &change).await?;
    Ok(hold)
}

/// Keeps a hold whose release was asked for.
///
/// # Errors
/// It is not within scope, nobody asked, it is released, or the database fails.
pub async fn hold_keep(db: &Db, by: &By, id: &str) -> Result<Hold, HoldError> {
    let (mut tx, machine, hold) = live(db, by, id).await?;
    if !tx.hold_ask(id, None).await? {
        return Err(HoldError::Refused(text!(
            "Không có đề nghị thôi giữ nào đang chờ; dữ liệu vẫn được giữ.",
            "No request for the release is waiting; everything is held as before."
        )));
    }
    let change = change(by, Action::HoldKept, &machine, &hold);
    let hold = tx.hold_require(&by.scope, id).await?;
    conclude(tx, by, &machine, &change).await?;
    Ok(hold)
}

/// A hold that is not released, with its machine.
async fn live(db: &Db, by: &By, id: &str) -> Result<(Tx, Machine, Hold), HoldError> {
    let mut tx = db.write().await?;
    let hold = tx.hold_require(&by.scope, id).await?;
    if hold.released_at.is_some() {
        return Err(HoldError::Refused(text!("Đã thôi giữ từ trước.", "The hold was released before.")));
    }
    let machine = tx.machine_require(&by.scope, &hold.machine).await?;
    Ok((tx, machine, hold))
}

fn changed() -> HoldError {
    HoldError::Refused(text!(
        "Có người khác vừa thay đổi yêu cầu giữ dữ liệu này. Hãy xem lại: posture-server hold list",
        "Somebody else has just changed this hold. Look again: posture-server hold list"
    ))
}

fn reason(text: &str) -> Result<String, HoldError> {
    bounded(text).ok_or_else(|| {
        HoldError::Refused(text!(
            "Hãy ghi lý do, không quá {TEXT_MOST} ký tự.",
            "Give a reason of at most {TEXT_MOST} characters."
        ))
    })
}

/// The number or the issuer of a document.
fn named(text: &str) -> Result<String, HoldError> {
    bounded(text).ok_or_else(|| {
        HoldError::Refused(text!(
            "Giữ dữ liệu phải có văn bản: hãy ghi số, ký hiệu và cơ quan ban hành, mỗi mục không quá {TEXT_MOST} ký tự.",
            "A hold needs a document: give its number and who issued it, each in at most {TEXT_MOST} characters."
        ))
    })
}

fn bounded(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= TEXT_MOST).then(|| text.to_owned())
}

fn years_after(at: i64) -> i64 {
    let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC);
    at.saturating_add(YEARS_AFTER.years()).timestamp().as_millisecond()
}

/// What is gone, for the log: sections and headers with their numbers.
fn gone_counted(gone: &Gone) -> String {
    let bodies = gone.bodies.iter().map(|(section, span)| format!("{section} {}", span.count));
    bodies.chain(gone.headers.map(|span| format!("header {}", span.count))).collect::<Vec<_>>().join(", ")
}

async fn conclude(tx: Tx, by: &By, machine: &Machine, change: &Change) -> StoreResult<()> {
    let event = NewEvent::of_machine(EventKind::Machine, &machine.office, &machine.id);
    by.conclude(tx, change, &[event]).await
}

fn change(by: &By, action: Action, machine: &Machine, hold: &Hold) -> Change {
    let Paper { number, date, issuer } = &hold.paper;
    by.change(action, Some(&machine.office), format!("{} {}", machine.id, machine.name))
        .with("hold", &hold.id)
        .with("document", format!("{number}, {date}, {issuer}"))
}

#[cfg(test)]
mod tests;
