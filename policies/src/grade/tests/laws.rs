//! Laws that hold for every office: the ledger adds up, the letter is that of the exact value, hiding never helps.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::grade::sample::{now, rules};
use crate::grade::{
    Attested, Away, AwayReason, Judged, LetterResult, LineKind, Machine, MachineState, OfficeState, Points,
    RosterState, RosterStatus, Rules, grade_office,
};
use crate::outcome::{Outcome, Verdict};
use crate::policy::{Letter, LiftedBy, Role, Severity, Shares};
use crate::text::Text;

const CONTROLS: [&str; 6] = ["antivirus", "firewall", "supported", "clock", "banner", "gone"];

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..60 * 24_i64).prop_map(|hours| now() - SignedDuration::from_hours(hours))
}

fn outcome() -> impl Strategy<Value = Judged> {
    use Verdict::{Fail, NotApplicable, Pass, Unknown, Waived};
    (
        prop::sample::select(CONTROLS.to_vec()),
        prop::sample::select(vec![Pass, Pass, Fail, Unknown, NotApplicable, Waived]),
        (instant(), prop::option::of(instant()), instant()),
        any::<bool>(),
        prop::option::of(prop::sample::select(CONTROLS.to_vec())),
    )
        .prop_map(|(control, verdict, (since, failing_since, observed_at), excused, implied_by)| Judged {
            control: control.to_owned(),
            verdict,
            since,
            failing_since,
            observed_at,
            excused,
            implied_by: implied_by.map(str::to_owned),
        })
}

fn roster_status() -> impl Strategy<Value = RosterStatus> {
    let away = (instant(), 0..90_i64, prop::sample::select(vec!["", "Trần Thị B"])).prop_map(|(from, days, person)| {
        let until = from + SignedDuration::from_hours(24 * days);
        RosterStatus::Away(Away { reason: AwayReason::Leave, person: person.to_owned(), from, until })
    });
    prop_oneof![6 => Just(RosterStatus::Expected), 1 => away, 1 => Just(RosterStatus::Pending)]
}

fn machine() -> impl Strategy<Value = Machine> {
    let role = prop::sample::select(vec![Role::Workstation, Role::Server]);
    let evidence = prop::option::weighted(0.9, instant());
    (role, roster_status(), evidence, prop::collection::vec(outcome(), 0..8)).prop_map(
        |(role, roster_status, evidence_at, outcomes)| Machine {
            id: String::new(),
            role,
            roster_status,
            evidence_at,
            outcomes,
        },
    )
}

prop_compose! {
    pub(super) fn office()(
        mut machines in prop::collection::vec(machine(), 0..12),
        declared in any::<bool>(),
        first_enrolled_at in prop::option::of(instant()),
        fulfilled in prop::collection::vec(any::<bool>(), 0..4),
    ) -> OfficeState {
        for (number, machine) in machines.iter_mut().enumerate() {
            machine.id = format!("pc-{number}");
        }
        let control = |index: usize| rules().workstation[CONTROLS[index % 5]].clone();
        let attested = fulfilled.into_iter().enumerate().map(|(index, fulfilled)| {
            Attested { id: format!("attested-{index}"), control: control(index), fulfilled }
        });
        OfficeState {
            roster: if declared { RosterState::Declared } else { RosterState::Undeclared },
            first_enrolled_at,
            start_up_until: None,
            attested: attested.collect(),
            machines,
        }
    }
}

/// The controls about an office that come with the product, read once.
static OF_OFFICE: LazyLock<Vec<crate::policy::Control>> =
    LazyLock::new(|| crate::policy::PolicySet::shipped().unwrap().office_controls().to_vec());

/// The outcomes of the controls about an office.
fn organisational() -> impl Strategy<Value = Vec<Outcome>> {
    use Verdict::{Fail, NotApplicable, Pass, Unknown};
    let verdict = prop::sample::select(vec![Pass, Fail, Unknown, NotApplicable]);
    prop::collection::vec(verdict, 2).prop_map(|verdicts| {
        let outcome = |(control, verdict): (&crate::policy::Control, Verdict)| Outcome {
            control: control.id().to_owned(),
            verdict,
            found: Text::default(),
            wanted: control.wanted().clone(),
            no_reader: false,
            agent_too_old: false,
            implied_by: None,
        };
        OF_OFFICE.iter().zip(verdicts).map(outcome).collect()
    })
}

