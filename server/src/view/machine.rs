//! A machine: how it counts, all outcomes, what it reported and what happened to it.

use jiff::Timestamp;
use policies::fact::{Facts, Reason};
use policies::grade::MachineGrade;

use super::journal::{MachineEvents, machine_events};
use super::outcome::{OutcomeView, outcomes};
use crate::judge::office::{machine_rows, old_agent_until};
use crate::policy::CompiledPolicy;
use crate::store::agent::AgentState;
use crate::store::head::Head;
use crate::store::hold::Hold;
use crate::store::judgement::StoredChange;
use crate::store::machine::Machine;
use crate::store::machine::contact::Contact;
use crate::store::machine::event::AgentEvent;
use crate::store::office::Office;
use crate::store::report::{StoredFork, StoredSegment};
use crate::store::roster::RosterLine;
use crate::store::waiver::Waiver;
use crate::store::{Scope, StoreResult, Tx};

/// How many changes of verdicts are read.
const HISTORY: i64 = 200;

/// A machine with all outcomes and its full history. Points are integers in millionths.
#[derive(Clone, Debug)]
pub struct MachineView {
    /// The machine.
    pub machine: Machine,
    /// Its roster line, if any.
    pub line: Option<RosterLine>,
    /// Its agent; `None` without a report.
    pub agent: Option<AgentState>,
    /// Until when facts that agent misreads are left out of the sums; `None` when it is not too old or the machine had a newer one.
    pub old_agent_until: Option<i64>,
    /// How it counts.
    pub grade: Option<MachineGrade>,
    /// Every control, in the order of the policy.
    pub outcomes: Vec<OutcomeView>,
    /// How verdicts changed, the newest first.
    pub history: Vec<StoredChange>,
    /// Its latest facts; all unknown if it never reported.
    pub facts: Facts,
    /// The end of its chain of reports; `None` before the first.
    pub head: Option<Head>,
    /// True while an ordered check is not done yet.
    pub order_waits: bool,
    /// The way to its office within the reader's scope, from the top, its office included.
    pub path: Vec<Office>,
    /// True when the reader's scope begins above its office.
    pub is_below: bool,
    /// Its waivers, the newest first.
    pub waivers: Vec<Waiver>,
    /// The legal holds in force on what it reported, the newest first.
    pub holds: Vec<Hold>,
    /// Its segments, the newest first.
    pub segments: Vec<StoredSegment>,
    /// Its refused branches, the newest first.
    pub forks: Vec<StoredFork>,
    /// The machines that had its line before, the last one first.
    pub former: Vec<Machine>,
    /// What its agent reported about itself, the newest first.
    pub said: Vec<AgentEvent>,
    /// The last contact with it.
    pub contact: Contact,
    /// What its agent reported about itself, signed.
    pub events: MachineEvents,
}

/// Everything about a machine as of `now`.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within `scope`.
pub async fn machine_view(
    tx: &mut Tx,
    judge: Option<&CompiledPolicy>,
    scope: &Scope,
    machine: &str,
    now: Timestamp,
) -> StoreResult<MachineView> {
    let machine = tx.machine_require(scope, machine).await?;
    let rows = machine_rows(tx, scope, &machine).await?;
    let facts = tx.facts_load(std::slice::from_ref(&machine.id)).await?.remove(&machine.id);
    let judged = rows.place.as_ref().and_then(|place| place.machine.as_ref());
    let judgement = judged.and_then(|judged| judged.judgement.as_ref());
    let agent = judged.and_then(|judged| judged.agent.clone());
    let reported = judge.zip(judged.filter(|judged| judged.received_at.is_some()));
    let outcomes = reported.map(|(judge, _)| outcomes(judge, machine.role, facts.as_ref(), judgement, now));
    let now_ms = now.as_millisecond();
    Ok(MachineView {
        line: rows.place.as_ref().and_then(|place| place.line.clone()),
        old_agent_until: agent.as_ref().and_then(|agent| old_agent_until(&rows.schema_known, agent)),
        agent,
        grade: judge.and_then(|judge| rows.grade(judge, now)),
        outcomes: outcomes.unwrap_or_default(),
        history: tx.outcome_change_list(scope, &machine.id, HISTORY).await?,
        facts: facts.unwrap_or_else(|| Facts::unknown(Reason::NotCollected)),
        head: tx.head_get(scope, &machine.id).await?,
        order_waits: tx.machine_order_waits(&machine.id, now_ms, now_ms).await?,
        path: tx.office_path(scope, &machine.office).await?,
        is_below: tx.office_is_below(scope, &machine.office).await?,
        waivers: tx.waiver_list_of_machine(scope, &machine.id).await?,
        holds: tx.hold_list_of_machine(scope, &machine.id, now_ms).await?,
        segments: tx.segment_list(scope, &machine.id).await?,
        forks: tx.fork_list(scope, &machine.id).await?,
        former: tx.machine_former_list(scope, &machine).await?,
        said: tx.agent_event_list(scope, &machine.id).await?,
        contact: tx.contact_get(scope, &machine.id).await?,
        events: machine_events(tx, scope, &machine.id).await?,
        machine,
    })
}
