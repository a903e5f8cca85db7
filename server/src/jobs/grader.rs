//! The task that keeps grades current: it listens to events, remakes the grades of the offices affected, and after a new
//! policy rejudges every machine and regrades every office. Grades also change by time alone; it checks for that too.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use policies::grade::{Cause, Movement, Points};
use tokio::sync::broadcast::error::RecvError;

use super::regrade::machines_catch_up;
use crate::act::waiver::waivers_expire;
use crate::app::App;
use crate::judge::office::{OfficeRows, instant, next_at, office_rows};
use crate::policy::CompiledPolicy;
use crate::store::grade::{GradeChange, StoredGrade};
use crate::store::outbox::{EventKind, NewEvent, OutboxEvent};
use crate::store::{Db, Scope, StoreError};

/// How long events are collected before grades are made: many reports of one office cost one grade.
const GATHER: Duration = Duration::from_millis(250);
/// A clock that goes back by more than this was set back. Milliseconds.
const SET_BACK: i64 = 10 * 1000;
/// Reports that changed no verdict only renew evidence: their offices are graded at most this often.
const RENEW: Duration = Duration::from_secs(60);
/// Offices found due at once.
const DUE: i64 = 256;

/// What must be done next.
#[derive(Debug, Default)]
struct Todo {
    /// Offices where something changed.
    changed: BTreeSet<String>,
    /// Offices where evidence was renewed.
    renewed: BTreeSet<String>,
    /// Machines may have to be judged: a new policy, a new role, a machine that counts again, or a waiver that began or
    /// ended while its machine was being judged.
    judge: bool,
    /// Any office may be affected, because events were missed.
    everything: bool,
    /// The policy by which grades were last made.
    last: Option<Arc<CompiledPolicy>>,
}

impl Todo {
    fn hear(&mut self, change: &OutboxEvent) {
        match (change.kind, &change.office) {
            (EventKind::Policy, _) => self.judge = true,
            (EventKind::Reported, Some(office)) => {
                self.renewed.insert(office.clone());
            }
            // Events from the grader itself name no machine.
            (EventKind::Judged, _) if change.machine.is_none() => {}
            (EventKind::Machine | EventKind::Waiver, Some(office)) => {
                self.judge = true;
                self.changed.insert(office.clone());
            }
            (EventKind::Judged | EventKind::Revoked | EventKind::Roster, Some(office)) => {
                self.changed.insert(office.clone());
            }
            _ => {}
        }
    }
}

/// Keeps the grades of all offices current until the server stops. Retries while the database is away.
pub async fn grades_follow(app: App) {
    let mut changes = app.events.subscribe();
    // Events missed before listening are covered by checking everything once.
    let mut todo = Todo { judge: true, ..Todo::default() };
    let mut renew = tokio::time::interval(RENEW);
    let mut gather = tokio::time::interval(GATHER);
    gather.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut away = false;
    let mut last_ms = app.clock.now_ms();
    loop {
        let now_ms = app.clock.now_ms();
        if now_ms < last_ms - SET_BACK {
            tracing::warn!(
                set_back_s = (last_ms - now_ms) / 1000,
                "this server's clock was set back; what was judged meanwhile is judged anew"
            );
            (todo.judge, todo.everything) = (true, true);
        }
        last_ms = now_ms;
        tokio::select! {
            () = app.events.stopped() => return,
            change = changes.recv() => match change {
                Ok(change) => todo.hear(&change),
                Err(RecvError::Lagged(missed)) => {
                    tracing::info!(missed, "the grader fell behind and looks at every office");
                    (todo.judge, todo.everything) = (true, true);
                }
                Err(RecvError::Closed) => return,
            },
            _ = renew.tick() => {
                let renewed = std::mem::take(&mut todo.renewed);
                todo.changed.extend(renewed);
            }
            _ = gather.tick() => match grades_make(&app.db, app.policies.judge().as_ref(), app.clock.now_ms(), &mut todo).await {
                Ok(()) => away = false,
                Err(error) if !away => {
                    away = true;
                    tracing::error!("grades cannot be made, they wait: {error:#}");
                }
                Err(_) => {}
            },
        }
    }
}

