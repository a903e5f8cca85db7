//! An office: its grade with the ledger, its machines, the plan for the next letter, the offices below and what changed.

use jiff::Timestamp;
use policies::grade::{Grade, MachineGrade, Movement, ParentGrade, Plan, plan_next_letter};
use serde::Serialize;

use super::outcome::{OrganisationalView, OutcomeView, organisational, outcomes};
use super::tree::{ChildView, Tree};
use crate::judge::office::{GradedOffice, OfficeMachine, OfficeRows, instant, office_rows, old_agent_until};
use crate::policy::CompiledPolicy;
use crate::roster::{Proposal, known_list, propose};
use crate::store::agent::AgentState;
use crate::store::grade::GradeChange;
use crate::store::judgement::JudgedMachine;
use crate::store::machine::{MachineStatus, Role};
use crate::store::office::Office;
use crate::store::roster::{Roster, RosterLine};
use crate::store::waiver::{Listed, ListedWaiver};
use crate::store::{Scope, StoreResult, Tx};

/// How many changes a view shows.
const HISTORY: i64 = 50;
/// The period over which the movement of a score is shown, in milliseconds: 30 days.
const MOVEMENT_OVER: i64 = 30 * 24 * 60 * 60 * 1000;

/// An office with its current grade. Points are integers in millionths.
#[derive(Clone, Debug, Serialize)]
pub struct OfficeView {
    /// The office.
    pub office: Office,
    /// The instant of this view, milliseconds UTC.
    pub at: i64,
    /// Address of the policy it is graded by; `None` before the first policy.
    pub policy: Option<String>,
    /// The declaration of the roster, if any.
    pub roster: Option<Roster>,
    /// The grade of its own machines; `None` before the first policy.
    pub grade: Option<Grade>,
    /// Its own machines, in the order of `grade.machines`.
    pub machines: Vec<MachineLine>,
    /// Until when facts that older agents misread are left out of the sums, milliseconds UTC; `None` when no agent is too old.
    pub old_agents_until: Option<i64>,
    /// The controls about the office as a whole (phần tổ chức).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organisational: Vec<OrganisationalView>,
    /// What to do to reach the next letter.
    pub plan: Option<Plan>,
    /// The grade together with the offices below; `None` when there are none.
    pub whole: Option<ParentGrade>,
    /// The offices directly below, by name.
    pub children: Vec<ChildView>,
    /// How the score of its own machines moved in the last 30 days, and why.
    pub movement: Movement,
    /// How the grade changed, the newest first.
    pub history: Vec<GradeChange>,
    /// All offices below, at any depth.
    #[serde(skip)]
    pub tree: Tree,
}

/// One machine of an office.
#[derive(Clone, Debug, Serialize)]
pub struct MachineLine {
    /// The id that ledger lines name: of the roster line, else of the machine.
    pub id: String,
    /// Its roster line, if any.
    pub line: Option<RosterLine>,
    /// Id of the enrolled machine, if any.
    pub machine: Option<String>,
    /// The name the machine gives itself, else the label of its line: hostile text.
    pub name: String,
    /// Room and person as typed at it when it enrolled: hostile text.
    pub place: String,
    /// Its role.
    pub role: Role,
    /// Whether it counts; `None` when not enrolled.
    pub status: Option<MachineStatus>,
    /// Since when two machines seem to use its key; its grade is frozen.
    pub clone_at: Option<i64>,
    /// When its last report came.
    pub received_at: Option<i64>,
    /// Its agent; `None` without a report.
    pub agent: Option<AgentState>,
    /// How it counts; `None` before the first policy.
    pub grade: Option<MachineGrade>,
    /// Every control; filled only on request ([`outcomes_add`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<OutcomeView>,
}

impl MachineLine {
    /// True for a machine that needs the new agent.
    pub fn needs_agent(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.too_old)
    }

    /// True for a machine that had it and went back to an older one.
    pub fn gone_back(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.too_old && agent.gone_back())
    }
}

