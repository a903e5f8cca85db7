//! Waivers (ngoại lệ có thời hạn): asked for by one person, decided by another who stands outside the graded office,
//! withdrawn early or ended by their date. The rules of design 4 are here; what a waiver does to an outcome is in
//! `judge/waivers`.

pub mod refusal;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use policies::calendar::after_days;
use policies::policy::{Control, Severity};

pub use self::refusal::{Refusal, WaiverError};
use super::By;
use crate::audit::{Action, Actor, Change};
use crate::judge::machines::CLOCKS_DIFFER;
use crate::judge::waivers::machine_waive;
use crate::policy::CompiledPolicy;
use crate::store::machine::{Machine, MachineStatus};
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::waiver::{Waiver, WaiverState};
use crate::store::{Db, Scope, StoreResult, Tx, new_id};

/// The longest reason, of a waiver, in characters.
pub const REASON_MOST: usize = 500;
/// Waivers ended in one batch.
const DUE: i64 = 100;

/// A request for a waiver.
#[derive(Clone, Debug)]
pub struct NewWaiver {
    /// The machine.
    pub machine: String,
    /// The control's id.
    pub control: String,
    /// The reason.
    pub reason: String,
    /// It holds until this instant, milliseconds UTC.
    pub until_at: i64,
}

/// The longest a waiver of a control of `severity` may last, in days.
pub fn most_days(judge: &CompiledPolicy, severity: Severity) -> u32 {
    let waivers = judge.rules().office.waivers;
    if severity == Severity::Critical { waivers.critical_at_most_days } else { waivers.other_at_most_days }
}

/// The last day a waiver granted at `now` may cover, in the time zone of the pages.
pub fn latest_day(judge: &CompiledPolicy, severity: Severity, now: Timestamp, zone: &TimeZone) -> Date {
    let end = after_days(now, most_days(judge, severity)).to_zoned(zone.clone()).date();
    end.yesterday().unwrap_or(end)
}

/// The end of a day written `2026-12-31`, milliseconds UTC; `None` when it is not a date.
pub fn day_end(day: &str, zone: &TimeZone) -> Option<i64> {
    let day: Date = day.trim().parse().ok()?;
    let next = day.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
    Some(next.timestamp().as_millisecond())
}

