//! The judge: what a machine's facts are worth under a policy. A pure function of policy, facts and the instant, so that the agent
//! and the server say the same and stored facts can be judged again.
//!
//! Comparisons follow Kleene's three-valued logic: an unknown part makes the whole unknown unless the known parts decide it. More
//! knowledge therefore never turns a pass into a fail or a fail into a pass.

mod found;
mod judge;
mod readers;
mod truth;

use judge::Scene;
pub use readers::{GAPS, Gap, Makers};
pub use truth::Truth;

use crate::fact::{Facts, Instant};
use crate::outcome::{Outcome, Verdict};
use crate::policy::{Condition, Control, Policy};

/// Judges `facts` as at `now`: one outcome for every control, in the order of the policy.
pub fn evaluate(policy: &Policy, facts: &Facts, now: Instant) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = policy.controls().iter().map(|control| outcome(control, facts, now)).collect();
    for index in 0..outcomes.len() {
        // A control that passes is no cost, and one that does not apply is in no sum.
        if matches!(outcomes[index].verdict, Verdict::Fail | Verdict::Unknown) {
            outcomes[index].implied_by = failing_cause(policy, &outcomes, index);
        }
    }
    outcomes
}

/// The nearest control that fails on the way from cause to cause. Causes form no circle.
fn failing_cause(policy: &Policy, outcomes: &[Outcome], index: usize) -> Option<String> {
    let mut cause = policy.controls()[index].implied_by_index()?;
    while outcomes[cause].verdict != Verdict::Fail {
        cause = policy.controls()[cause].implied_by_index()?;
    }
    Some(policy.controls()[cause].id().to_owned())
}

/// What `condition` is worth on `facts` as at `now`.
pub fn truth(condition: &Condition, facts: &Facts, now: Instant) -> Truth {
    judge::truth(condition, &Scene::new(facts, now))
}

/// True when `condition` certainly holds.
pub(crate) fn holds(condition: &Condition, facts: &Facts, now: Instant) -> bool {
    truth(condition, facts, now) == Truth::True
}

fn outcome(control: &Control, facts: &Facts, now: Instant) -> Outcome {
    let scene = Scene::new(facts, now);
    let applies = control.applies().map_or(Truth::True, |applies| judge::truth(applies, &scene));
    let (verdict, decided_by) = match applies {
        Truth::False => (Verdict::NotApplicable, control.applies()),
        Truth::Unknown => (Verdict::Unknown, control.applies()),
        Truth::True => {
            let verdict = match judge::truth(control.require(), &scene) {
                Truth::True => Verdict::Pass,
                Truth::False => Verdict::Fail,
                Truth::Unknown => Verdict::Unknown,
            };
            (verdict, Some(control.require()))
        }
    };
    let explained = decided_by.map(|condition| found::explain(condition, &scene)).unwrap_or_default();
    Outcome {
        control: control.id().to_owned(),
        verdict,
        no_reader: verdict == Verdict::Unknown && readers::excuse(&explained.unknown, facts),
        found: explained.text,
        wanted: control.wanted().clone(),
        implied_by: None,
    }
}
