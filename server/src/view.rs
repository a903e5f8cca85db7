//! What people and programs see of a grade: an office with its ledger, machines, plan, children and history; a machine with
//! every outcome. Read at the moment of asking; owns no wording and no page.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Facts, Reason};
use policies::grade::{
    Child, Colour, Grade, MachineGrade, Movement, ParentGrade, Plan, Points, grade_parent, plan_next_letter,
};
use policies::outcome::{Outcome, Verdict};
use policies::policy::{Clause, Duty, Letter, LiftedBy, Severity};
use policies::text::Text;
use serde::Serialize;

use crate::judge::office::{OfficeRows, Place, instant, office_rows, old_agent_until};
use crate::judge::policy_role;
use crate::judge::waivers::with_waiver;
use crate::policy::Judge;
use crate::store::grade::{GradeChange, GradeRow, letter_read};
use crate::store::judgement::{AgentState, JudgedMachine, Judgement, StoredChange, VerdictState};
use crate::store::machine::{Machine, MachineStatus, Role};
use crate::store::office::{Office, OfficeKind};
use crate::store::roster::{Roster, RosterLine};
use crate::store::{Scope, StoreResult, Tx};

/// How many changes a view shows.
const HISTORY: i64 = 50;
/// Over how long the movement of a score is told, in milliseconds: 30 days.
const MOVEMENT_OVER: i64 = 30 * 24 * 60 * 60 * 1000;

/// An office as it stands. Points are integers in millionths.
#[derive(Clone, Debug, Serialize)]
pub struct OfficeView {
    /// The office.
    pub office: Office,
    /// As at, milliseconds UTC.
    pub at: i64,
    /// Address of the policy it is graded by; none before the first policy.
    pub policy: Option<String>,
    /// The declaration of the roster.
    pub roster: Option<Roster>,
    /// The grade of its own machines; none before the first policy.
    pub grade: Option<Grade>,
    /// Its own machines, in the order of `grade.machines`.
    pub machines: Vec<MachineLine>,
    /// Until when facts that older agents read wrongly leave the sums, milliseconds UTC; none where no agent is too old.
    pub old_agents_until: Option<i64>,
    /// What to do for the next letter.
    pub plan: Option<Plan>,
    /// The grade together with the offices below; none when there are none.
    pub whole: Option<ParentGrade>,
    /// The offices directly below, by name.
    pub children: Vec<ChildView>,
    /// How the score of its own machines moved in the last 30 days, and why.
    pub movement: Movement,
    /// How the grade changed, the newest first.
    pub history: Vec<GradeChange>,
}

/// One machine of an office.
#[derive(Clone, Debug, Serialize)]
pub struct MachineLine {
    /// The id that ledger lines name: of the roster line, else of the machine.
    pub id: String,
    /// The line of the roster.
    pub line: Option<RosterLine>,
    /// Id of the enrolled machine.
    pub machine: Option<String>,
    /// The name the machine gives itself, else the label of its line: hostile text.
    pub name: String,
    /// Room and person as typed at it when it enrolled: hostile text.
    pub place: String,
    /// Its role.
    pub role: Role,
    /// Whether it counts.
    pub status: Option<MachineStatus>,
    /// Two machines seem to use its key since then; its grade stands still.
    pub clone_at: Option<i64>,
    /// When its last report came.
    pub received_at: Option<i64>,
    /// Its agent; none when no report came.
    pub agent: Option<AgentState>,
    /// How it counts; none before the first policy.
    pub grade: Option<MachineGrade>,
    /// Every control; only where it was asked for ([`outcomes_add`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<OutcomeView>,
}

impl MachineLine {
    /// True for a machine that needs the new agent.
    pub fn needs_agent(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.too_old)
    }

    /// True for one that had it and went back to an old one.
    pub fn gone_back(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.too_old && agent.gone_back())
    }
}

/// An office below another, with what lies below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChildView {
    /// The office.
    pub office: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: OfficeKind,
    /// The score; none when it has no machine or was never graded.
    pub score: Option<Points>,
    /// The letter.
    pub letter: Option<Letter>,
    /// The colour.
    pub colour: Colour,
    /// Machines expected.
    pub expected: u64,
    /// Machines with fresh evidence.
    pub covered: u64,
}

