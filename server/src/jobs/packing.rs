//! Packs the headers of reports that are a day old, block by block, each a transaction; so a store from before is packed in pieces as well.

use std::time::Duration;

use super::waited;
use crate::app::App;
use crate::store::header_block::HeaderBlock;
use crate::store::{Db, StoreResult};

/// Headers younger than this stay as they came: agents send those again that were not answered.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Of a machine that reported nothing for so long, what is too little for a whole block is packed, too.
const IDLE_MS: i64 = 30 * DAY_MS;
/// Machines asked for at once.
const MACHINES: i64 = 500;
/// How often it looks for headers that became old.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// How soon to retry after a failure.
const AGAIN: Duration = Duration::from_secs(60);

/// Packs the headers of old reports until the server stops, which waits for no more than the block in hand.
pub async fn headers_packing(app: App) {
    let mut rest = Duration::ZERO;
    while waited(&app, rest).await {
        let packed = tokio::select! {
            () = app.events.stopped() => return,
            packed = headers_pack(&app.db, app.clock.now_ms()) => packed,
        };
        rest = match packed {
            Ok(_) => EVERY,
            Err(error) => {
                tracing::error!(
                    "packing headers failed and is tried again in a minute: {:#}",
                    anyhow::Error::new(error)
                );
                AGAIN
            }
        };
    }
}

/// Packs what is old enough at `now`; returns how many headers.
///
/// # Errors
/// When the database fails; what is already packed stays packed.
pub async fn headers_pack(db: &Db, now: i64) -> StoreResult<u64> {
    let (mut packed, mut after) = (0, String::new());
    loop {
        let machines = db.read().await?.header_packable(&after, now - IDLE_MS, MACHINES).await?;
        let Some(last) = machines.last() else { break };
        after.clone_from(last);
        for machine in &machines {
            while let Some(count) = headers_pack_block(db, machine, now).await? {
                packed += count;
            }
        }
    }
    if packed > 0 {
        tracing::info!(packed, "packed the headers of old reports");
    }
    Ok(packed)
}

/// Packs the next block of a machine and returns how many headers it has; `None` when it is not time for one.
async fn headers_pack_block(db: &Db, machine: &str, now: i64) -> StoreResult<Option<u64>> {
    let reports = db.read().await?.header_unpacked(machine, now - DAY_MS).await?;
    let Some(block) = HeaderBlock::pack(machine, &reports) else { return Ok(None) };
    let idle = reports.iter().all(|report| report.received_at < now - IDLE_MS);
    let is_followed = reports.iter().any(|report| report.number > block.last_number || report.segment > block.segment);
    if !block.is_full() && !is_followed && !idle {
        return Ok(None);
    }
    let mut tx = db.write().await?;
    if !tx.header_block_insert(&block).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(block.count().unsigned_abs()))
}
