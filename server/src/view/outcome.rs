//! One control on one machine, or of an office as a whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Facts, OfficeFacts, Reason};
use policies::outcome::{Outcome, Verdict};
use policies::policy::{Clause, Control, Duty, LiftedBy, Severity};
use policies::text::Text;
use serde::Serialize;

use crate::judge::office::instant;
use crate::judge::waivers::with_waiver;
use crate::policy::CompiledPolicy;
use crate::store::judgement::{Judgement, VerdictState};
use crate::store::machine::Role;

/// One control on one machine, with everything a person needs to understand and fix it.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeView {
    /// Verdict, found (hostile text) and wanted.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The control's title.
    pub title: Text,
    /// How much a failure matters.
    pub severity: Severity,
    /// Its weight.
    pub weight: u32,
    /// Where the wanted value comes from.
    pub duty: Duty,
    /// Who can lift a failure.
    pub lifted_by: LiftedBy,
    /// Minutes to fix it.
    pub minutes: u32,
    /// The clauses that ask for it.
    pub clauses: Vec<Clause>,
    /// How to fix it on this machine.
    pub fix: Vec<Text>,
    /// When the verdict began; `None` when not yet judged.
    pub since_at: Option<i64>,
    /// When a failure was first seen that has not been seen fixed since.
    pub failing_since_at: Option<i64>,
}

/// Every control on a machine. What was found is evaluated again as of the judgement, so that it matches the stored verdict.
pub(super) fn outcomes(
    judge: &CompiledPolicy,
    role: Role,
    facts: Option<&Facts>,
    judgement: Option<&Judgement>,
    now: Timestamp,
) -> Vec<OutcomeView> {
    let nothing = Facts::unknown(Reason::NotCollected);
    let facts = facts.unwrap_or(&nothing);
    let at = judgement.map_or(now, |judgement| instant(judgement.judged_at));
    let states: BTreeMap<&str, &VerdictState> = judgement
        .iter()
        .flat_map(|judgement| judgement.verdicts.iter())
        .map(|state| (state.control.as_str(), state))
        .collect();
    let controls = judge.set().controls(role);
    let weights = judge.set().office().weights;
    judge
        .outcomes(role, facts, at)
        .into_iter()
        .filter_map(|mut outcome| {
            let control = controls.control(&outcome.control)?;
            let state = states.get(outcome.control.as_str());
            let waived = state.is_some_and(|state| state.verdict == Verdict::Waived);
            outcome.verdict = with_waiver(outcome.verdict, waived);
            Some(OutcomeView {
                title: control.title().clone(),
                severity: control.severity(),
                weight: weights.get(control.severity()),
                duty: control.duty(),
                lifted_by: control.lifted_by(),
                minutes: control.minutes(),
                clauses: control.clauses().to_vec(),
                fix: control.fix_for(facts, at).to_vec(),
                since_at: state.map(|state| state.since_at),
                failing_since_at: state.and_then(|state| state.failing_since_at),
                outcome,
            })
        })
        .collect()
}

/// One control about an office as a whole, with everything a person needs to understand and fix it.
#[derive(Clone, Debug, Serialize)]
pub struct OrganisationalView {
    /// Verdict, found (hostile text) and wanted.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The control's title.
    pub title: Text,
    /// How much a failure matters.
    pub severity: Severity,
    /// Where the wanted value comes from.
    pub duty: Duty,
    /// Who can lift a failure.
    pub lifted_by: LiftedBy,
    /// Minutes to fix it.
    pub minutes: u32,
    /// The clauses that ask for it.
    pub clauses: Vec<Clause>,
    /// How to fix it.
    pub fix: Vec<Text>,
}

/// The controls about an office with these facts and outcomes.
pub(super) fn organisational(
    judge: &CompiledPolicy,
    facts: &OfficeFacts,
    outcomes: &[Outcome],
    now: Timestamp,
) -> Vec<OrganisationalView> {
    let view = |(outcome, control): (&Outcome, &Control)| OrganisationalView {
        outcome: outcome.clone(),
        title: control.title().clone(),
        severity: control.severity(),
        duty: control.duty(),
        lifted_by: control.lifted_by(),
        minutes: control.minutes(),
        clauses: control.clauses().to_vec(),
        fix: control.fix_for_office(facts, now).to_vec(),
    };
    outcomes.iter().zip(judge.set().office_controls()).map(view).collect()
}
