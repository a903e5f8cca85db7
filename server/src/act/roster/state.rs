//! Recording that a machine on a roster is away for a time (on leave, in repair, in store, awaiting disposal), or is in use again.

use jiff::Timestamp;
use policies::calendar::after_days;

use super::refusal::{Refusal, RosterError};
use super::{line_find, subject};
use crate::act::By;
use crate::audit::Action;
use crate::policy::CompiledPolicy;
use crate::store::Db;
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::roster::{RosterLine, RosterState};

/// Sets the state of a line's machine. While away, it is not expected to report before `until_at` (milliseconds UTC), for at most as long
/// as the policy allows: an absence that is prolonged, or continues for another reason, counts from its first day. A report ends it early.
///
/// # Errors
/// The line is not within scope; no policy is published; the end is missing, has passed or lies too far ahead; a machine in use has no end.
pub async fn roster_state(
    db: &Db,
    by: &By,
    judge: Option<&CompiledPolicy>,
    (office, line): (&str, &str),
    state: RosterState,
    until_at: Option<i64>,
) -> Result<RosterLine, RosterError> {
    let mut tx = db.write().await?;
    let before = line_find(&mut tx, by, office, line).await?;
    if (before.state, before.state_until_at) == (state, until_at) {
        return Ok(before);
    }
    let line = match (state, until_at) {
        (RosterState::InUse, None) => {
            RosterLine { state, state_by: None, state_from_at: None, state_until_at: None, ..before }
        }
        (RosterState::InUse, Some(_)) => return Err(Refusal::InUseHasNoEnd.into()),
        (_, None) => return Err(Refusal::NoEnd.into()),
        (_, Some(until_at)) => {
            let goes_on = before.state != RosterState::InUse && before.state_until_at.is_some_and(|end| end > by.at);
            let from_at = before.state_from_at.filter(|_| goes_on).unwrap_or(by.at);
            end_check(judge, from_at, until_at, by.at)?;
            let (state_from_at, state_until_at) = (Some(from_at), Some(until_at));
            RosterLine { state, state_by: Some(by.name()), state_from_at, state_until_at, ..before }
        }
    };
    tx.roster_line_state_set(&by.scope, &line).await?;
    let mut change = by.change(Action::RosterChanged, Some(office), subject(&line)).with("state", line.state);
    if let Some(until_at) = line.state_until_at {
        change = change.with("until_at", until_at);
    }
    by.conclude(tx, &change, &[NewEvent::of_office(EventKind::Roster, office)]).await?;
    Ok(line)
}

fn end_check(judge: Option<&CompiledPolicy>, from_at: i64, until_at: i64, now: i64) -> Result<(), Refusal> {
    let days = judge.ok_or(Refusal::NoPolicy)?.rules().office.roster.away_at_most_days;
    if until_at <= now {
        return Err(Refusal::EndPassed);
    }
    let from = Timestamp::from_millisecond(from_at).unwrap_or(Timestamp::MAX);
    if until_at > after_days(from, days).as_millisecond() {
        return Err(Refusal::EndTooFar(days));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
