//! Worked examples and laws of plans, movements, parents and frozen figures.

use jiff::SignedDuration;
use jiff::civil::date;
use proptest::prelude::*;

use super::laws::office;
use crate::grade::sample::{failed, failed_since, machine, now, rules, state, unreported};
use crate::grade::{
    Cause, Child, DailyScore, Figures, FixReason, LetterResult, LineKind, Machine, Movement, NoLetter, OfficeState,
    Plan, Points, frozen_score, grade_office, grade_parent, plan_next_letter,
};
use crate::policy::Letter;

fn plan(machines: impl IntoIterator<Item = Machine>) -> Option<Plan> {
    plan_next_letter(&rules(), &state(machines), now())
}

fn steps(plan: &Plan) -> Vec<(FixReason, Option<&str>, usize)> {
    plan.steps.iter().map(|step| (step.why, step.control.as_deref(), step.machines.len())).collect()
}

/// Four of nineteen and two of nineteen missing: 68.4, C. The firewall alone (4 for 5 minutes) reaches B; the clock is not
/// needed.
#[test]
fn the_cheapest_fixes_reach_the_next_letter() {
    let plan = plan([machine("pc", [failed("firewall"), failed("clock")])]).unwrap();
    assert_eq!((plan.target, plan.letter, plan.minutes), (Letter::B, Letter::B, 5));
    assert_eq!(steps(&plan), [(FixReason::Points, Some("firewall"), 1)]);
    assert_eq!(plan.score, Points(89_473_684));
    assert!(!plan.foretold);
}

/// What the office can do itself comes before what needs money, though that would bring more.
#[test]
fn what_needs_money_comes_last() {
    let plan = plan([machine("pc", [failed("supported"), failed("clock")])]).unwrap();
    assert_eq!(steps(&plan), [(FixReason::Points, Some("clock"), 1)]);
    let plan = plan_next_letter(&rules(), &state([machine("pc", [failed("supported")])]), now()).unwrap();
    assert_eq!(steps(&plan), [(FixReason::Points, Some("supported"), 1)]);
}

/// A cap is lifted first: with one old critical failure among twenty machines nothing else is needed for A.
#[test]
fn caps_come_first() {
    let mut machines: Vec<Machine> = (0..19).map(|n| machine(&format!("good-{n}"), [failed("banner")])).collect();
    machines.push(machine("bad", [failed_since("antivirus", "2026-10-26T14:00:00+07"), failed("clock")]));
    let plan = plan(machines).unwrap();
    assert_eq!(plan.target, Letter::A);
    assert_eq!(steps(&plan), [(FixReason::Cap, Some("antivirus"), 1)]);
    assert_eq!(plan.letter, Letter::A);
}

/// Missing machines are made to report, as many as the coverage needs, and are assumed to be like the median machine.
#[test]
fn machines_that_never_reported_are_foretold() {
    let mut machines: Vec<Machine> = (0..7).map(|n| machine(&format!("good-{n}"), [])).collect();
    machines.extend(["x", "y", "z"].map(unreported));
    let plan = plan(machines).unwrap();
    assert_eq!((plan.target, plan.letter, plan.foretold), (Letter::B, Letter::A, true));
    assert_eq!(plan.steps[0].kind, LineKind::Unreported);
    assert_eq!((plan.steps[0].machines.len(), plan.minutes), (2, 30));
}

/// An A has no next letter; when nothing can be done the plan gives the letter that remains.
#[test]
fn no_plan_beyond_a() {
    assert_eq!(plan([machine("pc", [])]), None);
    let mut strange = machine("strange", []);
    strange.outcomes.clear();
    let plan = plan([strange]).unwrap();
    assert_eq!((plan.letter, plan.steps.len()), (Letter::E, 0));
}

/// One machine is fixed (+2 of 19 on one of two machines), then a third that never reported joins the roster.
#[test]
fn a_movement_has_three_parts() {
    let rules = rules();
    let before = grade_office(&rules, &state([machine("a", [failed("clock")]), machine("b", [])]), now());
    let fixed = grade_office(&rules, &state([machine("a", []), machine("b", [])]), now());
    let moved = Movement::between(&rules, &before, &fixed, Cause::Office);
    assert_eq!((moved.office, moved.roster, moved.policy), (Points(5_263_158), Points::ZERO, Points::ZERO));
    let joined = grade_office(&rules, &state([machine("a", []), machine("b", []), unreported("c")]), now());
    let moved = Movement::between(&rules, &fixed, &joined, Cause::Office);
    assert_eq!((moved.office, moved.roster), (Points::ZERO, Points(-33_333_334)));
    // Both at once.
    let both = Movement::between(&rules, &before, &joined, Cause::Office);
    assert_eq!(both.total(), joined.score - before.score);
    assert!(both.roster < Points::ZERO && both.office > Points::ZERO);
    let policy = Movement::between(&rules, &before, &fixed, Cause::Policy);
    assert_eq!((policy.office, policy.policy), (Points::ZERO, Points(5_263_158)));
}

