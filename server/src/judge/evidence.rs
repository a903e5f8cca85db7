//! The judge as called by ingest: in the transaction that stores the reports, under the policy in force.

use std::collections::BTreeMap;

use protocol::Digest;

use super::Judged;
use super::machines::{ToJudge, judged_put};
use crate::ingest::{Evidence, Judge, Judging};
use crate::policy::Policies;
use crate::store::judgement::JudgedFor;
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::{StoreResult, Tx};

impl Judge for Policies {
    fn policy(&self) -> Option<Digest> {
        self.address()
    }

    fn judge<'a>(&'a self, tx: &'a mut Tx, evidence: &'a [Evidence], now: i64) -> Judging<'a> {
        Box::pin(self.evidence_judge(tx, evidence, now))
    }
}

impl Policies {
    /// Judges new evidence. Returns events for the machines on which a verdict changed.
    async fn evidence_judge(&self, tx: &mut Tx, evidence: &[Evidence], now: i64) -> StoreResult<Vec<NewEvent>> {
        let Some(policy) = self.current() else { return Ok(Vec::new()) };
        let ids: Vec<String> = evidence.iter().map(|item| item.machine.clone()).collect();
        let previous = tx.judgement_load(&ids).await?;
        let in_force = tx.waiver_in_force(&ids, now).await?;
        let judged: Vec<Judged> = evidence
            .iter()
            .map(|item| {
                let seen_at = item.sections.0.values().map(|section| section.observed_at).max().unwrap_or(now);
                let before = previous.get(&item.machine);
                let to_judge = ToJudge {
                    machine: item.machine.clone(),
                    role: item.role,
                    seen_at,
                    as_at: now,
                    schema: item.schema,
                    schema_before: item.schema_before,
                };
                policy.judge.judge(&to_judge, &item.facts, before, &in_force)
            })
            .collect();
        let offices: BTreeMap<&str, &str> =
            evidence.iter().map(|item| (item.machine.as_str(), item.office.as_str())).collect();
        let changed = judged_put(tx, &judged, &previous, JudgedFor::Report).await?;
        let event = |machine: String| {
            let office = offices.get(machine.as_str())?;
            Some(NewEvent::of_machine(EventKind::Judged, office, &machine))
        };
        Ok(changed.into_iter().filter_map(event).collect())
    }
}