/// A machine with every outcome. Points are integers in millionths.
#[derive(Clone, Debug, Serialize)]
pub struct MachineView {
    /// The machine.
    pub machine: Machine,
    /// Its line of the roster.
    pub line: Option<RosterLine>,
    /// When its last report came.
    pub received_at: Option<i64>,
    /// Its agent; none when no report came.
    pub agent: Option<AgentState>,
    /// Until when what that agent reads wrongly leaves the sums; none where it is not too old, or the machine had a newer one.
    pub old_agent_until: Option<i64>,
    /// When it was judged, and by which policy; none when it never was.
    pub judged_at: Option<i64>,
    /// Address of that policy.
    pub policy: Option<String>,
    /// How it counts.
    pub grade: Option<MachineGrade>,
    /// Every control, in the order of the policy.
    pub outcomes: Vec<OutcomeView>,
    /// How verdicts changed, the newest first.
    pub history: Vec<StoredChange>,
}

/// One control on one machine, with all that a person needs to understand and fix it.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeView {
    /// Verdict, found (hostile text) and wanted.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The control's title.
    pub title: Text,
    /// How much a failure matters.
    pub severity: Severity,
    /// What it weighs.
    pub weight: u32,
    /// Where the wanted value comes from.
    pub duty: Duty,
    /// Who can lift a failure.
    pub lifted_by: LiftedBy,
    /// Minutes to fix it.
    pub minutes: u32,
    /// The clauses that ask for it.
    pub clauses: Vec<Clause>,
    /// How to fix it on this machine.
    pub fix: Vec<Text>,
    /// When the verdict began; none when it was not judged yet.
    pub since_at: Option<i64>,
    /// When a failure was first seen that was not seen mended since.
    pub failing_since_at: Option<i64>,
}

/// Everything about an office as at `now`.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within `scope`.
pub async fn office_view(
    tx: &mut Tx,
    judge: Option<&Judge>,
    scope: &Scope,
    office: &str,
    now: Timestamp,
) -> StoreResult<OfficeView> {
    let rows = office_rows(tx, scope, office).await?;
    let at = now.as_millisecond();
    let history = tx.grade_change_list(scope, office, HISTORY).await?;
    let movement = tx.grade_change_sum(scope, office, at.saturating_sub(MOVEMENT_OVER)).await?;
    let tree = tx.office_grade_tree(scope, office).await?;
    let state = judge.map(|judge| rows.state(judge, now));
    let grade = judge.map(|judge| rows.grade(judge, now));
    let plan = judge.zip(state).and_then(|(judge, state)| plan_next_letter(judge.rules(), &state, now));
    let (children, whole) = judge.map_or_else(Default::default, |judge| children(judge, office, &tree, grade.as_ref()));
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
        plan,
        whole,
        children,
        movement,
        history,
    })
}