/// Everything about an office as of `now`.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within `scope`.
pub async fn office_view(
    tx: &mut Tx,
    judge: Option<&CompiledPolicy>,
    scope: &Scope,
    office: &str,
    now: Timestamp,
) -> StoreResult<OfficeView> {
    let rows = office_rows(tx, judge, scope, office).await?;
    let at = now.as_millisecond();
    let history = tx.grade_change_list(scope, office, HISTORY).await?;
    let movement = tx.grade_change_sum(scope, office, at.saturating_sub(MOVEMENT_OVER)).await?;
    let offices = tx.office_grade_tree(scope, office).await?;
    let graded = judge.map(|judge| (judge, rows.grade(judge, now)));
    let graded = graded.map(|(judge, GradedOffice { grade, state, lan })| {
        let organisational = organisational(judge, &lan.facts, &grade.organisational, now);
        (organisational, plan_next_letter(judge.rules(), &state, now), grade)
    });
    let (organisational, plan, grade) = match graded {
        Some((organisational, plan, grade)) => (organisational, plan, Some(grade)),
        None => Default::default(),
    };
    let mut tree = Tree::new(offices);
    if let Some(grade) = &grade {
        tree.own_set(office, grade);
    }
    tree.roll_up(judge.map(CompiledPolicy::rules));
    let (children, whole) = judge.map_or_else(Default::default, |_| (tree.children(office), tree.whole(office)));
    let machines = machine_lines(&rows, grade.as_ref());
    let policy = judge.map(|judge| judge.address().to_owned());
    let OfficeRows { office, roster, schema_known, .. } = rows;
    let agents = machines.iter().filter_map(|line| line.agent.as_ref());
    let old_agents_until = agents.filter_map(|agent| old_agent_until(&schema_known, agent)).min();
    Ok(OfficeView {
        office,
        at,
        policy,
        roster,
        grade,
        machines,
        old_agents_until,
        organisational,
        plan,
        whole,
        children,
        movement,
        history,
        tree,
    })
}

fn machine_lines(rows: &OfficeRows, grade: Option<&Grade>) -> Vec<MachineLine> {
    rows.places
        .iter()
        .enumerate()
        .map(|(index, OfficeMachine { id, line, machine })| {
            let role = machine.as_ref().map(|machine| machine.role).or_else(|| line.as_ref().map(|line| line.role));
            let of = |machine: &JudgedMachine| (machine.status, machine.clone_at, machine.received_at);
            let (status, clone_at, received_at) = machine
                .as_ref()
                .map(of)
                .map_or((None, None, None), |(status, clone, received)| (Some(status), clone, received));
            MachineLine {
                id: id.clone(),
                line: line.clone(),
                machine: machine.as_ref().map(|machine| machine.id.clone()),
                name: machine
                    .as_ref()
                    .map(|machine| machine.name.clone())
                    .or_else(|| line.as_ref().map(|line| line.label.clone()))
                    .unwrap_or_default(),
                place: machine.as_ref().map(|machine| machine.place.clone()).unwrap_or_default(),
                role: role.unwrap_or(Role::Workstation),
                status,
                clone_at,
                received_at,
                agent: machine.as_ref().and_then(|machine| machine.agent.clone()),
                grade: grade.and_then(|grade| grade.machines.get(index)).cloned(),
                outcomes: Vec::new(),
            }
        })
        .collect()
}

/// An office with what its page needs besides its grade.
#[derive(Clone, Debug)]
pub struct OfficePage {
    /// The office.
    pub view: OfficeView,
    /// The offices above it within the reader's scope, from the top.
    pub above: Vec<Office>,
    /// The open waivers on its machines and those of offices below.
    pub waivers: Vec<ListedWaiver>,
    /// Which lines and machines may be the same.
    pub proposals: Vec<Proposal>,
}

/// Reads an office for its page, with at most `waivers` waivers.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within `scope`.
pub async fn office_page(
    tx: &mut Tx,
    judge: Option<&CompiledPolicy>,
    scope: &Scope,
    office: &str,
    now: Timestamp,
    waivers: i64,
) -> StoreResult<OfficePage> {
    let view = office_view(tx, judge, scope, office, now).await?;
    let mut above = tx.office_path(scope, office).await?;
    above.pop();
    let waivers = tx.waiver_list(scope, office, Listed::Open, waivers).await?;
    let proposals = proposals_find(tx, scope, office, &view.machines).await?;
    Ok(OfficePage { view, above, waivers, proposals })
}

/// Which lines and machines of an office may be the same; reads nothing when every machine has its line.
async fn proposals_find(
    tx: &mut Tx,
    scope: &Scope,
    office: &str,
    machines: &[MachineLine],
) -> StoreResult<Vec<Proposal>> {
    let lines: Vec<_> = machines.iter().filter_map(|machine| machine.line.clone()).collect();
    if lines.is_empty() || machines.iter().all(|machine| machine.line.is_some()) {
        return Ok(Vec::new());
    }
    Ok(propose(&lines, &known_list(tx, scope, office).await?))
}

/// Adds every outcome of every machine to the view of an office, for JSON output.
///
/// # Errors
/// When the database fails.
pub async fn outcomes_add(tx: &mut Tx, judge: &CompiledPolicy, view: &mut OfficeView) -> StoreResult<()> {
    let ids: Vec<String> = view.machines.iter().filter_map(|line| line.machine.clone()).collect();
    let judgements = tx.judgement_load(&ids).await?;
    let facts = tx.facts_load(&ids).await?;
    let now = instant(view.at);
    for line in view.machines.iter_mut().filter(|line| line.received_at.is_some()) {
        if let Some(machine) = &line.machine {
            line.outcomes = outcomes(judge, line.role, facts.get(machine), judgements.get(machine), now);
        }
    }
    Ok(())
}