/// Makes every grade that is due: judges what must be judged first.
///
/// # Errors
/// When the database fails; what is left to do stays in `todo`.
async fn grades_make(db: &Db, judge: Option<&Arc<CompiledPolicy>>, now: i64, todo: &mut Todo) -> anyhow::Result<()> {
    let Some(judge) = judge else {
        // Before the first policy there is nothing to judge by; its publication will trigger everything.
        *todo = Todo { judge: todo.judge, ..Todo::default() };
        return Ok(());
    };
    if todo.everything {
        let offices = db.read().await?.office_list(&Scope::whole()).await?;
        todo.changed.extend(offices.into_iter().map(|office| office.id));
        todo.everything = false;
    }
    todo.changed.extend(waivers_expire(db, now).await?);
    // What happened before the new policy came is the office's own doing: book it under the old policy.
    if let Some(last) = todo.last.clone().filter(|last| last.address() != judge.address()) {
        for office in todo.changed.union(&todo.renewed) {
            office_grade_try(db, &last, office, now).await?;
        }
    }
    todo.last = Some(Arc::clone(judge));
    if todo.judge {
        let judged = machines_catch_up(db, judge, now).await?;
        if judged > 0 {
            tracing::info!(judged, policy = judge.address(), "machines judged");
        }
        todo.judge = false;
    }
    let due = db.read().await?.office_grade_due(judge.address(), now, DUE).await?;
    todo.changed.extend(due);
    while let Some(office) = todo.changed.first().cloned() {
        office_grade_try(db, judge, &office, now).await?;
        todo.changed.remove(&office);
        todo.renewed.remove(&office);
    }
    Ok(())
}

/// Makes the grade of an office that may no longer exist.
async fn office_grade_try(db: &Db, judge: &CompiledPolicy, office: &str, now: i64) -> Result<(), StoreError> {
    match office_grade_make(db, judge, office, now).await {
        Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Grades every office by the policy in force, as after a publication: first judges what is out of date, then grades what is due.
///
/// # Errors
/// When the database fails.
#[cfg(test)]
pub async fn grades_catch_up(db: &Db, judge: &Arc<CompiledPolicy>, now: i64) -> anyhow::Result<()> {
    let mut todo = Todo { judge: true, ..Todo::default() };
    loop {
        grades_make(db, Some(judge), now, &mut todo).await?;
        if db.read().await?.office_grade_due(judge.address(), now, 1).await?.is_empty() {
            return Ok(());
        }
    }
}

/// Makes the grade of one office's own machines and stores it with what changed and why. True when score or letter changed.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such office; otherwise when the database fails.
pub async fn office_grade_make(db: &Db, judge: &CompiledPolicy, office: &str, now: i64) -> Result<bool, StoreError> {
    // Read and made before the one writer is asked for: reports need it. What is stored meanwhile causes another grade by its event.
    let mut tx = db.read().await?;
    let rows = office_rows(&mut tx, Some(judge), &Scope::whole(), office).await?;
    let before = tx.office_grade_get(office).await?;
    drop(tx);
    let grade = rows.grade(judge, instant(now)).grade;
    let change = change(judge, office, before.clone().map(|before| as_linked(before, &rows)).as_ref(), &grade, now);
    let policy = judge.address().to_owned();
    let foretold = next_at(&grade, now);
    let next_at = rows.absence_end(now).map_or(foretold, |end| end.min(foretold));
    let stored = StoredGrade { office: office.to_owned(), policy, graded_at: now, next_at, grade };
    let mut tx = db.write().await?;
    if !tx.office_grade_put(&stored, before.as_ref().map(|before| before.graded_at)).await? {
        // Another server was faster.
        return Ok(false);
    }
    if let Some(change) = &change {
        tx.grade_change_insert(change).await?;
    }
    if change.is_some() || before.is_some_and(|before| before.grade.organisational != stored.grade.organisational) {
        tx.change_append(now, &[NewEvent::of_office(EventKind::Judged, office)]).await?;
    }
    tx.commit().await?;
    Ok(change.is_some())
}

/// The grade `before` with every machine under the line it has now: linking a machine that was counted next to its line removes the
/// line's ghost, and that change belongs to the roster.
fn as_linked(mut before: StoredGrade, rows: &OfficeRows) -> StoredGrade {
    let machines = &mut before.grade.machines;
    for place in &rows.places {
        let (Some(line), Some(machine)) = (&place.line, &place.machine) else { continue };
        let Some(beside) = machines.iter().position(|counted| counted.id == machine.id) else { continue };
        for ghost in machines.iter_mut().filter(|counted| counted.id == line.id) {
            ghost.id.push_str(" before");
        }
        machines[beside].id.clone_from(&line.id);
    }
    before
}

/// What changed since the grade `before`; `None` when neither score nor letter did.
fn change(
    judge: &CompiledPolicy,
    office: &str,
    before: Option<&StoredGrade>,
    grade: &policies::grade::Grade,
    now: i64,
) -> Option<GradeChange> {
    let cause = before
        .map_or(Cause::Office, |before| if before.policy == judge.address() { Cause::Office } else { Cause::Policy });
    let movement =
        before.map_or_else(Movement::default, |before| Movement::between(judge.rules(), &before.grade, grade, cause));
    let letter_before = before.and_then(|before| before.grade.letter());
    let still = [movement.office, movement.policy, movement.roster] == [Points::ZERO; 3];
    if before.is_some() && still && letter_before == grade.letter() {
        return None;
    }
    Some(GradeChange {
        office: office.to_owned(),
        at: now,
        policy: judge.address().to_owned(),
        score_before: before.map(|before| before.grade.score),
        score_after: grade.score,
        letter_before,
        letter_after: grade.letter(),
        movement,
    })
}

#[cfg(test)]
mod tests;
