//! What a machine's kept checkpoint says about this server: that its log went on, that the store was put back, or that the log was
//! rewritten. Without this server's signature a machine can say nothing.

use protocol::log::LogAnswer;

use super::caller::{CallerError, Refusal};
use crate::app::App;
use crate::audit::{Action, Actor, Change};
use crate::evidence::Kept;
use crate::store::log::continuation::Standing;
use crate::store::{Db, StoreResult};

/// Answers how the log went on from the checkpoint `text`, which `machine` of `office` kept. A longer one than the log opens the next epoch.
///
/// # Errors
/// A final refusal when this server did not sign it.
pub async fn log_answer(app: &App, machine: &str, office: &str, text: &str) -> Result<LogAnswer, CallerError> {
    let kept = app.db.log_signer()?.kept(text).ok_or(Refusal::CheckpointUnusable)?;
    let now = app.clock.now_ms();
    let (mut answer, standing) = app.db.read().await?.log_continue(&kept).await?;
    match standing {
        Standing::Continued | Standing::Earlier => {}
        Standing::Longer => {
            restored_note(&app.db, machine, office, &kept, now).await?;
            answer = app.db.read().await?.log_continue(&kept).await?.0;
        }
        Standing::Contradicted => contradiction_note(&app.db, machine, office, &kept, now).await?,
    }
    answer.server_time_at = app.clock.now_ms();
    Ok(answer)
}

fn told(action: Action, machine: &str, office: &str, kept: &Kept) -> Change {
    Change::new(Actor::Program, action, Some(office), machine)
        .with("epoch", kept.checkpoint.origin.epoch)
        .with("size", kept.checkpoint.size)
}

/// Opens the next epoch, with an entry in the audit log. Locks are taken in their order: audit, change, log.
async fn restored_note(db: &Db, machine: &str, office: &str, kept: &Kept, now: i64) -> StoreResult<()> {
    let mut tx = db.write().await?;
    tx.audit_append(now, &told(Action::LogRestored, machine, office, kept)).await?;
    tx.change_append(now, &[]).await?;
    // Another machine may have shown the same at this moment.
    if tx.log_epoch_show(kept, machine, now).await? {
        tracing::error!(
            machine,
            epoch = kept.checkpoint.origin.epoch,
            size = kept.checkpoint.size,
            "a machine holds a longer checkpoint of this server: the store was put back, and the evidence log begins another epoch"
        );
        tx.commit().await?;
    }
    Ok(())
}

/// Keeps a checkpoint that contradicts the log, once.
async fn contradiction_note(db: &Db, machine: &str, office: &str, kept: &Kept, now: i64) -> StoreResult<()> {
    let mut tx = db.write().await?;
    if tx.log_contradiction_keep(kept, machine, now).await? {
        tracing::error!(
            machine,
            epoch = kept.checkpoint.origin.epoch,
            size = kept.checkpoint.size,
            "a machine holds a checkpoint of this server that its evidence log does not continue: the log was rewritten"
        );
        tx.audit_append(now, &told(Action::LogContradicted, machine, office, kept)).await?;
        tx.commit().await?;
    }
    Ok(())
}
