//! Deleting what has expired: old events, ended sessions, bodies past their time.

use std::time::Duration;

use super::retention::retention_apply;
use super::{clock_is_doubtful, waited};
use crate::app::{App, schema_since};

/// How often old rows are deleted.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60 * 60);
/// How soon to retry after a failure: on a full disk it makes room.
const HOUSEKEEPING_AGAIN: Duration = Duration::from_secs(60);
/// Events older than this are of no use to any listener.
const CHANGES_KEPT_MS: i64 = 2 * 24 * 60 * 60 * 1000;
/// A browser unused for this long has lost its cookie.
const DEVICES_KEPT_MS: i64 = 366 * 24 * 60 * 60 * 1000;

/// Deletes what has expired, until the server stops: old events, ended sessions, bodies past their time.
pub async fn housekeeping(app: App) {
    let mut rest = Duration::ZERO;
    while waited(&app, rest).await {
        rest = match housekeep(&app).await {
            Ok(()) => HOUSEKEEPING_EVERY,
            Err(error) => {
                tracing::error!("housekeeping failed and is tried again in a minute: {error:#}");
                HOUSEKEEPING_AGAIN
            }
        };
    }
}

async fn housekeep(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now_ms();
    let mut tx = app.db.write().await?;
    tx.change_prune(now - CHANGES_KEPT_MS).await?;
    tx.schema_claim(schema_since(now)).await?;
    tx.commit().await?;
    if clock_is_doubtful(app).await? {
        tracing::warn!(
            "this server's clock may be wrong: machines say another day, or none reported for weeks; until that is over no old body, \
             session or known browser is thrown away"
        );
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    tx.session_prune(now).await?;
    tx.known_device_prune(now - DEVICES_KEPT_MS).await?;
    tx.commit().await?;
    retention_apply(&app.db, &app.config.retention, app.clock.now()).await?;
    Ok(())
}
