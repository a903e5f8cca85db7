//! Worked examples and laws of the machine score.

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Loss, View, tally};
use crate::grade::sample::{self, control, failed, fresh, judged, passed, unknown};
use crate::grade::{Controls, Judged, Points};
use crate::outcome::Verdict;
use crate::policy::LiftedBy;
use crate::policy::Severity::{self, Critical, High, Low, Medium};

fn controls() -> Controls {
    [
        ("antivirus", control(Critical, LiftedBy::OnSpot)),
        ("patches", control(Critical, LiftedBy::OnSpot)),
        ("supported", control(High, LiftedBy::Money)),
        ("firewall", control(High, LiftedBy::OnSpot)),
        ("clock", control(Medium, LiftedBy::OnSpot)),
        ("banner", control(Low, LiftedBy::OnSpot)),
    ]
    .map(|(id, control)| (id.to_owned(), control))
    .into()
}

fn sums(outcomes: &[Judged], view: View) -> (u64, u64) {
    let controls = controls();
    let tally = tally(&controls, sample::office().weights, outcomes, sample::FRESH_FROM, view);
    assert_eq!(tally.passed + tally.lost.iter().map(|lost| lost.weight).sum::<u64>(), tally.applicable);
    (tally.passed, tally.applicable)
}

/// 8 + 4 of 8 + 8 + 4 hold: 60 points.
#[test]
fn weights_follow_severity() {
    let outcomes = [passed("antivirus"), failed("patches"), passed("firewall")];
    assert_eq!(sums(&outcomes, View::Overall), (12, 20));
    let controls = controls();
    let tally = tally(&controls, sample::office().weights, &outcomes, sample::FRESH_FROM, View::Overall);
    assert_eq!(tally.score(), Some(Points::whole(60)));
    assert_eq!(tally.lost[0].control, "patches");
}

/// Unknown earns nothing and is not a failure; unknown for lack of a reader and not applicable are left out of both sums.
#[test]
fn unknown_earns_nothing_unless_nothing_can_read_it() {
    assert_eq!(sums(&[passed("antivirus"), unknown("patches")], View::Overall), (8, 16));
    let unreadable = Judged { excused: true, ..unknown("patches") };
    assert_eq!(sums(&[passed("antivirus"), unreadable], View::Overall), (8, 8));
    assert_eq!(sums(&[passed("antivirus"), judged("patches", Verdict::NotApplicable)], View::Overall), (8, 8));
}

/// A waived control is left out of both sums; the score without waivers counts it as not held.
#[test]
fn waived_leaves_both_sums() {
    let outcomes = [passed("antivirus"), judged("patches", Verdict::Waived)];
    assert_eq!(sums(&outcomes, View::Overall), (8, 8));
    assert_eq!(sums(&outcomes, View::WithoutWaivers), (8, 16));
}

/// Old evidence earns nothing, whatever it said, and is lost as stale.
#[test]
fn stale_evidence_earns_nothing_and_is_no_failure() {
    let controls = controls();
    let before = sample::FRESH_FROM - jiff::SignedDuration::from_secs(1);
    let outcomes = [passed("antivirus"), failed("patches")].map(|judged| Judged { observed_at: before, ..judged });
    let tally = tally(&controls, sample::office().weights, &outcomes, sample::FRESH_FROM, View::Overall);
    assert_eq!((tally.passed, tally.applicable), (0, 16));
    assert!(tally.lost.iter().all(|lost| lost.loss == Loss::Stale));
}

/// One cause costs once: without definitions the antivirus cannot be current. But a cause is never lighter than what it
/// explains: the unsupported system (4) that explains the missing patches (8) costs 8.
#[test]
fn one_cause_costs_once_and_no_less_than_what_it_explains() {
    let implied = |id, by: &str| Judged { implied_by: Some(by.to_owned()), ..failed(id) };
    assert_eq!(
        sums(&[passed("firewall"), failed("antivirus"), implied("banner", "antivirus")], View::Overall),
        (4, 12)
    );
    assert_eq!(
        sums(&[passed("firewall"), failed("supported"), implied("patches", "supported")], View::Overall),
        (4, 12)
    );
    // Through a chain, the root explains all.
    let chain = [passed("firewall"), failed("supported"), implied("patches", "supported"), implied("clock", "patches")];
    assert_eq!(sums(&chain, View::Overall), (4, 4 + 8 + 2));
    // What is unknown because of it is also explained.
    let unknown = Judged { implied_by: Some("antivirus".to_owned()), ..unknown("clock") };
    assert_eq!(sums(&[passed("firewall"), failed("antivirus"), unknown], View::Overall), (4, 12));
    // A cause that is waived explains nothing, and neither does a cycle.
    let waived = [passed("firewall"), judged("supported", Verdict::Waived), implied("patches", "supported")];
    assert_eq!(sums(&waived, View::Overall), (4, 12));
    assert_eq!(sums(&[implied("clock", "banner"), implied("banner", "clock")], View::Overall), (0, 3));
    assert_eq!(sums(&[implied("clock", "clock")], View::Overall), (0, 2));
}

