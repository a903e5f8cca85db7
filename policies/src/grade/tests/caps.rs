//! Worked examples of caps: announced the first day, holding after their time, gone with the fix.

use jiff::Timestamp;

use crate::grade::sample::{at, failed_since, judged, machine, now, passed, rules, state, unknown, unreported};
use crate::grade::{Cap, CapKind, CapState, Grade, Judged, LineKind, Machine, Points, grade_office};
use crate::outcome::Verdict;
use crate::policy::Letter;

fn grade(machines: impl IntoIterator<Item = Machine>) -> Grade {
    grade_office(&rules(), &state(machines), now())
}

fn cap(grade: &Grade, kind: CapKind) -> Option<&Cap> {
    grade.caps.iter().find(|cap| cap.kind == kind)
}

/// `count` machines on which all holds.
fn good(count: usize) -> Vec<Machine> {
    (0..count).map(|number| machine(&format!("good-{number}"), [])).collect()
}

fn with(mut machines: Vec<Machine>, more: impl IntoIterator<Item = Machine>) -> Vec<Machine> {
    machines.extend(more);
    machines
}

/// A critical failure of Monday 14:00 is announced at once, caps from Thursday 14:00 on, and is gone when fixed.
#[test]
fn a_critical_failure_is_announced_then_caps_at_b_then_is_lifted() {
    let office = state(with(good(19), [machine("bad", [failed_since("antivirus", "2026-11-02T14:00:00+07")])]));
    let seen = |when: &str| {
        let mut office = office.clone();
        office.machines.iter_mut().for_each(|machine| machine.evidence_at = Some(at(when)));
        grade_office(&rules(), &office, at(when))
    };
    let announced = seen("2026-11-03T10:00:00+07");
    assert_eq!(announced.letter(), Some(Letter::A));
    let from: Timestamp = at("2026-11-05T14:00:00+07");
    assert_eq!(cap(&announced, CapKind::Critical).unwrap().state, CapState::Announced { from });
    let line = &announced.ledger[0];
    assert_eq!((line.kind, line.points, line.control.as_deref()), (LineKind::Cap, Points::ZERO, Some("antivirus")));
    assert_eq!((line.minutes, line.machines.as_slice()), (20, ["bad".to_owned()].as_slice()));
    assert!(line.title.vi.starts_with("Từ ngày 05/11/2026"), "{}", line.title.vi);

    assert_eq!(seen("2026-11-05T14:00:00+07").letter(), Some(Letter::A));
    let held = seen("2026-11-05T14:00:01+07");
    assert_eq!(held.letter(), Some(Letter::B));
    assert_eq!(cap(&held, CapKind::Critical).unwrap().state, CapState::Holding { since: Some(from) });

    let mut mended = office.clone();
    mended.machines.pop();
    mended.machines.push(machine("bad", []));
    mended.machines.iter_mut().for_each(|machine| machine.evidence_at = Some(at("2026-11-05T15:00:00+07")));
    let fixed = grade_office(&rules(), &mended, at("2026-11-05T15:00:00+07"));
    assert_eq!((fixed.letter(), fixed.caps.len()), (Some(Letter::A), 0));
}

/// Over ten percent of the machines and at least two: at most C. One machine of five is one, two of twenty are ten percent.
#[test]
fn widespread_critical_failures_cap_at_c() {
    let old = |id: &str| machine(id, [failed_since("antivirus", "2026-10-26T14:00:00+07")]);
    assert!(cap(&grade(with(good(4), [old("x")])), CapKind::Widespread).is_none());
    assert!(cap(&grade(with(good(18), [old("x"), old("y")])), CapKind::Widespread).is_none());
    let three = grade(with(good(17), [old("x"), old("y"), old("z")]));
    assert_eq!(three.letter(), Some(Letter::C));
    assert!(three.score >= Points::whole(90));
    // Two old ones and a young third: announced for the day the third ripens.
    let young = machine("z", [failed_since("antivirus", "2026-11-02T14:00:00+07")]);
    let coming = grade(with(good(17), [old("x"), old("y"), young]));
    let from = at("2026-11-05T14:00:00+07");
    assert_eq!(cap(&coming, CapKind::Widespread).unwrap().state, CapState::Announced { from });
    assert_eq!(coming.letter(), Some(Letter::B));
}

