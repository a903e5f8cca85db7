//! What retention is about to remove, said in the audit log first: so the evidence log holds why a header is gone.

use super::By;
use crate::audit::{Action, Actor};
use crate::store::{Db, Scope, StoreResult};

/// Says that headers received before `before` are removed from now on. Once for each `before`, which the caller moves once a day.
///
/// # Errors
/// When the database fails.
pub async fn headers_removal_note(db: &Db, at: i64, before: i64) -> StoreResult<()> {
    let by = By { actor: Actor::Program, scope: Scope::whole(), at };
    let mut tx = db.write().await?;
    if tx.headers_removal_move(before).await? {
        let change = by.change(Action::HeadersRemoved, None, "").with("before_at", before);
        by.conclude(tx, &change, &[]).await?;
    }
    Ok(())
}
