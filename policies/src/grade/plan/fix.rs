//! Single fixes: what they are, what each gains and costs, and the office as it would be after some of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::grade::ledger::{MINUTES_TO_ENROL, MINUTES_TO_WAKE, kind, lifted_by};
use crate::grade::survey::{Member, Survey};
use crate::grade::{Cap, CapKind, CapState, Judged, LineKind, Machine, MachineState, Points, RosterStatus};
use crate::outcome::Verdict;
use crate::policy::{Letter, LiftedBy, Role};

/// Why a fix is at its place in a plan, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixReason {
    /// It lifts a cap.
    Cap,
    /// A critical failure.
    Critical,
    /// It brings points.
    Points,
}

/// One thing to do on one machine.
#[derive(Clone, Debug)]
pub(super) struct Fix<'a> {
    pub(super) why: FixReason,
    pub(super) kind: LineKind,
    pub(super) control: Option<&'a str>,
    pub(super) machine: &'a str,
    pub(super) minutes: u32,
    pub(super) lifted_by: LiftedBy,
    /// The points it brings by itself.
    pub(super) gain: Points,
}

/// A machine with the median score for each role, used as a model for machines that never reported.
pub(super) type Exemplars<'a> = BTreeMap<Role, &'a Member<'a>>;

pub(super) fn exemplars<'a>(survey: &'a Survey<'a>) -> Exemplars<'a> {
    let scored = |role: Option<Role>| {
        let of_role = |member: &&Member<'_>| role.is_none_or(|role| member.machine.role == role);
        let mut members: Vec<&Member<'a>> =
            survey.expected().filter(|member| member.state == MachineState::Scored).filter(of_role).collect();
        members.sort_by_key(|member| member.tally.score());
        (!members.is_empty()).then(|| members[(members.len() - 1) / 2])
    };
    Role::ALL.iter().filter_map(|&role| Some((role, scored(Some(role)).or_else(|| scored(None))?))).collect()
}

/// Every fix, in the order in which a plan takes them.
pub(super) fn candidates<'a>(
    survey: &'a Survey<'a>,
    exemplars: &Exemplars<'_>,
    caps: &[Cap],
    target: Letter,
) -> Vec<Fix<'a>> {
    let whole = i64::from(survey.rules.office.shares.technical_percent) * Points::ONE.0;
    let count = i64::try_from(survey.coverage().expected).unwrap_or(i64::MAX).max(1);
    let part = |passed: u64, applicable: u64| {
        let exact = i128::from(whole) * i128::from(passed) / (i128::from(applicable.max(1)) * i128::from(count));
        Points(i64::try_from(exact).unwrap_or(0))
    };
    let capped = |kind: CapKind| {
        let holds = |state: CapState| matches!(state, CapState::Holding { .. });
        caps.iter().any(|cap| cap.kind == kind && cap.at_most > target && holds(cap.state))
    };
    let critical =
        if capped(CapKind::Critical) || capped(CapKind::Widespread) { FixReason::Cap } else { FixReason::Critical };
    let mut fixes = Vec::new();
    for member in survey.expected() {
        let machine = member.machine.id.as_str();
        let controls = survey.rules.controls(member.machine.role);
        let standing: BTreeSet<&str> = member.criticals.iter().map(|(id, _)| *id).collect();
        let fix = |id: &'a str, kind: LineKind, why: FixReason, gain: Points| {
            let control = controls.get(id)?;
            let (minutes, lifted_by) = (control.minutes, lifted_by(kind, Some(control)));
            Some(Fix { why, kind, control: Some(id), machine, minutes, lifted_by, gain })
        };
        let report = |kind, minutes, gain| {
            let why = FixReason::Points;
            Fix { why, kind, control: None, machine, minutes, lifted_by: LiftedBy::OnSpot, gain }
        };
        match member.state {
            MachineState::Unreported => {
                let like = exemplars.get(&member.machine.role).map(|like| (like.tally.passed, like.tally.applicable));
                let gain = like.map_or(Points::ZERO, |(passed, applicable)| part(passed, applicable));
                fixes.push(report(LineKind::Unreported, MINUTES_TO_ENROL, gain));
            }
            MachineState::Stale => {
                let gain = part(member.tally.passed, member.tally.applicable);
                fixes.push(report(LineKind::Stale, MINUTES_TO_WAKE, gain));
                fixes.extend(standing.iter().filter_map(|id| fix(id, LineKind::Failed, critical, Points::ZERO)));
            }
            MachineState::Scored | MachineState::Unscored => {
                for lost in &member.tally.lost {
                    let uncovers = !member.covered && lost.loss == crate::grade::machine::Loss::Unknown;
                    let why = match (standing.contains(lost.control), uncovers && capped(CapKind::Coverage)) {
                        (true, _) => critical,
                        (false, true) => FixReason::Cap,
                        (false, false) => FixReason::Points,
                    };
                    fixes.extend(fix(lost.control, kind(lost.loss), why, part(lost.weight, member.tally.applicable)));
                }
                let listed: BTreeSet<&str> = member.tally.lost.iter().map(|lost| lost.control).collect();
                for outcome in member.machine.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Waived) {
                    let Some((id, _)) = controls.get_key_value(&outcome.control) else { continue };
                    let caps = standing.contains(id.as_str()) || capped(CapKind::Waived);
                    if caps && !listed.contains(id.as_str()) {
                        let why = if capped(CapKind::Waived) { FixReason::Cap } else { critical };
                        fixes.extend(fix(id, LineKind::Failed, why, Points::ZERO));
                    }
                }
            }
            MachineState::Away | MachineState::Pending => {}
        }
    }
    if capped(CapKind::Coverage) {
        wake_enough(survey, &mut fixes);
    }
    fixes.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| worth(b, a)).then_with(|| key(a).cmp(&key(b))));
    fixes
}