/// Hiding does not help: a failure that has since been waived, unknown or silent keeps capping.
#[test]
fn a_hidden_failure_still_stands() {
    let since = Some(at("2026-10-26T14:00:00+07"));
    let hidden = [
        Judged { failing_since: since, ..judged("antivirus", Verdict::Waived) },
        Judged { failing_since: since, ..unknown("antivirus") },
    ];
    for outcome in hidden {
        let grade = grade(with(good(30), [machine("bad", [outcome])]));
        assert!(matches!(cap(&grade, CapKind::Critical).unwrap().state, CapState::Holding { .. }));
        assert_eq!(grade.letter(), Some(Letter::B));
    }
    let mut silent = machine("bad", [failed_since("antivirus", "2026-10-12T14:00:00+07")]);
    silent.evidence_at = Some(at("2026-10-13T08:00:00+07"));
    assert_eq!(grade(with(good(30), [silent])).letter(), Some(Letter::B));
}

/// A failure that another control explains counts for its cause, and only what can be fixed on the spot caps.
#[test]
fn only_a_root_that_can_be_fixed_on_the_spot_caps() {
    let explained =
        Judged { implied_by: Some("supported".to_owned()), ..failed_since("antivirus", "2026-10-26T14:00:00+07") };
    let support = failed_since("supported", "2026-10-26T14:00:00+07");
    assert_eq!(grade(with(good(30), [machine("old-system", [support, explained])])).caps, []);
}

/// Under ninety percent with at least two missing: at most C. One of two missing is one; two of twenty are ninety percent.
#[test]
fn missing_machines_cap_at_c() {
    assert!(cap(&grade(with(good(1), [unreported("x")])), CapKind::Coverage).is_none());
    assert!(cap(&grade(with(good(18), [unreported("x"), unreported("y")])), CapKind::Coverage).is_none());
    let grade = grade(with(good(17), [unreported("x"), unreported("y"), unreported("z")]));
    let cap = cap(&grade, CapKind::Coverage).unwrap();
    assert_eq!(cap.state, CapState::Holding { since: None });
    assert_eq!(cap.machines, ["x", "y", "z"]);
    assert_eq!(grade.letter(), Some(Letter::C));
}

/// The cap for silent machines is announced a working day after they fell silent, with the day on which they will be missing.
#[test]
fn silence_is_announced_before_it_caps() {
    let silent = |id: &str| Machine { evidence_at: Some(at("2026-10-30T10:00:00+07")), ..machine(id, []) };
    let grade = grade(with(good(5), [silent("x"), silent("y")]));
    let from = at("2026-11-06T10:00:00+07");
    assert_eq!(cap(&grade, CapKind::Coverage).unwrap().state, CapState::Announced { from });
    assert_eq!(grade.letter(), Some(Letter::A));
}

/// A critical control unknown for more than 14 days makes the machine not covered, though it reports.
#[test]
fn long_unknown_critical_controls_are_not_covered() {
    let unknown_since = |since: &str| Judged { since: at(since), ..unknown("antivirus") };
    let covered = |since: &str| grade([machine("pc", [unknown_since(since)])]).machines[0].covered;
    assert!(covered("2026-10-20T10:00:00+07"));
    assert!(!covered("2026-10-20T09:59:59+07"));
    let excused = Judged { excused: true, ..unknown_since("2026-01-01T00:00:00+07") };
    assert!(grade([machine("pc", [excused])]).machines[0].covered);
    let other = Judged { since: at("2026-01-01T00:00:00+07"), ..unknown("firewall") };
    assert!(grade([machine("pc", [other])]).machines[0].covered);
}

/// Waived weight over five percent: at most B. 1 of 19 is 5.26 %, 1 of 38 is not.
#[test]
fn too_much_waived_caps_at_b() {
    let waived = || machine("pc", [judged("banner", Verdict::Waived)]);
    let one = grade([waived()]);
    assert_eq!(
        (one.letter(), cap(&one, CapKind::Waived).unwrap().controls.as_slice()),
        (Some(Letter::B), ["banner".to_owned()].as_slice())
    );
    assert_eq!(grade([waived(), machine("other", [])]).letter(), Some(Letter::A));
    // Waiving everything does not give a score.
    let all = ["antivirus", "firewall", "supported", "clock", "banner"].map(|id| judged(id, Verdict::Waived));
    let all = grade([machine("pc", all)]);
    assert_eq!((all.score, all.letter()), (Points::ZERO, Some(Letter::E)));
    assert!(cap(&all, CapKind::Waived).is_some());
}

/// Caps never raise a letter.
#[test]
fn a_cap_does_not_lift_a_low_score() {
    let grade = grade([unreported("x"), unreported("y"), machine("z", [passed("clock")])]);
    assert_eq!(grade.letter(), Some(Letter::E));
}
