//! The present verdicts of a machine, made again from its facts, waivers and policy as at the instant they were judged.

use std::collections::{BTreeMap, BTreeSet};

use policies::fact::{Facts, Reason};

use super::{Place, StoreResult, Verifying, What, Why};
use crate::judge::machines::ToJudge;
use crate::store::Scope;
use crate::store::judgement::{VerdictState, word};
use crate::store::waiver::{InForce, Waiver, WaiverState};

/// A verdict and what goes with it, for people and programs.
fn told(state: &VerdictState) -> String {
    let mut told = word(state.verdict).to_owned();
    told += &format!(" since {}", state.since_at);
    if let Some(at) = state.failing_since_at {
        told += &format!(" failing since {at}");
    }
    if let Some(cause) = &state.implied_by {
        told += &format!(" by {cause}");
    }
    if state.no_reader {
        told += " no_reader";
    }
    if state.agent_too_old {
        told += " old_agent";
    }
    told
}

/// When verdicts were last changed: judged, or by a waiver that began or ended after that.
pub(super) fn settled_at(judged_at: i64, waivers: &[Waiver]) -> i64 {
    let decided =
        waivers.iter().filter(|waiver| waiver.state != WaiverState::Refused).filter_map(|waiver| waiver.decided_at);
    decided.chain(waivers.iter().filter_map(|waiver| waiver.ended_at)).fold(judged_at, i64::max)
}

impl Verifying<'_> {
    pub(super) async fn verdicts(&mut self, id: &str) -> StoreResult<()> {
        let ids = [id.to_owned()];
        let mut tx = self.db.read().await?;
        let machine = tx.machine_require(&Scope::whole(), id).await?;
        let head = tx.head_get(&Scope::whole(), id).await?;
        let stored = tx.judgement_load(&ids).await?.remove(id);
        let facts = tx.facts_load(&ids).await?.remove(id);
        let waivers = tx.waiver_list_of_machine(&Scope::whole(), id).await?;
        drop(tx);
        let (Some(head), Some(stored)) = (head, stored) else { return Ok(()) };
        if stored.policy.is_empty() || stored.role != machine.role {
            self.findings.uncheck(Why::AwaitsJudging, id, stored.judged_at);
            return Ok(());
        }
        let Some(policy) = self.shelf.get(self.db, &stored.policy).await? else {
            self.findings.differ(What::Policy, Place::Policy(stored.policy), None, None);
            return Ok(());
        };
        let at = stored.judged_at;
        let item = ToJudge {
            machine: id.to_owned(),
            role: stored.role,
            seen_at: at,
            as_at: at,
            schema: head.schema,
            schema_before: head.schema,
        };
        let facts = facts.unwrap_or_else(|| Facts::unknown(Reason::NotCollected));
        let in_force = InForce::at(&waivers, settled_at(at, &waivers));
        // Judged again as a report without news would be: what is right stays as it is, with its times.
        let judged = policy.judge(&item, &facts, Some(&stored), &in_force).judgement;
        let by_control = |states: &[VerdictState]| -> BTreeMap<String, VerdictState> {
            states.iter().map(|state| (state.control.clone(), state.clone())).collect()
        };
        let (before, after) = (by_control(&stored.verdicts), by_control(&judged.verdicts));
        self.findings.count("verdicts", after.len() as u64);
        for control in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let place = Place::Control(id.to_owned(), control.clone());
            self.findings.compare(What::Verdict, place, before.get(control).map(told), after.get(control).map(told));
        }
        Ok(())
    }
}
