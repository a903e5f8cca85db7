//! Every machine of an office in one pass: how it counts, its sums, and from when it is missing. Letter, caps, ledger and
//! plan are all computed from this.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::machine::{Loss, Tally, View, causes, tally};
use super::{Away, Coverage, Machine, MachineGrade, MachineState, RosterStatus, Rules};
use crate::calendar::{Calendar, after_days};
use crate::outcome::Verdict;
use crate::policy::{LiftedBy, Severity};

/// A machine that has been silent this long may be missed soon: the coming cap on coverage is announced. Machines report
/// at least daily.
const SILENT_AFTER_WORKING_DAYS: u32 = 1;

/// Evidence from later than this after now was dated by a clock that was ahead; its age is unknown, so it is not fresh.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// One machine and how it counts.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) state: MachineState,
    /// The sums that count; those of the last evidence when none count.
    pub(crate) tally: Tally<'a>,
    pub(crate) covered: bool,
    /// When its evidence becomes, or became, too old.
    pub(crate) stale_from: Option<Timestamp>,
    /// From when it is missing in the coverage, if there are signs of it: [`Timestamp::MIN`] when it never reported.
    pub(crate) missing_from: Option<Timestamp>,
    /// The critical failures that were seen and not since seen fixed, with when they were first seen.
    pub(crate) criticals: Vec<(&'a str, Timestamp)>,
}

/// All machines of an office at `now`.
#[derive(Clone, Debug)]
pub(crate) struct Survey<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) calendar: Calendar<'a>,
    pub(crate) now: Timestamp,
    /// Evidence from before this is stale.
    pub(crate) fresh_from: Timestamp,
    pub(crate) members: Vec<Member<'a>>,
}

impl<'a> Survey<'a> {
    pub(crate) fn new(rules: &'a Rules, machines: &'a [Machine], now: Timestamp) -> Self {
        let calendar = Calendar::new(&rules.office.calendar);
        let fresh_from = calendar.before_working_days(now, rules.office.evidence.stale_after_working_days);
        let mut survey = Self { rules, calendar, now, fresh_from, members: Vec::with_capacity(machines.len()) };
        survey.members = machines.iter().map(|machine| survey.member(machine)).collect();
        survey
    }

