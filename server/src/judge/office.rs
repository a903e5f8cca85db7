//! From the store's rows to the input of a grade: roster lines and enrolled machines of one office become one list.

pub mod lan;

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::evaluate::evaluate_office;
use policies::grade::{
    self, Away, CapState, Grade, LetterResult, MachineGrade, NoLetter, OfficeState, RosterState, RosterStatus,
    grade_machine, grade_office,
};

use crate::policy::CompiledPolicy;
use crate::store::agent::AgentState;
use crate::store::judgement::{JudgedMachine, Judgement, VerdictState};
use crate::store::machine::{Machine, MachineStatus};
use crate::store::office::Office;
use crate::store::roster::{Roster, RosterLine};
use crate::store::section::Sections;
use crate::store::{Noun, Scope, StoreError, StoreResult, Tx};
use lan::{LanInUse, LanRows, lan_rows};

/// How long facts that an older agent misreads are left out of the sums, so that an office has time to replace it; not on machines where it
/// was replaced. Counted from the first start of a server that knows they are wrong. Milliseconds: 30 days.
const REPLACED_WITHIN: i64 = 30 * 24 * 60 * 60 * 1000;

/// A grade is remade after this long, whatever was predicted. Milliseconds.
pub(crate) const GRADE_AGAIN_AFTER: i64 = 60 * 60 * 1000;

/// A machine of an office: a line of its roster, an enrolled machine, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfficeMachine {
    /// Its id in the grade: the line's, else the machine's.
    pub id: String,
    /// Its roster line, if any.
    pub line: Option<RosterLine>,
    /// The enrolled machine, if any.
    pub machine: Option<JudgedMachine>,
}

/// Everything stored about one office that its grade depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct OfficeRows {
    /// The office.
    pub office: Office,
    /// The declaration of its roster, if any.
    pub roster: Option<Roster>,
    /// Its machines: the lines of the roster in order, then machines without a line by name.
    pub places: Vec<OfficeMachine>,
    /// When its first machine enrolled.
    pub first_enrolled_at: Option<i64>,
    /// When a server first ran that knows a version of the facts' meaning, by version.
    pub schema_known: BTreeMap<u32, i64>,
    /// Its network; empty when the policy has no control about an office.
    pub lan: LanRows,
}

/// Reads everything the grade of an office by `judge` depends on.
///
/// # Errors
/// [`StoreError::NotFound`] when it is not within `scope`.
pub async fn office_rows(
    tx: &mut Tx,
    judge: Option<&CompiledPolicy>,
    scope: &Scope,
    office: &str,
) -> StoreResult<OfficeRows> {
    let office = tx.office_get(scope, office).await?.ok_or_else(|| StoreError::not_found(Noun::Office, office))?;
    let roster = tx.roster_get(scope, &office.id).await?;
    let lines = tx.roster_line_list(scope, &office.id).await?;
    let machines = tx.machine_judged_list(scope, &office.id).await?;
    let schema_known = tx.schema_known().await?;
    let mut rows = OfficeRows::new(office, roster, lines, machines, schema_known);
    if judge.is_some_and(|judge| !judge.set().office_controls().is_empty()) {
        rows.lan = lan_rows(tx, scope, &rows.office.id, &rows.places).await?;
    }
    Ok(rows)
}

/// Marks machines that came back as a new machine with an older agent: the same hardware, whose previous machine was revoked.
fn mark_gone_back(machines: &mut [JudgedMachine]) {
    let mut before: BTreeMap<String, u32> = BTreeMap::new();
    for machine in machines.iter().filter(|machine| machine.status == MachineStatus::Revoked) {
        if let (Some(traits), Some(agent)) = (&machine.traits, &machine.agent) {
            let newest = before.entry(traits.clone()).or_default();
            *newest = agent.schema_best.max(*newest);
        }
    }
    for machine in machines {
        let before = machine.traits.as_ref().and_then(|traits| before.get(traits));
        if let (Some(agent), Some(&before)) = (&mut machine.agent, before) {
            agent.schema_best = agent.schema_best.max(before);
        }
    }
}

/// Everything the grade of one machine depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineRows {
    /// The machine within its office; `None` for a revoked machine without a line.
    pub place: Option<OfficeMachine>,
    /// As [`OfficeRows::schema_known`].
    pub schema_known: BTreeMap<u32, i64>,
}

/// Reads everything the grade of one machine depends on, without the others of its office.
///
/// # Errors
/// When the database fails.
pub async fn machine_rows(tx: &mut Tx, scope: &Scope, machine: &Machine) -> StoreResult<MachineRows> {
    let mut kin = tx.machine_judged_kin(scope, &machine.office, &machine.id).await?;
    mark_gone_back(&mut kin);
    kin.retain(|one| one.id == machine.id);
    let line = tx.roster_line_of_machine(scope, &machine.id).await?;
    let place = places(line.into_iter().filter(|line| line.office == machine.office).collect(), kin).pop();
    Ok(MachineRows { place, schema_known: tx.schema_known().await? })
}

