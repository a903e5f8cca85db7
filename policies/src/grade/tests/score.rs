//! Worked examples of the office's score, letter and ledger.

use jiff::SignedDuration;

use crate::grade::sample::{at, failed, fresh, judged, machine, now, passed, rules, state, unknown, unreported};
use crate::grade::{
    Attested, Away, AwayReason, Colour, Control, Grade, Judged, LetterResult, LineKind, Machine, MachineState,
    NoLetter, OfficeState, Points, RosterState, RosterStatus, grade_office,
};
use crate::outcome::Verdict;
use crate::policy::{Letter, LiftedBy};

fn grade(machines: impl IntoIterator<Item = Machine>) -> Grade {
    grade_office(&rules(), &state(machines), now())
}

/// The points of every line, by kind and control.
fn lines(grade: &Grade) -> Vec<(LineKind, Option<&str>, i64)> {
    let lost = grade.ledger.iter().filter(|line| line.kind != LineKind::Cap);
    lost.map(|line| (line.kind, line.control.as_deref(), line.points.0)).collect()
}

/// Two machines: on one all holds (19 of 19), on the other the clock (2) is wrong: (100 + 100 x 17 / 19) / 2 = 94.7368421...
/// The lost 100/19 points are the clock's; the score is rounded down, so the line takes the last millionth.
#[test]
fn the_office_is_the_mean_of_its_machines() {
    let grade = grade([machine("pc-1", []), machine("pc-2", [failed("clock")])]);
    assert_eq!(grade.score, Points(94_736_842));
    assert_eq!(grade.letter(), Some(Letter::A));
    assert_eq!(grade.colour(), Colour::Green);
    assert_eq!(lines(&grade), [(LineKind::Failed, Some("clock"), 5_263_158)]);
    assert_eq!(grade.ledger[0].machines, ["pc-2"]);
    assert_eq!(grade.ledger[0].minutes, 5);
    assert_eq!(grade.machines[1].score, Some(Points(89_473_684)));
}

/// A machine that never reported, one whose evidence is too old and one to which nothing applies count 0, each in its own line.
#[test]
fn what_is_not_seen_counts_nothing_and_is_no_failure() {
    let week_ago = fresh() - SignedDuration::from_hours(8 * 24);
    let old = Machine { evidence_at: Some(week_ago), ..machine("old", [failed("clock")]) };
    let nothing = Machine { outcomes: vec![judged("clock", Verdict::NotApplicable)], ..machine("strange", []) };
    let grade = grade([machine("good", []), unreported("absent"), old, nothing]);
    assert_eq!(grade.score, Points::whole(25));
    assert_eq!(
        lines(&grade),
        [
            (LineKind::Stale, None, 25_000_000),
            (LineKind::Unreported, None, 25_000_000),
            (LineKind::Unscored, None, 25_000_000)
        ]
    );
    let states: Vec<MachineState> = grade.machines.iter().map(|machine| machine.state).collect();
    use MachineState::{Scored, Stale, Unreported, Unscored};
    assert_eq!(states, [Scored, Unreported, Stale, Unscored]);
    assert_eq!((grade.coverage.expected, grade.coverage.covered), (4, 2));
}

/// Unknown costs its weight on a line of its own kind.
#[test]
fn unknown_is_a_line_of_its_own() {
    let grade = grade([machine("pc", [unknown("firewall")])]);
    assert_eq!(lines(&grade), [(LineKind::Unknown, Some("firewall"), 21_052_632)]);
    assert_eq!((grade.machines[0].failed, grade.machines[0].unknown), (0, 1));
}

/// Five working days: evidence of Tuesday 10:00 is fresh until Tuesday 10:00; over Tết it is fresh a week longer.
#[test]
fn a_long_holiday_makes_nothing_stale() {
    let state = state([Machine { evidence_at: Some(at("2026-02-13T17:00:00+07")), ..machine("pc", []) }]);
    let seen = |when: &str| grade_office(&rules(), &state, at(when)).machines[0].state;
    assert_eq!(seen("2026-02-23T08:00:00+07"), MachineState::Scored);
    assert_eq!(seen("2026-02-27T17:00:00+07"), MachineState::Scored);
    assert_eq!(seen("2026-02-27T17:00:01+07"), MachineState::Stale);
    // Without a holiday the same silence is too long after a week.
    let plain = state_at("2026-03-06T17:00:00+07");
    assert_eq!(grade_office(&rules(), &plain, at("2026-03-16T08:00:00+07")).machines[0].state, MachineState::Stale);
}

fn state_at(evidence: &str) -> OfficeState {
    state([Machine { evidence_at: Some(at(evidence)), ..machine("pc", []) }])
}

/// If only the evidence of one control is old, only that control is stale.
#[test]
fn one_old_section_is_stale_by_itself() {
    let old = Judged { observed_at: at("2026-10-01T08:00:00+07"), ..passed("clock") };
    let grade = grade([machine("pc", [old])]);
    assert_eq!(lines(&grade), [(LineKind::Stale, Some("clock"), 10_526_316)]);
    assert!(grade.machines[0].covered);
}

