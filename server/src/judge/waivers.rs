//! Waivers and verdicts: only a failure that is waived is [`Verdict::Waived`]. When a waiver begins or ends only that
//! changes; the stored verdicts are updated without reading a fact, so that a silent machine is judged by nothing newer than
//! before. Owns no rule about who may grant one.

use policies::outcome::Verdict;

use crate::store::judgement::{JudgedFor, Judgement, VerdictChange};
use crate::store::waiver::InForce;
use crate::store::{StoreResult, Tx};

/// A verdict after waivers: what fails is waived; what passes, is unknown or does not apply needs none.
pub fn with_waiver(verdict: Verdict, waived: bool) -> Verdict {
    match verdict {
        Verdict::Fail | Verdict::Waived if waived => Verdict::Waived,
        Verdict::Waived => Verdict::Fail,
        other => other,
    }
}

/// Applies the waivers in force from `at` to the verdicts of `judgement`; returns those that changed. A failure keeps its
/// age: a waiver does not reset it.
pub(crate) fn turn(judgement: &mut Judgement, in_force: &InForce, at: i64) -> Vec<VerdictChange> {
    let mut changes = Vec::new();
    for state in &mut judgement.verdicts {
        let after = with_waiver(state.verdict, in_force.holds(&judgement.machine, &state.control));
        if after != state.verdict {
            changes.push(VerdictChange { control: state.control.clone(), before: Some(state.verdict), after });
            state.verdict = after;
            state.since_at = at;
        }
    }
    changes
}

/// Applies the waivers in force at `now` to a machine's stored verdicts, in the transaction that changed the waivers.
///
/// # Errors
/// When the database fails.
pub async fn machine_waive(tx: &mut Tx, machine: &str, now: i64) -> StoreResult<()> {
    let ids = [machine.to_owned()];
    tx.verdicts_lock(machine).await?;
    // A machine that was never judged has no verdict to update; its first judgement applies the waivers.
    let Some(mut judgement) = tx.judgement_load(&ids).await?.remove(machine) else { return Ok(()) };
    let in_force = tx.waiver_in_force(&ids, now).await?;
    let changes = turn(&mut judgement, &in_force, now);
    if changes.is_empty() {
        return Ok(());
    }
    tx.judgement_put(std::slice::from_ref(&judgement)).await?;
    // The judgement of the facts keeps its time; the waiver counts from now.
    let told = Judgement { judged_at: now, ..judgement };
    tx.outcome_change_insert(&told, &changes, JudgedFor::Waiver).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_is_waived() {
        use Verdict::{Fail, NotApplicable, Pass, Unknown, Waived};
        for (verdict, with, without) in [
            (Pass, Pass, Pass),
            (Fail, Waived, Fail),
            (Unknown, Unknown, Unknown),
            (NotApplicable, NotApplicable, NotApplicable),
            (Waived, Waived, Fail),
        ] {
            assert_eq!((with_waiver(verdict, true), with_waiver(verdict, false)), (with, without), "{verdict:?}");
        }
    }
}
