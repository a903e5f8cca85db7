//! Which unknowns are the product's own fault: no reader on this machine, or an agent that is too old. They are left out of both sums.

use super::blame::Blame;
use super::judge::FactsOf;
use crate::fact::Reason;

/// True when every unknown part is a fact that the product cannot read on this machine.
pub(super) fn excuse(unknown: &[Blame], facts: FactsOf<'_>) -> bool {
    !unknown.is_empty() && unknown.iter().all(|blame| is_excused(blame, facts))
}

/// True when a newer agent would know every unknown part, except those that the product cannot read on this machine.
pub(super) fn agent_too_old(unknown: &[Blame], facts: FactsOf<'_>) -> bool {
    let too_old = |blame: &Blame| blame.reason == Some(Reason::AgentTooOld);
    unknown.iter().any(too_old) && unknown.iter().all(|blame| too_old(blame) || is_excused(blame, facts))
}

fn is_excused(blame: &Blame, facts: FactsOf<'_>) -> bool {
    let FactsOf::Machine(facts) = facts else { return false };
    blame.reason == Some(Reason::NoReader) && blame.fact.gaps.iter().any(|gap| facts.has_gap(gap))
}