    /// The expected machines.
    pub(crate) fn expected(&self) -> impl Iterator<Item = &Member<'a>> {
        self.members.iter().filter(|member| !matches!(member.state, MachineState::Away | MachineState::Pending))
    }

    pub(crate) fn coverage(&self) -> Coverage {
        let (mut expected, mut covered) = (0, 0);
        for member in self.expected() {
            expected += 1;
            covered += u64::from(member.covered);
        }
        Coverage { expected, covered }
    }

    /// The same office with these machines replacing those with the same ids.
    pub(crate) fn with<'b>(&self, changed: &'b [Machine]) -> Survey<'b>
    where
        'a: 'b,
    {
        let survey: Survey<'b> = self.clone();
        let by_id: BTreeMap<&str, &'b Machine> = changed.iter().map(|machine| (machine.id.as_str(), machine)).collect();
        let members = survey
            .members
            .iter()
            .map(|member| match by_id.get(member.machine.id.as_str()) {
                Some(machine) => survey.member(machine),
                None => member.clone(),
            })
            .collect();
        Survey { members, ..survey }
    }

    /// What `member` earned, and out of what, for `view`; `None` when it has no score.
    pub(crate) fn earned(&self, member: &Member<'a>, view: View) -> Option<(u64, u64)> {
        let of = |tally: &Tally<'_>| (tally.passed, tally.applicable);
        match (member.state, view) {
            (MachineState::Scored, View::Overall) => Some(of(&member.tally)),
            (MachineState::Scored | MachineState::Unscored, View::WithoutWaivers) => {
                if member.tally.waived == 0 {
                    return Some(of(&member.tally));
                }
                Some(of(&self.tally(member.machine, self.fresh_from, view)))
            }
            (MachineState::Scored, View::OnSpot) => Some(of(&self.tally(member.machine, self.fresh_from, view))),
            _ => None,
        }
    }

    fn tally(&self, machine: &'a Machine, fresh_from: Timestamp, view: View) -> Tally<'a> {
        tally(self.rules.controls(machine.role), self.rules.office.weights, &machine.outcomes, fresh_from, view)
    }

    fn member(&self, machine: &'a Machine) -> Member<'a> {
        let stale_days = self.rules.office.evidence.stale_after_working_days;
        let stale_from = machine.evidence_at.map(|at| self.calendar.after_working_days(at, stale_days));
        let fresh = machine.evidence_at.is_some_and(|at| self.is_fresh(at));
        let tally = self.tally(machine, if fresh { self.fresh_from } else { Timestamp::MIN }, View::Overall);
        let state = match (&machine.roster_status, machine.evidence_at) {
            (RosterStatus::Pending, _) => MachineState::Pending,
            (RosterStatus::Away(away), at) if self.is_away(away, at) => MachineState::Away,
            (_, None) => MachineState::Unreported,
            _ if !fresh => MachineState::Stale,
            _ if tally.applicable == 0 => MachineState::Unscored,
            _ => MachineState::Scored,
        };
        let missing_from = self.missing_from(machine, stale_from);
        let covered = fresh && missing_from.is_none_or(|from| from >= self.now);
        let criticals = self.standing_criticals(machine);
        Member { machine, state, tally, covered, stale_from, missing_from, criticals }
    }

    pub(crate) fn is_fresh(&self, observed_at: Timestamp) -> bool {
        let believed = self.now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        observed_at >= self.fresh_from && observed_at <= believed
    }

    /// A line is away only with a person, an end within the policy's bound, and no report since it began.
    fn is_away(&self, away: &Away, evidence_at: Option<Timestamp>) -> bool {
        let latest_end = after_days(away.from, self.rules.office.roster.away_at_most_days);
        !away.person.trim().is_empty()
            && away.from <= self.now
            && self.now < away.until
            && away.until <= latest_end
            && evidence_at.is_none_or(|at| at <= away.from)
    }

    fn missing_from(&self, machine: &Machine, stale_from: Option<Timestamp>) -> Option<Timestamp> {
        let Some(evidence_at) = machine.evidence_at else { return Some(Timestamp::MIN) };
        let silent = evidence_at < self.calendar.before_working_days(self.now, SILENT_AFTER_WORKING_DAYS);
        let controls = self.rules.controls(machine.role);
        let days = self.rules.office.evidence.critical_unknown_after_days;
        let causes = causes(controls, &machine.outcomes, Timestamp::MIN);
        let unknown_from = machine
            .outcomes
            .iter()
            .filter(|outcome| outcome.verdict == Verdict::Unknown && !outcome.excused)
            .filter(|outcome| !causes.contains_key(outcome.control.as_str()))
            .filter(|outcome| controls.get(&outcome.control).is_some_and(|c| c.severity == Severity::Critical))
            .map(|outcome| after_days(outcome.since, days))
            .min();
        stale_from.filter(|_| silent).into_iter().chain(unknown_from).min()
    }

    /// The critical failures that were seen and not since seen fixed, with when they were first seen. What another
    /// failure explains counts for its cause; one that is waived, hidden or silent still counts.
    fn standing_criticals(&self, machine: &'a Machine) -> Vec<(&'a str, Timestamp)> {
        let controls = self.rules.controls(machine.role);
        let standing = machine.outcomes.iter().filter_map(|outcome| {
            let since = outcome.failing_since?;
            let stands = match outcome.verdict {
                Verdict::Fail | Verdict::Waived => true,
                Verdict::Unknown => !outcome.excused,
                Verdict::Pass | Verdict::NotApplicable => false,
            };
            let (id, control) = controls.get_key_value(&outcome.control)?;
            let may_cap = control.severity == Severity::Critical && control.lifted_by == LiftedBy::OnSpot;
            (stands && may_cap).then_some((id.as_str(), since))
        });
        let standing: Vec<_> = standing.collect();
        if standing.is_empty() {
            return standing;
        }
        let causes = causes(controls, &machine.outcomes, Timestamp::MIN);
        standing.into_iter().filter(|(id, _)| !causes.contains_key(id)).collect()
    }

    /// The grade of every machine.
    pub(crate) fn machine_grades(&self) -> Vec<MachineGrade> {
        self.members
            .iter()
            .map(|member| {
                let controls = self.rules.controls(member.machine.role);
                let count = |test: &dyn Fn(&super::machine::Lost<'_>) -> bool| {
                    let lost = member.tally.lost.iter().filter(|lost| test(lost)).count();
                    u32::try_from(lost).unwrap_or(u32::MAX)
                };
                let critical = |id: &str| controls.get(id).is_some_and(|c| c.severity == Severity::Critical);
                MachineGrade {
                    id: member.machine.id.clone(),
                    state: member.state,
                    score: member.machine.evidence_at.and_then(|_| member.tally.score()),
                    covered: member.covered,
                    stale_from: member.stale_from,
                    passed: member.tally.passed,
                    applicable: member.tally.applicable,
                    waived: member.tally.waived,
                    failed: count(&|lost| lost.loss == Loss::Failed),
                    unknown: count(&|lost| lost.loss != Loss::Failed),
                    critical_failed: count(&|lost| lost.loss == Loss::Failed && critical(lost.control)),
                }
            })
            .collect()
    }
}