/// What needs money is outside the score of what can be fixed on the spot.
#[test]
fn on_the_spot_leaves_out_what_needs_money() {
    let outcomes = [passed("firewall"), failed("supported"), failed("clock")];
    assert_eq!(sums(&outcomes, View::OnSpot), (4, 6));
    assert_eq!(sums(&outcomes, View::Overall), (4, 10));
}

/// No control applies: no score, rather than a full one.
#[test]
fn nothing_applicable_is_no_score() {
    let controls = controls();
    let outcomes = [judged("patches", Verdict::NotApplicable), passed("gone-from-the-policy")];
    let tally = tally(&controls, sample::office().weights, &outcomes, Timestamp::MIN, View::Overall);
    assert_eq!(tally.score(), None);
}

fn severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(vec![Critical, High, Medium, Low])
}

/// The verdict of a control on the supported machine, and how the unsupported one differs.
#[derive(Clone, Debug)]
enum Pair {
    Passes,
    /// Passes on the supported one; cannot be known on the other.
    PassesOrUnknown {
        excused: bool,
    },
    PassesOrNotApplicable,
    /// Fails on both, on the unsupported one explained by the control with this number (0 is "supported").
    Fails {
        implied_by: Option<usize>,
    },
    /// Fails on both, and explained on both.
    FailsImplied {
        implied_by: usize,
    },
    /// Unknown on both, on the unsupported one explained by the missing support.
    Unknown {
        explained: bool,
    },
}

fn pair() -> impl Strategy<Value = Pair> {
    prop_oneof![
        3 => Just(Pair::Passes),
        1 => any::<bool>().prop_map(|excused| Pair::PassesOrUnknown { excused }),
        1 => Just(Pair::PassesOrNotApplicable),
        4 => prop::option::of(prop_oneof![3 => Just(0_usize), 1 => 0..12_usize]).prop_map(|implied_by| Pair::Fails { implied_by }),
        1 => (1..12_usize).prop_map(|implied_by| Pair::FailsImplied { implied_by }),
        1 => any::<bool>().prop_map(|explained| Pair::Unknown { explained }),
    ]
}

proptest! {
    /// With the same failures an unsupported system never scores above a supported one, however the policy weighs the
    /// controls and whatever it says the missing support explains.
    #[test]
    fn an_unsupported_system_never_scores_above_a_supported_one(
        own in severity(),
        others in prop::collection::vec((severity(), pair()), 0..12),
    ) {
        let name = |number: usize| if number == 0 { "supported".to_owned() } else { format!("c{number}") };
        let mut controls = Controls::from([(name(0), control(own, LiftedBy::Money))]);
        let (mut supported, mut unsupported) = (vec![passed("supported")], vec![failed("supported")]);
        for (index, (severity, pair)) in others.into_iter().enumerate() {
            let id = name(index + 1);
            controls.insert(id.clone(), control(severity, LiftedBy::OnSpot));
            let implied = |by: Option<usize>| Judged { implied_by: by.map(name), ..failed(&id) };
            let (here, there) = match pair {
                Pair::Passes => (passed(&id), passed(&id)),
                Pair::PassesOrUnknown { excused } => (passed(&id), Judged { excused, ..unknown(&id) }),
                Pair::PassesOrNotApplicable => (passed(&id), judged(&id, Verdict::NotApplicable)),
                Pair::Fails { implied_by } => (implied(implied_by.filter(|by| *by != 0)), implied(implied_by)),
                Pair::FailsImplied { implied_by } => (implied(Some(implied_by)), implied(Some(implied_by))),
                Pair::Unknown { explained } => {
                    let implied_by = explained.then(|| name(0));
                    (unknown(&id), Judged { implied_by, ..unknown(&id) })
                }
            };
            supported.push(here);
            unsupported.push(there);
        }
        let weights = sample::office().weights;
        let with = tally(&controls, weights, &supported, fresh(), View::Overall);
        let without = tally(&controls, weights, &unsupported, fresh(), View::Overall);
        prop_assert!(without.passed * with.applicable <= with.passed * without.applicable, "{without:?} above {with:?}");
    }
}