/// 90 with 30 machines and 60 with 10: 82.5. Offices without a letter block the letter when they have too many machines.
#[test]
fn a_parent_is_the_mean_of_its_children_by_machines() {
    let child = |points: u32, machines, letter| Child { score: Points::whole(points), letter, machines };
    let parent =
        grade_parent(&rules(), [child(90, 30, Some(Letter::A)), child(60, 10, Some(Letter::C)), child(0, 0, None)]);
    assert_eq!((parent.score, parent.letter()), (Some(Points(82_500_000)), Some(Letter::B)));
    assert_eq!((parent.machines, parent.children, parent.with_letter), (40, 2, 2));
    let parent = grade_parent(&rules(), [child(90, 30, Some(Letter::A)), child(95, 10, None)]);
    assert_eq!(parent.result, LetterResult::NoLetter { reason: NoLetter::ChildrenWithout });
    assert_eq!(parent.score, Some(Points(91_250_000)));
    assert_eq!(grade_parent(&rules(), []).score, None);
}

/// Each part counts by its machines, at any depth; what nobody can fix on the spot is left out of that mean.
#[test]
fn figures_roll_up_from_below() {
    let part = |points: u32, expected, below| Figures {
        score: Some(Points::whole(points)),
        letter: Some(Letter::A),
        on_spot: Some(Points::whole(points)),
        expected,
        covered: expected - 1,
        below,
    };
    let own = Figures { on_spot: None, ..part(60, 10, 0) };
    let (whole, grade) = own.roll_up(&[part(90, 20, 3), part(91, 10, 0)], Some(&rules()));
    assert_eq!(whole.score, Some(Points(82_750_000)));
    assert_eq!((grade.unwrap().score, grade.unwrap().machines, grade.unwrap().children), (whole.score, 40, 3));
    assert_eq!(whole.on_spot, Some(Points(90_333_333)), "rounded down");
    assert_eq!((whole.expected, whole.covered, whole.below), (40, 37, 5));
    assert_eq!(own.roll_up(&[], Some(&rules())), (own, None));
    let (ungraded, none) = own.roll_up(&[part(90, 20, 0)], None);
    assert_eq!((ungraded.score, ungraded.letter, ungraded.expected, none), (None, None, 30, None));
}

/// The mean of the days that have a score; a second score of a day is a correction and changes nothing.
#[test]
fn frozen_figures_are_means_of_days() {
    let day = |day, points| DailyScore { day: date(2026, 11, day), score: Points::whole(points) };
    let scores = [day(1, 10), day(2, 80), day(3, 90), day(3, 10), day(5, 91)];
    let frozen = frozen_score(&scores, date(2026, 11, 2), date(2026, 11, 30)).unwrap();
    assert_eq!((frozen.score, frozen.days), (Points::whole(87), 3));
    assert_eq!((frozen.first, frozen.last), (date(2026, 11, 2), date(2026, 11, 5)));
    assert_eq!(frozen_score(&scores, date(2026, 12, 1), date(2026, 12, 31)), None);
}

proptest! {
    /// A movement's parts add up exactly, between any two offices.
    #[test]
    fn a_movement_adds_up(before in office(), after in office(), policy in any::<bool>()) {
        let rules = rules();
        let (before, after) = (grade_office(&rules, &before, now()), grade_office(&rules, &after, now()));
        let cause = if policy { Cause::Policy } else { Cause::Office };
        prop_assert_eq!(Movement::between(&rules, &before, &after, cause).total(), after.score - before.score);
    }

    /// When nothing but the machines' evidence changes, the roster has no part.
    #[test]
    fn evidence_is_no_roster_change(office in office(), hours in 0..48_i64) {
        let rules = rules();
        let later: OfficeState = OfficeState {
            machines: office.machines.iter().map(|machine| Machine {
                evidence_at: machine.evidence_at.map(|at| at - SignedDuration::from_hours(hours)),
                ..machine.clone()
            }).collect(),
            ..office.clone()
        };
        prop_assume!(office.machines.iter().all(|machine| machine.roster_status == crate::grade::RosterStatus::Expected));
        let moved = Movement::between(&rules, &grade_office(&rules, &office, now()), &grade_office(&rules, &later, now()), Cause::Office);
        prop_assert_eq!(moved.roster, Points::ZERO);
    }

    /// A plan does what it says and loses nothing: the score after it is not below the score before it.
    #[test]
    fn a_plan_keeps_its_promise(office in office()) {
        let rules = rules();
        let before = grade_office(&rules, &office, now());
        if let Some(plan) = plan_next_letter(&rules, &office, now()) {
            prop_assert!(plan.score >= before.score || plan.foretold);
            let all: usize = plan.steps.iter().map(|step| step.machines.len()).sum();
            prop_assert!(all > 0 || plan.score == before.score);
            prop_assert_eq!(plan.minutes, plan.steps.iter().map(|step| step.minutes).sum::<u64>());
        }
    }
}