/// A line of the roster is away with a person and an end within 60 days, until the machine reports again.
#[test]
fn a_machine_away_is_outside_until_it_reports() {
    let away = |person: &str, from: &str, until: &str, evidence: Option<&str>| {
        let away = Away { reason: AwayReason::Repair, person: person.to_owned(), from: at(from), until: at(until) };
        let machine =
            Machine { roster_status: RosterStatus::Away(away), evidence_at: evidence.map(at), ..unreported("pc-2") };
        grade([super::super::sample::machine("pc-1", []), machine]).machines[1].state
    };
    let (from, until) = ("2026-10-20T08:00:00+07", "2026-11-20T08:00:00+07");
    assert_eq!(away("Nguyễn Văn A", from, until, None), MachineState::Away);
    assert_eq!(away("Nguyễn Văn A", from, until, Some("2026-10-19T08:00:00+07")), MachineState::Away);
    assert_ne!(away("Nguyễn Văn A", from, until, Some("2026-11-03T09:00:00+07")), MachineState::Away);
    assert_eq!(away("  ", from, until, None), MachineState::Unreported);
    assert_eq!(away("Nguyễn Văn A", from, "2026-12-20T08:00:00+07", None), MachineState::Unreported);
    assert_eq!(
        away("Nguyễn Văn A", "2026-09-20T08:00:00+07", "2026-11-01T08:00:00+07", None),
        MachineState::Unreported
    );
}

/// A pending machine is outside the grade, and shows the score it would have.
#[test]
fn a_pending_machine_is_outside() {
    let pending = Machine { roster_status: RosterStatus::Pending, ..machine("new", [failed("antivirus")]) };
    let grade = grade([machine("pc", []), pending]);
    assert_eq!((grade.score, grade.coverage.expected), (Points::FULL, 1));
    assert_eq!(grade.machines[1].state, MachineState::Pending);
    assert_eq!(grade.machines[1].score, Some(Points(57_894_736)));
}

/// No declared roster, start-up, no machine: a score, and a reason instead of a letter.
#[test]
fn no_letter_without_grounds() {
    let ready = state([machine("pc", [])]);
    let why = |state: &OfficeState| match grade_office(&rules(), state, now()).result {
        LetterResult::NoLetter { reason } => Some(reason),
        LetterResult::Letter { .. } => None,
    };
    assert_eq!(why(&ready), None);
    let undeclared = OfficeState { roster: RosterState::Undeclared, ..ready.clone() };
    assert_eq!(why(&undeclared), Some(NoLetter::NoRoster));
    assert_eq!(grade_office(&rules(), &undeclared, now()).colour(), Colour::Grey);
    let new = OfficeState { first_enrolled_at: Some(at("2026-10-20T08:00:00+07")), ..ready.clone() };
    assert_eq!(why(&new), Some(NoLetter::StartUp { until: Some(at("2026-11-19T08:00:00+07")) }));
    let none_yet = OfficeState { first_enrolled_at: None, ..ready.clone() };
    assert_eq!(why(&none_yet), Some(NoLetter::StartUp { until: None }));
    let by_parent = OfficeState { start_up_until: Some(at("2026-12-31T00:00:00+07")), ..ready.clone() };
    assert_eq!(why(&by_parent), Some(NoLetter::StartUp { until: by_parent.start_up_until }));
    let ended = OfficeState { start_up_until: Some(at("2026-10-31T00:00:00+07")), ..new };
    assert_eq!(why(&ended), None);
    assert_eq!(why(&state([])), Some(NoLetter::NoMachine));
}

/// An empty roster has lost everything to one line.
#[test]
fn an_office_without_machines_adds_up() {
    let grade = grade([]);
    assert_eq!((grade.score, grade.on_spot), (Points::ZERO, None));
    assert_eq!(lines(&grade), [(LineKind::NoMachine, None, 100_000_000)]);
}

/// What needs money affects the overall score but not the score of what can be fixed on the spot.
#[test]
fn two_scores_stand_side_by_side() {
    let grade = grade([machine("pc", [failed("supported")])]);
    assert_eq!(grade.score, Points(78_947_368));
    assert_eq!(grade.on_spot, Some(Points::FULL));
    assert_eq!(grade.ledger[0].lifted_by, LiftedBy::Money);
}

/// What is waived is left out of both sums; the score without waivers is shown next to it.
#[test]
fn the_score_without_waivers_is_always_there() {
    let grade = grade([machine("pc", [judged("banner", Verdict::Waived), failed("clock")])]);
    assert_eq!(grade.score, Points(88_888_888));
    assert_eq!(grade.without_waivers, Points(84_210_526));
}

/// A failure that another explains costs nothing of its own and is listed under its cause.
#[test]
fn what_a_failure_explains_is_listed_under_it() {
    let implied = Judged { implied_by: Some("antivirus".to_owned()), ..failed("clock") };
    let grade = grade([machine("pc", [failed("antivirus"), implied])]);
    let line = grade.ledger.iter().find(|line| line.kind == LineKind::Failed).unwrap();
    assert_eq!(
        (line.control.as_deref(), line.explains.as_slice()),
        (Some("antivirus"), ["clock".to_owned()].as_slice())
    );
    assert_eq!(grade.score, Points(52_941_176));
}

/// With a share for what people attest: 70 % of 100 and 30 % of 8/12.
#[test]
fn attested_controls_have_their_share() {
    let mut rules = rules();
    rules.office.shares = crate::policy::Shares { technical_percent: 70, organisational_percent: 30 };
    let control = |id: &str| rules.workstation[id].clone();
    let item = |id: &str, control: Control, fulfilled| Attested { id: id.to_owned(), control, fulfilled };
    let attested = vec![item("rules-of-use", control("antivirus"), true), item("training", control("firewall"), false)];
    let office = OfficeState { attested, ..state([machine("pc", [])]) };
    let grade = grade_office(&rules, &office, now());
    assert_eq!(grade.score, Points::whole(90));
    assert_eq!(lines(&grade), [(LineKind::Attested, Some("training"), 10_000_000)]);
    let none = grade_office(&rules, &state([machine("pc", [])]), now());
    assert_eq!((none.score, none.on_spot), (Points::whole(70), Some(Points::FULL)));
    assert_eq!(lines(&none), [(LineKind::Attested, None, 30_000_000)]);
}