impl MachineRows {
    /// How the machine counts as of `now`.
    pub fn grade(&self, judge: &CompiledPolicy, now: Timestamp) -> Option<MachineGrade> {
        let old_agents = OldAgents { known: &self.schema_known, now: now.as_millisecond() };
        grade_machine(judge.rules(), &self.place.as_ref()?.graded(judge, old_agents), now)
    }
}

fn places(lines: Vec<RosterLine>, machines: Vec<JudgedMachine>) -> Vec<OfficeMachine> {
    let order: Vec<String> = machines.iter().map(|machine| machine.id.clone()).collect();
    let mut machines: BTreeMap<String, JudgedMachine> =
        machines.into_iter().map(|machine| (machine.id.clone(), machine)).collect();
    let mut places: Vec<OfficeMachine> = lines
        .into_iter()
        .filter(|line| line.removed_at.is_none())
        .map(|line| {
            let machine = line.machine.as_ref().and_then(|machine| machines.remove(machine));
            OfficeMachine { id: line.id.clone(), machine, line: Some(line) }
        })
        .collect();
    let without_line = order.into_iter().filter_map(|id| machines.remove(&id));
    places.extend(
        without_line.filter(|machine| machine.status != MachineStatus::Revoked).map(|machine| OfficeMachine {
            id: machine.id.clone(),
            line: None,
            machine: Some(machine),
        }),
    );
    places
}

/// The grade of an office, and what it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct GradedOffice {
    /// The grade.
    pub grade: Grade,
    /// Its input.
    pub state: OfficeState,
    /// The network that the controls about the office as a whole were judged by.
    pub lan: LanInUse,
}

impl OfficeRows {
    /// An office with these lines and machines, each in order, without its network.
    pub(crate) fn new(
        office: Office,
        roster: Option<Roster>,
        lines: Vec<RosterLine>,
        mut machines: Vec<JudgedMachine>,
        schema_known: BTreeMap<u32, i64>,
    ) -> Self {
        mark_gone_back(&mut machines);
        let first_enrolled_at = machines.iter().map(|machine| machine.enrolled_at).min();
        let places = places(lines, machines);
        Self { office, roster, places, first_enrolled_at, schema_known, lan: LanRows::default() }
    }

    /// The grade as of `now`.
    pub fn grade(&self, judge: &CompiledPolicy, now: Timestamp) -> GradedOffice {
        let state = self.state(judge, now);
        let grade = grade_office(judge.rules(), &state, now);
        let lan = self.lan_in_use(judge, &grade.machines, now);
        let controls = judge.set().office_controls();
        let grade = if controls.is_empty() {
            grade
        } else {
            grade.with_organisational(controls, evaluate_office(controls, &lan.facts, now))
        };
        GradedOffice { grade, state, lan }
    }

    /// The first end of an absence after `now`: the machine is expected again from then on.
    pub fn absence_end(&self, now: i64) -> Option<i64> {
        let lines = self.places.iter().filter_map(|place| place.line.as_ref());
        lines.filter_map(|line| line.state_until_at).filter(|end| *end > now).min()
    }

    /// The office as input of the grade, as of `now`.
    fn state(&self, judge: &CompiledPolicy, now: Timestamp) -> OfficeState {
        let old_agents = OldAgents { known: &self.schema_known, now: now.as_millisecond() };
        // A declaration of an empty roster says nothing about what the office has.
        let declared = self.roster.is_some() && self.places.iter().any(|place| place.line.is_some());
        OfficeState {
            roster: if declared { RosterState::Declared } else { RosterState::Undeclared },
            first_enrolled_at: self.first_enrolled_at.map(instant),
            start_up_until: self.office.setup_until_at.map(instant),
            machines: self.places.iter().map(|place| place.graded(judge, old_agents)).collect(),
            attested: Vec::new(),
        }
    }
}

/// Until when facts an agent misreads are left out of the sums, counted from when its first successor was known: further versions do not
/// extend it. `None` for an agent that is not too old, that came back after a newer one, or before any server knew better.
pub fn old_agent_until(known: &BTreeMap<u32, i64>, agent: &AgentState) -> Option<i64> {
    let excused = agent.too_old && !agent.gone_back();
    let newer = known.range(agent.schema.saturating_add(1)..).map(|(_, since)| *since).min();
    newer.filter(|_| excused).map(|since| since.saturating_add(REPLACED_WITHIN))
}