prop_compose! {
    /// Policies with other weights and shares, and other controls for servers.
    fn policy()(
        weights in prop::array::uniform4(1..50_u32),
        technical_percent in 0..=100_u32,
        severities in prop::array::uniform5(prop::sample::select(Severity::ALL.to_vec())),
        lifted_by in prop::array::uniform5(prop::sample::select(LiftedBy::ALL.to_vec())),
    ) -> Rules {
        let mut rules = rules();
        let [critical, high, medium, low] = weights;
        rules.office.weights = crate::policy::Weights { critical, high, medium, low };
        rules.office.shares = Shares { technical_percent, organisational_percent: 100 - technical_percent };
        for (index, control) in rules.server.values_mut().enumerate() {
            control.severity = severities[index];
            control.lifted_by = lifted_by[index];
        }
        rules
    }
}

proptest! {
    /// `score + all lines = 100` exactly, with no negative line, and 0 points only for caps and what costs nothing. What an office lacks as
    /// a whole is listed and moves nothing.
    #[test]
    fn the_ledger_adds_up(rules in policy(), office in office(), organisational in organisational()) {
        let of_machines = grade_office(&rules, &office, now());
        let lacking = organisational.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Fail | Verdict::Unknown));
        let lacking: Vec<_> = lacking.map(|outcome| Some(outcome.control.clone())).collect();
        let grade = of_machines.clone().with_organisational(&OF_OFFICE, organisational);
        let added = &grade.ledger[of_machines.ledger.len()..];
        prop_assert_eq!(added.iter().map(|line| line.control.clone()).collect::<Vec<_>>(), lacking);
        prop_assert!(added.iter().all(|line| line.points == Points::ZERO && line.minutes > 0));
        prop_assert_eq!((grade.score, grade.on_spot, grade.result), (of_machines.score, of_machines.on_spot, of_machines.result));
        let lines: Points = grade.ledger.iter().map(|line| line.points).sum();
        prop_assert_eq!(grade.score + lines, Points::FULL);
        prop_assert!(grade.ledger.iter().all(|line| line.points >= Points::ZERO));
        prop_assert!(grade.ledger.iter().all(|line| line.kind != LineKind::Cap || line.points == Points::ZERO));
        prop_assert_eq!(grade.ledger.iter().filter(|line| line.kind == LineKind::Cap).count(), grade.caps.len());
        prop_assert!(grade.score >= grade.without_waivers);
        prop_assert!(grade.score <= Points::FULL && grade.score >= Points::ZERO);
    }

    /// The score is the exact mean rounded down, and the letter is that of the exact mean.
    #[test]
    fn the_score_is_the_exact_mean(office in office()) {
        let rules = rules();
        let grade = grade_office(&rules, &office, now());
        let counted: Vec<_> = grade.machines.iter().filter(|m| !matches!(m.state, MachineState::Away | MachineState::Pending)).collect();
        let common: u128 = 232_792_560; // the least common multiple of 1 to 20; all weights add up to 19
        let sum: u128 = counted
            .iter()
            .filter(|machine| machine.state == MachineState::Scored)
            .map(|machine| u128::from(machine.passed) * common / u128::from(machine.applicable))
            .sum();
        let whole = common * counted.len().max(1) as u128;
        prop_assert_eq!(u128::from(grade.score.0.unsigned_abs()), sum * 100_000_000 / whole);
        if let LetterResult::Letter { letter, by_score } = grade.result {
            let at_least = |points: u128| sum * 100 >= points * whole;
            let exact = [(90, Letter::A), (75, Letter::B), (60, Letter::C), (40, Letter::D), (0, Letter::E)];
            prop_assert_eq!(by_score, exact.into_iter().find(|(points, _)| at_least(*points)).unwrap().1);
            prop_assert!(letter >= by_score);
        }
    }

    /// Falling silent never raises the score, nor the letter.
    #[test]
    fn silence_never_helps(office in office(), silent in any::<prop::sample::Index>()) {
        prop_assume!(!office.machines.is_empty());
        let before = grade_office(&rules(), &office, now());
        let mut quiet = office.clone();
        let machine = &mut quiet.machines[silent.index(office.machines.len())];
        prop_assume!(machine.roster_status == RosterStatus::Expected && machine.evidence_at.is_some());
        machine.evidence_at = machine.evidence_at.map(|at| at.min(now() - SignedDuration::from_hours(40 * 24)));
        let after = grade_office(&rules(), &quiet, now());
        prop_assert!(after.score <= before.score);
        prop_assert!(after.letter() >= before.letter() || before.caps.iter().any(|cap| cap.kind == crate::grade::CapKind::Waived));
    }
}
