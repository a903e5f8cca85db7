//! The judge: the outcomes of the facts of a machine or an office under a policy. A pure function of policy, facts and the instant, so that the
//! agent and the server agree and stored facts can be judged again.
//!
//! Comparisons follow Kleene's three-valued logic: an unknown part makes the whole unknown unless the known parts decide it. More
//! knowledge therefore never turns a pass into a fail or a fail into a pass.

mod blame;
mod found;
mod judge;
mod readers;
mod truth;

use judge::Context;
pub use truth::Truth;

use crate::fact::{Facts, Instant, OfficeFacts};
use crate::outcome::{Outcome, Verdict};
use crate::policy::{Condition, Control, Policy};
use crate::text::Text;

/// Judges `facts` as of `now`: one outcome for every control, in the order of the policy, with what was found and wanted.
pub fn evaluate(policy: &Policy, facts: &Facts, now: Instant) -> Vec<Outcome> {
    outcomes(policy.controls(), &Context::machine(facts, now))
}

/// The same for the controls about an office.
pub fn evaluate_office(controls: &[Control], facts: &OfficeFacts, now: Instant) -> Vec<Outcome> {
    outcomes(controls, &Context::office(facts, now))
}

fn outcomes(controls: &[Control], context: &Context<'_, '_>) -> Vec<Outcome> {
    let outcome = |(control, ruling): (&Control, Ruling)| {
        let decided_by = if ruling.by_applies { control.applies() } else { Some(control.require()) };
        Outcome {
            control: control.id().to_owned(),
            verdict: ruling.verdict,
            found: decided_by.map(|condition| found::found(condition, context)).unwrap_or_default(),
            wanted: control.wanted().clone(),
            no_reader: ruling.no_reader,
            agent_too_old: ruling.agent_too_old,
            implied_by: ruling.implied_by.map(|cause| controls[cause].id().to_owned()),
        }
    };
    controls.iter().zip(rulings(controls, context)).map(outcome).collect()
}

/// The ruling on one control, without the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The verdict.
    pub verdict: Verdict,
    /// True when the verdict is unknown only because the product has no reader for the fact.
    pub no_reader: bool,
    /// True when the verdict is unknown only because the agent is too old, as [`Outcome::agent_too_old`].
    pub agent_too_old: bool,
    /// The position in the policy of the failing control that explains this one.
    pub implied_by: Option<usize>,
    /// True when `applies` decided, not `require`.
    by_applies: bool,
}

/// Judges like [`evaluate`] without producing words, which is many times faster: for grading many machines again.
pub fn rule(policy: &Policy, facts: &Facts, now: Instant) -> Vec<Ruling> {
    rulings(policy.controls(), &Context::machine(facts, now))
}

fn rulings(controls: &[Control], context: &Context<'_, '_>) -> Vec<Ruling> {
    let mut rulings: Vec<Ruling> = controls.iter().map(|control| ruling(control, context)).collect();
    for index in 0..rulings.len() {
        // A control that passes costs nothing, and one that does not apply is in no sum.
        if matches!(rulings[index].verdict, Verdict::Fail | Verdict::Unknown) {
            rulings[index].implied_by = failing_cause(controls, &rulings, index);
        }
        // A newer agent might find that the cause fails, and then this one would cost nothing.
        if rulings[index].verdict == Verdict::Unknown && rulings[index].implied_by.is_none() {
            rulings[index].agent_too_old |= causes(controls, index).any(|cause| rulings[cause].agent_too_old);
        }
    }
    rulings
}

/// The chain of causes. Causes form no cycle.
fn causes(controls: &[Control], index: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(controls[index].implied_by_index(), |&cause| controls[cause].implied_by_index())
}

/// The nearest control that fails in the chain of causes.
fn failing_cause(controls: &[Control], rulings: &[Ruling], index: usize) -> Option<usize> {
    causes(controls, index).find(|&cause| rulings[cause].verdict == Verdict::Fail)
}

/// The truth value of `condition` on `facts` as of `now`.
pub fn truth(condition: &Condition, facts: &Facts, now: Instant) -> Truth {
    judge::truth(condition, &Context::machine(facts, now))
}

impl Control {
    /// The steps that lift a failure on the machine with these facts (hướng dẫn khắc phục): those of the first matching
    /// entry; the last entry matches every machine.
    pub fn fix_for(&self, facts: &Facts, now: Instant) -> &[Text] {
        self.fix_in(&Context::machine(facts, now))
    }

    /// The same for an office.
    pub fn fix_for_office(&self, facts: &OfficeFacts, now: Instant) -> &[Text] {
        self.fix_in(&Context::office(facts, now))
    }

    fn fix_in(&self, context: &Context<'_, '_>) -> &[Text] {
        let holds = |when: &Condition| judge::truth(when, context) == Truth::True;
        let meant = self.fixes().iter().find(|fix| fix.when.as_ref().is_none_or(holds));
        meant.map_or(&[], |fix| &fix.steps)
    }
}

fn ruling(control: &Control, context: &Context<'_, '_>) -> Ruling {
    let applies = control.applies().map_or(Truth::True, |applies| judge::truth(applies, context));
    let verdict = match (applies, judge::truth(control.require(), context)) {
        (Truth::False, _) => Verdict::NotApplicable,
        (Truth::Unknown, _) | (Truth::True, Truth::Unknown) => Verdict::Unknown,
        (Truth::True, Truth::True) => Verdict::Pass,
        (Truth::True, Truth::False) => Verdict::Fail,
    };
    let by_applies = applies != Truth::True;
    let decided_by = if by_applies { control.applies() } else { Some(control.require()) };
    let blames = match decided_by {
        Some(condition) if verdict == Verdict::Unknown => blame::blames(condition, context),
        _ => Vec::new(),
    };
    let no_reader = readers::excuse(&blames, context.facts);
    let agent_too_old = readers::agent_too_old(&blames, context.facts);
    Ruling { verdict, no_reader, agent_too_old, implied_by: None, by_applies }
}