/// Marks as many machines as the coverage needs, those with the most points per minute first.
fn wake_enough(survey: &Survey<'_>, fixes: &mut [Fix<'_>]) {
    let rule = survey.rules.office.caps.coverage;
    let coverage = survey.coverage();
    let allowed = coverage.expected * u64::from(100_u32.saturating_sub(rule.under_percent)) / 100;
    let allowed = allowed.max(u64::from(rule.at_least_missing.saturating_sub(1)));
    let needed = usize::try_from(coverage.missing().saturating_sub(allowed)).unwrap_or(usize::MAX);
    let mut reports: Vec<usize> = (0..fixes.len()).filter(|&index| fixes[index].control.is_none()).collect();
    reports.sort_by(|&a, &b| worth(&fixes[b], &fixes[a]).then_with(|| key(&fixes[a]).cmp(&key(&fixes[b]))));
    for index in reports.into_iter().take(needed) {
        fixes[index].why = FixReason::Cap;
    }
}

/// What an office can do itself comes before what needs money or a superior.
fn rank(fix: &Fix<'_>) -> (FixReason, LiftedBy) {
    (fix.why, fix.lifted_by)
}

/// Compares points per minute without dividing.
fn worth(a: &Fix<'_>, b: &Fix<'_>) -> std::cmp::Ordering {
    let cross = |gain: Points, minutes: u32| i128::from(gain.0) * i128::from(minutes.max(1));
    cross(a.gain, b.minutes).cmp(&cross(b.gain, a.minutes))
}

fn key<'a>(fix: &Fix<'a>) -> (Option<&'a str>, &'a str) {
    (fix.control, fix.machine)
}

/// The machines that these fixes change, as they would be: fixed controls pass, with what they explained; silent machines have reported.
pub(super) fn carry_out(
    survey: &Survey<'_>,
    fixes: &[&Fix<'_>],
    exemplars: &Exemplars<'_>,
    now: Timestamp,
) -> Vec<Machine> {
    let mut by_machine: BTreeMap<&str, Vec<&Fix<'_>>> = BTreeMap::new();
    for fix in fixes {
        by_machine.entry(fix.machine).or_default().push(fix);
    }
    let changed = survey.members.iter().filter_map(|member| {
        let fixes = by_machine.get(member.machine.id.as_str())?;
        let mut machine = member.machine.clone();
        if fixes.iter().any(|fix| fix.control.is_none()) {
            if machine.evidence_at.is_none() {
                let like = exemplars.get(&machine.role).map(|like| like.machine.outcomes.clone());
                machine.outcomes = like.unwrap_or_default();
            }
            machine.evidence_at = Some(now);
            machine.roster_status = RosterStatus::Expected;
            machine.outcomes.iter_mut().for_each(|outcome| outcome.observed_at = now);
        }
        let fixed: BTreeSet<&str> = fixes.iter().filter_map(|fix| fix.control).collect();
        hold(&mut machine.outcomes, &fixed, now);
        Some(machine)
    });
    changed.collect()
}

/// Makes `fixed` pass, and what they explained.
fn hold(outcomes: &mut [Judged], fixed: &BTreeSet<&str>, now: Timestamp) {
    let mut held: BTreeSet<String> = fixed.iter().map(|id| (*id).to_owned()).collect();
    loop {
        let before = held.len();
        for outcome in outcomes.iter() {
            if outcome.implied_by.as_ref().is_some_and(|cause| held.contains(cause)) {
                held.insert(outcome.control.clone());
            }
        }
        if held.len() == before {
            break;
        }
    }
    for outcome in outcomes.iter_mut().filter(|outcome| held.contains(&outcome.control)) {
        let explained = !fixed.contains(outcome.control.as_str());
        if explained && !matches!(outcome.verdict, Verdict::Fail | Verdict::Unknown) {
            continue;
        }
        *outcome = Judged {
            verdict: Verdict::Pass,
            since: now,
            failing_since: None,
            observed_at: now,
            excused: false,
            implied_by: None,
            control: std::mem::take(&mut outcome.control),
        };
    }
}
