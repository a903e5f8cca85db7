//! From facts to verdicts: judges a machine under the policy in force and says since when each verdict holds. Owns no SQL; what
//! is kept is in `store/judgement`, an office's grade in [`office`], when grades are made in [`crate::jobs::grader`], and what
//! people and programs are shown in [`crate::view`].

mod evidence;
pub mod machines;
pub mod office;
pub mod waivers;

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::evaluate::{evaluate, rule};
use policies::fact::{Facts, Misread};
use policies::outcome::{Outcome, Verdict};
use policies::policy::{Condition, Control, Role, Subject};

use self::machines::ToJudge;
use self::waivers::with_waiver;
use crate::policy::CompiledPolicy;
use crate::store::judgement::{Judgement, VerdictChange, VerdictState};
use crate::store::waiver::InForce;

/// What was judged: the current verdicts, and which of them changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The judgement to store.
    pub judgement: Judgement,
    /// Each change with the verdict before and after; empty at a machine's first judgement.
    pub changes: Vec<VerdictChange>,
}

impl CompiledPolicy {
    /// What is found and wanted on a machine as of `now`, for a person to read. Judging uses the same function.
    pub fn outcomes(&self, role: Role, facts: &Facts, now: Timestamp) -> Vec<Outcome> {
        evaluate(self.set().controls(role), facts, now)
    }

    /// Judges the facts of a machine with the waivers `in_force`.
    ///
    /// An unchanged verdict keeps its start. A failure keeps the instant it was first seen until it is seen fixed: being
    /// unknown or waived meanwhile does not reset its age.
    pub fn judge(&self, item: &ToJudge, facts: &Facts, previous: Option<&Judgement>, in_force: &InForce) -> Judged {
        let &ToJudge { ref machine, role, seen_at, as_at: now, schema, schema_before } = item;
        let instant = Timestamp::from_millisecond(now).unwrap_or(Timestamp::MAX);
        let policy = self.set().controls(role);
        let rulings = rule(policy, facts, instant);
        // What is new under another policy counts from that policy, not from when the machine first looked like this.
        let same_policy = previous.is_none_or(|previous| previous.policy == self.address() && previous.role == role);
        let begins = if same_policy { seen_at.min(now) } else { now };
        let before: BTreeMap<&str, &VerdictState> =
            previous.iter().flat_map(|p| p.verdicts.iter()).map(|state| (state.control.as_str(), state)).collect();
        // A store from before the facts' meaning changed names no policy: what older agents misread was believed then.
        let believed = previous.is_some_and(|previous| previous.policy.is_empty());
        let misread = if believed { facts.misread_by(schema_before) } else { Vec::new() };
        let mut changes = Vec::new();
        let verdicts = policy
            .controls()
            .iter()
            .zip(rulings)
            .map(|(control, ruling)| {
                let was = before.get(control.id()).copied();
                let verdict = with_waiver(ruling.verdict, in_force.holds(machine, control.id()));
                let fails = matches!(verdict, Verdict::Fail | Verdict::Waived);
                // A failure that does not depend on misread facts was right; a failure found by a newer agent counts from that agent.
                let doubted = reads_any(control, &misread) && (!fails || schema > schema_before);
                let began = if doubted && fails { seen_at.min(now) } else { begins };
                let stays = was.filter(|was| was.verdict == verdict);
                if stays.is_none() && previous.is_some() {
                    let before = was.map(|was| was.verdict);
                    changes.push(VerdictChange { control: control.id().to_owned(), before, after: verdict });
                }
                let failing_since_at = was.filter(|_| !doubted).and_then(|was| was.failing_since_at);
                VerdictState {
                    verdict,
                    since_at: stays.filter(|_| !(fails && doubted)).map_or(began, |was| was.since_at),
                    failing_since_at: match verdict {
                        // What is waived still fails: a cap based on it is not lifted.
                        Verdict::Fail | Verdict::Waived => Some(failing_since_at.unwrap_or(began)),
                        Verdict::Unknown => failing_since_at,
                        Verdict::Pass | Verdict::NotApplicable => None,
                    },
                    no_reader: ruling.no_reader,
                    agent_too_old: ruling.agent_too_old,
                    implied_by: ruling.implied_by.map(|cause| policy.controls()[cause].id().to_owned()),
                    control: control.id().to_owned(),
                }
            })
            .collect();
        let judgement =
            Judgement { machine: machine.clone(), policy: self.address().to_owned(), role, judged_at: now, verdicts };
        Judged { judgement, changes }
    }
}

/// True when the control reads one of these facts.
fn reads_any(control: &Control, misread: &[&Misread]) -> bool {
    let mut found = false;
    let mut look = |condition: &Condition| {
        condition.visit(&mut |test| {
            if let Subject::Fact { section, field, .. } = test.subject {
                found |= misread.iter().any(|misread| misread.is_of(section, field.name));
            }
        });
    };
    if !misread.is_empty() {
        look(control.require());
        control.applies().into_iter().for_each(look);
    }
    found
}

#[cfg(test)]
mod tests;