fn machine_lines(rows: &OfficeRows, grade: Option<&Grade>) -> Vec<MachineLine> {
    rows.places
        .iter()
        .enumerate()
        .map(|(index, Place { id, line, machine })| {
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

/// The offices directly below `top`, each with all that lies below it, and the grade of everything together. The grade of
/// `top`'s own machines is the one just made; the others are as the grader last made them.
fn children(judge: &Judge, top: &str, tree: &[GradeRow], own: Option<&Grade>) -> (Vec<ChildView>, Option<ParentGrade>) {
    let mut below: BTreeMap<&str, Vec<&GradeRow>> = BTreeMap::new();
    for row in tree.iter().filter(|row| row.office != top) {
        if let Some(parent) = row.parent.as_deref() {
            below.entry(parent).or_default().push(row);
        }
    }
    let views: Vec<ChildView> = below.get(top).into_iter().flatten().map(|row| child(judge, row, &below)).collect();
    if views.is_empty() {
        return (views, None);
    }
    let own = own.map(|grade| Child { score: grade.score, letter: grade.letter(), machines: grade.coverage.expected });
    let whole = grade_parent(judge.rules(), own.into_iter().chain(views.iter().map(as_child)));
    (views, Some(whole))
}

/// An office with all below it. The tree has no circles: an office is made below one that exists and never moved.
fn child(judge: &Judge, row: &GradeRow, below: &BTreeMap<&str, Vec<&GradeRow>>) -> ChildView {
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    let own = ChildView {
        office: row.office.clone(),
        name: row.name.clone(),
        kind: row.kind,
        score: row.score.map(Points),
        letter: row.letter.as_deref().and_then(letter_read),
        colour: Colour::of(row.letter.as_deref().and_then(letter_read)),
        expected: count(row.expected),
        covered: count(row.covered),
    };
    let Some(rows) = below.get(row.office.as_str()) else { return own };
    let views: Vec<ChildView> = rows.iter().map(|row| child(judge, row, below)).collect();
    let whole = grade_parent(judge.rules(), std::iter::once(&own).chain(&views).map(as_child));
    ChildView {
        score: whole.score,
        letter: whole.letter(),
        colour: whole.colour(),
        expected: own.expected + views.iter().map(|view| view.expected).sum::<u64>(),
        covered: own.covered + views.iter().map(|view| view.covered).sum::<u64>(),
        ..own
    }
}

fn as_child(view: &ChildView) -> Child {
    Child { score: view.score.unwrap_or(Points::ZERO), letter: view.letter, machines: view.expected }
}

/// Puts every outcome of every machine into the view of an office, for a program that reads it.
///
/// # Errors
/// When the database fails.
pub async fn outcomes_add(tx: &mut Tx, judge: &Judge, view: &mut OfficeView) -> StoreResult<()> {
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

/// Everything about a machine as at `now`. What was found is evaluated again as at the instant of its judgement, so that it is
/// what the kept verdict rests on.
///
/// # Errors
/// [`crate::store::StoreError::NotFound`] when it is not within `scope`.
pub async fn machine_view(
    tx: &mut Tx,
    judge: Option<&Judge>,
    scope: &Scope,
    machine: &str,
    now: Timestamp,
) -> StoreResult<MachineView> {
    let machine = tx.machine_require(scope, machine).await?;
    let rows = office_rows(tx, scope, &machine.office).await?;
    let history = tx.outcome_change_list(scope, &machine.id, HISTORY).await?;
    let facts = tx.facts_load(std::slice::from_ref(&machine.id)).await?.remove(&machine.id);
    let place = rows.places.iter().position(|place| place.machine.as_ref().is_some_and(|m| m.id == machine.id));
    let grade = judge.zip(place).and_then(|(judge, place)| rows.grade(judge, now).machines.into_iter().nth(place));
    let place = place.and_then(|place| rows.places.get(place));
    let judged = place.and_then(|place| place.machine.as_ref());
    let judgement = judged.and_then(|judged| judged.judgement.as_ref());
    let agent = judged.and_then(|judged| judged.agent.clone());
    let outcomes = judge.zip(judged).map_or_else(Vec::new, |(judge, judged)| {
        if judged.received_at.is_none() {
            return Vec::new();
        }
        outcomes(judge, machine.role, facts.as_ref(), judgement, now)
    });
    Ok(MachineView {
        line: place.and_then(|place| place.line.clone()),
        received_at: judged.and_then(|judged| judged.received_at),
        old_agent_until: agent.as_ref().and_then(|agent| old_agent_until(&rows.schema_known, agent)),
        agent,
        judged_at: judgement.map(|judgement| judgement.judged_at),
        policy: judgement.map(|judgement| judgement.policy.clone()),
        grade,
        outcomes,
        history,
        machine,
    })
}

fn outcomes(
    judge: &Judge,
    role: Role,
    facts: Option<&Facts>,
    judgement: Option<&Judgement>,
    now: Timestamp,
) -> Vec<OutcomeView> {
    let nothing = Facts::unknown(Reason::NotCollected);
    let facts = facts.unwrap_or(&nothing);
    let at = judgement.map_or(now, |judgement| instant(judgement.judged_at));
    let states: BTreeMap<&str, &VerdictState> = judgement
        .iter()
        .flat_map(|judgement| judgement.verdicts.iter())
        .map(|state| (state.control.as_str(), state))
        .collect();
    let controls = judge.set().controls(policy_role(role));
    let weights = judge.set().office().weights;
    judge
        .outcomes(policy_role(role), facts, at)
        .into_iter()
        .filter_map(|mut outcome| {
            let control = controls.control(&outcome.control)?;
            let state = states.get(outcome.control.as_str());
            let waived = state.is_some_and(|state| state.verdict == Verdict::Waived);
            outcome.verdict = with_waiver(outcome.verdict, waived);
            Some(OutcomeView {
                title: control.title().clone(),
                severity: control.severity(),
                weight: weights.get(control.severity()),
                duty: control.duty(),
                lifted_by: control.lifted_by(),
                minutes: control.minutes(),
                clauses: control.clauses().to_vec(),
                fix: control.fix_for(facts, at).to_vec(),
                since_at: state.map(|state| state.since_at),
                failing_since_at: state.and_then(|state| state.failing_since_at),
                outcome,
            })
        })
        .collect()
}
