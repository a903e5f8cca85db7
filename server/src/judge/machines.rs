//! Judging many machines at once; after reports, in the transaction that stores them.

use std::collections::BTreeMap;

use policies::fact::{Facts, Reason};

use super::Judged;
use crate::policy::CompiledPolicy;
use crate::store::judgement::{JudgedFor, Judgement};
use crate::store::machine::Role;
use crate::store::waiver::InForce;
use crate::store::{StoreResult, Tx};

/// How far the clocks of two servers on one database may differ. Milliseconds.
pub(crate) const CLOCKS_DIFFER: i64 = 60 * 1000;

/// A machine to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToJudge {
    /// Its id.
    pub machine: String,
    /// Its role, according to the server.
    pub role: Role,
    /// When its facts were observed, milliseconds UTC.
    pub seen_at: i64,
    /// The instant as of which it is judged: now for a report, the receipt of the last report after a change of the policy, so
    /// that a silent machine does not get worse under a new policy.
    pub as_at: i64,
    /// The version of the facts' meaning its facts were read by.
    pub schema: u32,
    /// The version its previously judged facts were read by.
    pub schema_before: u32,
}

/// Stores the judgements made from the `previous` state. Returns the machines whose verdicts changed, and those that are new.
///
/// # Errors
/// When the database fails.
pub async fn judged_put(
    tx: &mut Tx,
    judged: &[Judged],
    previous: &BTreeMap<String, Judgement>,
    cause: JudgedFor,
) -> StoreResult<Vec<String>> {
    let judgements: Vec<Judgement> = judged.iter().map(|judged| judged.judgement.clone()).collect();
    tx.judgement_put(&judgements).await?;
    let mut changed = Vec::new();
    for Judged { judgement, changes } in judged {
        tx.outcome_change_insert(judgement, changes, cause).await?;
        if !changes.is_empty() || !previous.contains_key(&judgement.machine) {
            changed.push(judgement.machine.clone());
        }
    }
    Ok(changed)
}

/// Judges machines by their facts; a machine without stored facts is judged as if nothing were known of it.
pub fn judge_all(
    judge: &CompiledPolicy,
    machines: &[ToJudge],
    facts: &BTreeMap<String, Facts>,
    previous: &BTreeMap<String, Judgement>,
    in_force: &InForce,
) -> Vec<Judged> {
    let nothing = Facts::unknown(Reason::NotCollected);
    machines
        .iter()
        .map(|item| {
            let facts = facts.get(&item.machine).unwrap_or(&nothing);
            judge.judge(item, facts, previous.get(&item.machine), in_force)
        })
        .collect()
}
