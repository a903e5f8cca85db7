//! The grade of one office: the mean of its machines, the letter and why.

use jiff::Timestamp;

use super::exact::Exact;
use super::machine::View;
use super::survey::Survey;
use super::{
    Attested, Cap, CapState, Grade, LetterResult, Machine, MachineGrade, MachineState, NoLetter, OfficeState, Points,
    RosterState, Rules, caps, ledger,
};
use crate::calendar::after_days;
use crate::policy::{Letter, LiftedBy};

/// Grades an office as of `now`.
///
/// The score is the technical part (the mean over the expected machines) and the attested part, in the policy's shares. The
/// score and the points of the ledger add up to [`Points::FULL`] for every office. The score is the exact value rounded
/// down to a millionth, and every threshold is a whole number of points, so the letter is that of the exact value.
pub fn grade_office(rules: &Rules, office: &OfficeState, now: Timestamp) -> Grade {
    let survey = Survey::new(rules, &office.machines, now);
    let score = score(&survey, &office.attested, View::Overall).unwrap_or(Points::ZERO);
    let caps = caps::caps(&survey);
    Grade {
        score,
        on_spot: self::score(&survey, &office.attested, View::OnSpot),
        without_waivers: self::score(&survey, &office.attested, View::WithoutWaivers).unwrap_or(Points::ZERO),
        result: letter_result(&survey, office, score, &caps),
        ledger: ledger::ledger(&survey, &office.attested, score, &caps),
        caps,
        coverage: survey.coverage(),
        machines: survey.machine_grades(),
        calendar_known: survey.calendar.is_known(now),
        organisational: Vec::new(),
    }
}

/// How one machine counts at `now`, as in [`Grade::machines`] of its office; other machines do not matter.
pub fn grade_machine(rules: &Rules, machine: &Machine, now: Timestamp) -> Option<MachineGrade> {
    Survey::new(rules, std::slice::from_ref(machine), now).machine_grades().pop()
}

/// True when evidence observed at `observed_at` still counts at `now`, as that of a machine does.
pub fn is_fresh(rules: &Rules, observed_at: Timestamp, now: Timestamp) -> bool {
    Survey::new(rules, &[], now).is_fresh(observed_at)
}

/// The letter of `score` under the caps that hold.
pub(crate) fn letter_under_caps(rules: &Rules, score: Points, caps: &[Cap]) -> Letter {
    caps.iter()
        .filter(|cap| matches!(cap.state, CapState::Holding { .. }))
        .map(|cap| cap.at_most)
        .fold(letter_by_score(rules, score), Letter::max)
}

/// The letter of `score` alone, without caps.
pub(crate) fn letter_by_score(rules: &Rules, score: Points) -> Letter {
    let reached = |letter: &Letter| score >= Points::whole(rules.office.letters.lowest(*letter));
    Letter::ALL.into_iter().find(reached).unwrap_or(Letter::E)
}

fn letter_result(survey: &Survey<'_>, office: &OfficeState, score: Points, caps: &[Cap]) -> LetterResult {
    let reason = if office.roster == RosterState::Undeclared {
        NoLetter::NoRoster
    } else if let Some(until) = start_up(survey, office) {
        NoLetter::StartUp { until }
    } else if survey.expected().next().is_none() {
        NoLetter::NoMachine
    } else {
        return LetterResult::Letter {
            letter: letter_under_caps(survey.rules, score, caps),
            by_score: letter_by_score(survey.rules, score),
        };
    };
    LetterResult::NoLetter { reason }
}

/// The end of the start-up when the office is in it; no end while nothing has enrolled.
fn start_up(survey: &Survey<'_>, office: &OfficeState) -> Option<Option<Timestamp>> {
    let days = survey.rules.office.start_up.days;
    let until = match (office.start_up_until, office.first_enrolled_at) {
        (Some(until), _) => until,
        (None, _) if days == 0 => return None,
        (None, None) => return Some(None),
        (None, Some(first)) => after_days(first, days),
    };
    (survey.now < until).then_some(Some(until))
}

/// The score for `view`; `None` when nothing counts in it.
///
/// Overall, a part without anything in it has earned nothing. On the spot, a machine or a part where nothing can be done on
/// the spot is left out of the mean.
pub(crate) fn score(survey: &Survey<'_>, attested: &[Attested], view: View) -> Option<Points> {
    let shares = survey.rules.office.shares;
    let machines = machine_fractions(survey, view);
    let weights = attested_weights(survey, attested, view);
    let (technical, organisational) = match (machines.is_empty(), weights.1 == 0) {
        (true, true) if view == View::OnSpot => return None,
        (false, true) if view == View::OnSpot => (100, 0),
        (true, false) if view == View::OnSpot && shares.organisational_percent > 0 => (0, 100),
        _ => (u64::from(shares.technical_percent), u64::from(shares.organisational_percent)),
    };
    let mut exact = Exact::default();
    let count = machines.len() as u64;
    for (passed, applicable) in machines {
        exact.add(passed * technical, applicable * count * 100);
    }
    exact.add(weights.0 * organisational, weights.1 * 100);
    i64::try_from(exact.whole(Points::FULL.0.unsigned_abs())).ok().map(Points)
}

/// What every machine in the mean earned, and out of what: 0 of 1 for one without a score.
fn machine_fractions(survey: &Survey<'_>, view: View) -> Vec<(u64, u64)> {
    survey
        .expected()
        .filter_map(|member| match survey.earned(member, view) {
            Some((passed, applicable)) if applicable > 0 => Some((passed, applicable)),
            Some(_) if view == View::OnSpot && member.state == MachineState::Scored => None,
            _ => Some((0, 1)),
        })
        .collect()
}

/// Fulfilled and total weight of the attested controls.
fn attested_weights(survey: &Survey<'_>, attested: &[Attested], view: View) -> (u64, u64) {
    attested
        .iter()
        .filter(|item| view != View::OnSpot || item.control.lifted_by == LiftedBy::OnSpot)
        .map(|item| (item.fulfilled, u64::from(survey.rules.office.weights.get(item.control.severity))))
        .fold((0, 0), |(held, asked), (fulfilled, weight)| (held + if fulfilled { weight } else { 0 }, asked + weight))
}