/// The beginning of a day written `2026-12-31`, milliseconds UTC; `None` when it is not a date.
pub fn day_begin(day: &str, zone: &TimeZone) -> Option<i64> {
    let day: Date = day.trim().parse().ok()?;
    Some(day.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

/// Asks for a waiver. It waits until someone above the machine's office decides.
///
/// # Errors
/// The machine is not within scope, or the request is refused outright: no such control, no reason, an end that has passed or
/// lies too far ahead, one that is open already.
pub async fn waiver_ask(
    db: &Db,
    by: &By,
    judge: Option<&CompiledPolicy>,
    new: &NewWaiver,
) -> Result<Waiver, WaiverError> {
    let mut tx = db.write().await?;
    let machine = tx.machine_require(&by.scope, &new.machine).await?;
    let control = control(judge, &machine, &new.control)?;
    if machine.status == MachineStatus::Revoked {
        return Err(Refusal::Revoked.into());
    }
    end_check(control, new.until_at, by.at)?;
    let waiver = Waiver {
        id: new_id(),
        machine: machine.id.clone(),
        control: new.control.clone(),
        reason: reason(&new.reason)?,
        state: WaiverState::Asked,
        asked_at: by.at,
        asked_by: by.name(),
        until_at: new.until_at,
        decided_at: None,
        decided_by: None,
        decided_why: None,
        ended_at: None,
        ended_by: None,
    };
    tx.waiver_insert(&by.scope, &waiver)
        .await
        .map_err(|error| if error.is_duplicate() { WaiverError::from(Refusal::Open) } else { error.into() })?;
    conclude(tx, by, Action::WaiverAsked, &machine, &waiver, Some(&waiver.reason)).await?;
    Ok(waiver)
}

/// Grants a waiver: from now until its end the failure is waived.
///
/// # Errors
/// It is not within scope; the person asked for it, or does not stand above the machine's office; it has been decided
/// meanwhile; its end is no longer allowed.
pub async fn waiver_grant(db: &Db, by: &By, judge: Option<&CompiledPolicy>, id: &str) -> Result<Waiver, WaiverError> {
    let (mut tx, machine, waiver) = to_decide(db, by, id).await?;
    end_check(control(judge, &machine, &waiver.control)?, waiver.until_at, by.at)?;
    if !tx.waiver_decide(&by.scope, id, WaiverState::Granted, by.at, &by.name(), None).await? {
        return Err(Refusal::Decided.into());
    }
    machine_waive(&mut tx, &machine.id, by.at).await?;
    let waiver = tx.waiver_require(&by.scope, id).await?;
    conclude(tx, by, Action::WaiverGranted, &machine, &waiver, None).await?;
    Ok(waiver)
}

/// Refuses a waiver; `why` is shown to its author.
///
/// # Errors
/// It is not within scope; the person asked for it, or does not stand above the machine's office; it has been decided
/// meanwhile; `why` is missing.
pub async fn waiver_refuse(db: &Db, by: &By, id: &str, why: &str) -> Result<Waiver, WaiverError> {
    let (mut tx, machine, _) = to_decide(db, by, id).await?;
    let why = reason(why)?;
    if !tx.waiver_decide(&by.scope, id, WaiverState::Refused, by.at, &by.name(), Some(&why)).await? {
        return Err(Refusal::Decided.into());
    }
    let waiver = tx.waiver_require(&by.scope, id).await?;
    conclude(tx, by, Action::WaiverRefused, &machine, &waiver, Some(&why)).await?;
    Ok(waiver)
}

/// Withdraws a waiver before its date: allowed for its author, the person who granted it, and anyone who could have.
///
/// # Errors
/// It is not within scope, has ended already, or the person may not withdraw it.
pub async fn waiver_withdraw(db: &Db, by: &By, id: &str) -> Result<Waiver, WaiverError> {
    let mut tx = db.write().await?;
    let waiver = tx.waiver_require(&by.scope, id).await?;
    let machine = tx.machine_require(&by.scope, &waiver.machine).await?;
    if !may_withdraw(&waiver, &by.name(), tx.office_is_below(&by.scope, &machine.office).await?) {
        return Err(Refusal::Stranger.into());
    }
    if !tx.waiver_end(&by.scope, id, WaiverState::Withdrawn, by.at, &by.name()).await? {
        return Err(Refusal::Over.into());
    }
    machine_waive(&mut tx, &machine.id, by.at).await?;
    let waiver = tx.waiver_require(&by.scope, id).await?;
    conclude(tx, by, Action::WaiverWithdrawn, &machine, &waiver, None).await?;
    Ok(waiver)
}

/// Withdraws every waiver of a machine that is requested or in force, because the terms changed. The caller publishes the events and commits.
///
/// # Errors
/// When the database fails.
pub(super) async fn waivers_withdraw(tx: &mut Tx, by: &By, machine: &Machine) -> StoreResult<()> {
    for waiver in tx.waiver_list_of_machine(&by.scope, &machine.id).await? {
        if tx.waiver_end(&by.scope, &waiver.id, WaiverState::Withdrawn, by.at, &by.name()).await? {
            tx.audit_append(by.at, &change(by, Action::WaiverWithdrawn, machine, &waiver)).await?;
        }
    }
    machine_waive(tx, &machine.id, by.at).await
}

/// Ends every waiver whose date has come, each in a transaction of its own, and reinstates those that ended while the clock was
/// ahead. Returns the offices of their machines.
///
/// # Errors
/// When the database fails; the rest is done next time.
pub async fn waivers_expire(db: &Db, now: i64) -> StoreResult<Vec<String>> {
    let by = By { actor: Actor::Program, scope: Scope::whole(), at: now };
    let mut offices = Vec::new();
    for waiver in db.read().await?.waiver_ended_early(now.saturating_add(CLOCKS_DIFFER)).await? {
        let mut tx = db.write().await?;
        if !tx.waiver_reopen(&waiver.id).await? {
            continue;
        }
        let machine = tx.machine_require(&by.scope, &waiver.machine).await?;
        machine_waive(&mut tx, &machine.id, now).await?;
        conclude(tx, &by, Action::WaiverGranted, &machine, &waiver, Some("clock_ahead")).await?;
        offices.push(machine.office);
    }
    loop {
        let due = db.read().await?.waiver_due(now, DUE).await?;
        if due.is_empty() {
            return Ok(offices);
        }
        for waiver in due {
            let mut tx = db.write().await?;
            if !tx.waiver_end(&by.scope, &waiver.id, WaiverState::Ended, now, &by.name()).await? {
                // Another server was faster, or someone withdrew it.
                continue;
            }
            let machine = tx.machine_require(&by.scope, &waiver.machine).await?;
            machine_waive(&mut tx, &machine.id, now).await?;
            conclude(tx, &by, Action::WaiverEnded, &machine, &waiver, None).await?;
            offices.push(machine.office);
        }
    }
}

/// Whether the person called `name` may grant or refuse; `above` means the person's scope begins above the office.
pub fn may_decide(waiver: &Waiver, name: &str, above: bool) -> bool {
    above && waiver.state == WaiverState::Asked && waiver.asked_by != name
}

/// Whether the person called `name` may withdraw it; `above` means the person's scope begins above the office.
pub fn may_withdraw(waiver: &Waiver, name: &str, above: bool) -> bool {
    above || waiver.asked_by == name || waiver.decided_by.as_deref() == Some(name)
}

async fn to_decide(db: &Db, by: &By, id: &str) -> Result<(Tx, Machine, Waiver), WaiverError> {
    let mut tx = db.write().await?;
    let waiver = tx.waiver_require(&by.scope, id).await?;
    let machine = tx.machine_require(&by.scope, &waiver.machine).await?;
    if waiver.asked_by == by.name() {
        return Err(Refusal::Author.into());
    }
    if !tx.office_is_below(&by.scope, &machine.office).await? {
        return Err(Refusal::Inside.into());
    }
    if waiver.state != WaiverState::Asked {
        return Err(Refusal::Decided.into());
    }
    Ok((tx, machine, waiver))
}

/// A control's severity and the most days a waiver of it may last, under the policy in force.
type Bound = (Severity, u32);

fn control(judge: Option<&CompiledPolicy>, machine: &Machine, id: &str) -> Result<Bound, Refusal> {
    let judge = judge.ok_or(Refusal::NoPolicy)?;
    let severity = judge.set().controls(machine.role).control_named(id).map(Control::severity);
    let severity = severity.map_err(Refusal::NoControl)?;
    Ok((severity, most_days(judge, severity)))
}

fn end_check((severity, days): Bound, until_at: i64, from_at: i64) -> Result<(), Refusal> {
    if until_at <= from_at {
        return Err(Refusal::Past);
    }
    let from = Timestamp::from_millisecond(from_at).unwrap_or(Timestamp::MAX);
    if until_at > after_days(from, days).as_millisecond() {
        return Err(Refusal::TooLong { severity, days });
    }
    Ok(())
}

fn reason(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > REASON_MOST {
        return Err(Refusal::NoReason);
    }
    Ok(text.to_owned())
}

async fn conclude(
    tx: Tx,
    by: &By,
    action: Action,
    machine: &Machine,
    waiver: &Waiver,
    why: Option<&str>,
) -> StoreResult<()> {
    let mut change = change(by, action, machine, waiver);
    if let Some(why) = why {
        change = change.with("reason", why);
    }
    let event = NewEvent {
        subject: Some(waiver.id.clone()),
        ..NewEvent::of_machine(EventKind::Waiver, &machine.office, &machine.id)
    };
    by.conclude(tx, &change, &[event]).await
}

fn change(by: &By, action: Action, machine: &Machine, waiver: &Waiver) -> Change {
    by.change(action, Some(&machine.office), format!("{} {}", machine.id, machine.name))
        .with("waiver", &waiver.id)
        .with("control", &waiver.control)
        .with("until_at", waiver.until_at)
}

#[cfg(test)]
mod tests;