/// Decides whether facts that older agents misread are left out of the sums.
#[derive(Clone, Copy)]
struct OldAgents<'a> {
    known: &'a BTreeMap<u32, i64>,
    now: i64,
}

impl OldAgents<'_> {
    /// Whether a verdict is left out of the sums, and since when it counts. Only an agent known to be old is treated as too old;
    /// its unknown counts from the end of that period, or at once if the machine had a newer agent before.
    fn excuse(self, machine: &JudgedMachine, state: &VerdictState) -> (bool, i64) {
        let excused = |agent: &AgentState| agent.too_old && !agent.gone_back();
        let too_old = state.agent_too_old && machine.agent.as_ref().is_some_and(excused);
        let until = machine.agent.as_ref().and_then(|agent| old_agent_until(self.known, agent));
        match until {
            Some(until) if too_old && self.now >= until => (false, state.since_at.max(until)),
            _ => (state.no_reader || too_old, state.since_at),
        }
    }
}

impl OfficeMachine {
    fn graded(&self, judge: &CompiledPolicy, old_agents: OldAgents<'_>) -> grade::Machine {
        let role = match (&self.machine, &self.line) {
            (Some(machine), _) => machine.role,
            (None, Some(line)) => line.role,
            (None, None) => policies::policy::Role::Workstation,
        };
        let pending = self.machine.as_ref().is_some_and(|machine| machine.status == MachineStatus::Pending);
        let roster_status = match &self.line {
            Some(line) => roster_status(line),
            None if pending => RosterStatus::Pending,
            None => RosterStatus::Expected,
        };
        let (evidence_at, outcomes) =
            self.machine.as_ref().map_or((None, Vec::new()), |machine| evidence(judge, machine, old_agents));
        grade::Machine { id: self.id.clone(), role, roster_status, evidence_at, outcomes }
    }
}

fn roster_status(line: &RosterLine) -> RosterStatus {
    let Some(reason) = line.state.away() else { return RosterStatus::Expected };
    let from = line.state_from_at.unwrap_or(line.created_at);
    RosterStatus::Away(Away {
        reason,
        person: line.state_by.clone().unwrap_or_default(),
        from: instant(from),
        // Without an end the machine is not away.
        until: instant(line.state_until_at.unwrap_or(from)),
    })
}

/// When the newest evidence of a machine was observed, and its verdicts with the age of the evidence for each.
fn evidence(
    judge: &CompiledPolicy,
    machine: &JudgedMachine,
    old_agents: OldAgents<'_>,
) -> (Option<Timestamp>, Vec<grade::Judged>) {
    let Some(received_at) = machine.received_at else { return (None, Vec::new()) };
    let sections = machine.sections.as_deref().unwrap_or_default();
    let sections = Sections::decode(sections, machine.seen.as_deref().unwrap_or_default());
    let newest = sections.0.values().map(|section| section.observed_at).max().unwrap_or(received_at);
    let observed_at = |judgement: &Judgement, control: &str| {
        judge
            .sections_read(judgement.role, control)
            .iter()
            .filter_map(|section| sections.0.get(section.name()))
            .map(|section| section.observed_at)
            .min()
            .unwrap_or(newest)
    };
    let outcomes = machine.judgement.iter().flat_map(|judgement| {
        judgement.verdicts.iter().map(move |state| {
            let (excused, since) = old_agents.excuse(machine, state);
            grade::Judged {
                control: state.control.clone(),
                verdict: state.verdict,
                since: instant(since),
                failing_since: state.failing_since_at.map(instant),
                observed_at: instant(observed_at(judgement, &state.control)),
                excused,
                implied_by: state.implied_by.clone(),
            }
        })
    });
    (Some(instant(newest)), outcomes.collect())
}

/// When a grade must be remade without any event: the first change it predicts, and at least every hour.
pub fn next_at(grade: &Grade, now: i64) -> i64 {
    let caps = grade.caps.iter().filter_map(|cap| match cap.state {
        CapState::Announced { from } => Some(from),
        CapState::Holding { .. } => None,
    });
    let start_up = match grade.result {
        LetterResult::NoLetter { reason: NoLetter::StartUp { until } } => until,
        _ => None,
    };
    grade
        .machines
        .iter()
        .filter_map(|machine| machine.stale_from)
        .chain(caps)
        .chain(start_up)
        // Plus one: something is older than an instant only from the next millisecond.
        .map(|at| at.as_millisecond().saturating_add(1))
        .filter(|at| *at > now)
        .fold(now.saturating_add(GRADE_AGAIN_AFTER), i64::min)
}

/// Milliseconds of the store as an instant; out of range becomes the end of time.
pub fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
