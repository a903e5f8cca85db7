//! Rejudging every machine after a change of policy, in batches on all processors.

use std::sync::Arc;

use crate::judge::Judged;
use crate::judge::machines::{CLOCKS_DIFFER, ToJudge, judge_all, judged_put};
use crate::policy::CompiledPolicy;
use crate::store::Db;
use crate::store::judgement::{Behind, JudgedFor};
use crate::store::section::schema as schema_read;

/// Machines judged in one batch.
const BATCH: i64 = 512;

/// Judges every machine that was judged under another policy, in another role, at a future time shown by a wrong clock, or not yet
/// although it reported. Batches are read, judged and written in parallel, one more than there are processors. The waivers are those in
/// force at `now`. Returns how many were judged.
///
/// Safe while another server does the same, and after a stop in the middle: what is done is not done again.
///
/// # Errors
/// When the database fails; batches already written stay.
pub(super) async fn machines_catch_up(db: &Db, judge: &Arc<CompiledPolicy>, now: i64) -> anyhow::Result<u64> {
    let side_by_side = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) + 1;
    let mut running = tokio::task::JoinSet::new();
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let latest = now.saturating_add(CLOCKS_DIFFER);
        let behind = db.read().await?.machine_behind(judge.address(), latest, &after, BATCH).await?;
        let Some(last) = behind.last() else { break };
        after.clone_from(&last.id);
        count += behind.len() as u64;
        if running.len() >= side_by_side
            && let Some(done) = running.join_next().await
        {
            done??;
        }
        running.spawn(batch_judge(db.clone(), Arc::clone(judge), behind, now));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(count)
}

async fn batch_judge(db: Db, judge: Arc<CompiledPolicy>, behind: Vec<Behind>, at: i64) -> anyhow::Result<()> {
    let ids: Vec<String> = behind.iter().map(|machine| machine.id.clone()).collect();
    let (previous, in_force, facts) = {
        let mut tx = db.read().await?;
        (tx.judgement_load(&ids).await?, tx.waiver_in_force(&ids, at).await?, tx.facts_load(&ids).await?)
    };
    let machines: Vec<ToJudge> = behind
        .into_iter()
        .map(|Behind { id, role, received_at, schema, .. }| {
            let (seen_at, schema) = (received_at.min(at), schema_read(schema));
            ToJudge { machine: id, role, seen_at, as_at: seen_at, schema, schema_before: schema }
        })
        .collect();
    let (judged, previous, in_force) = tokio::task::spawn_blocking(move || {
        (judge_all(&judge, &machines, &facts, &previous, &in_force), previous, in_force)
    })
    .await?;
    let mut tx = db.write().await?;
    tx.judgements_lock(&ids).await?;
    // A report that came meanwhile was judged by newer facts: leave it alone. If a waiver began or ended meanwhile, its
    // event causes another judgement.
    let now = tx.judgement_load(&ids).await?;
    let now_in_force = tx.waiver_in_force(&ids, at).await?;
    let judged: Vec<Judged> = judged
        .into_iter()
        .filter(|judged| {
            let machine = &judged.judgement.machine;
            now.get(machine) == previous.get(machine) && now_in_force.is_same_for(&in_force, machine)
        })
        .collect();
    let other_role = |judged: &Judged| {
        previous.get(&judged.judgement.machine).is_some_and(|previous| previous.role != judged.judgement.role)
    };
    let (by_role, by_policy): (Vec<Judged>, Vec<Judged>) = judged.into_iter().partition(other_role);
    judged_put(&mut tx, &by_role, &previous, JudgedFor::Role).await?;
    judged_put(&mut tx, &by_policy, &previous, JudgedFor::Policy).await?;
    tx.commit().await?;
    Ok(())
}
