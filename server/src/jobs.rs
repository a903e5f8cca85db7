//! What the server does beside answering: renewing its certificate, freezing figures and throwing away what is over. Errors are logged, and
//! the next turn tries again.

pub mod figure;
pub mod grader;
pub mod guesses;
mod regrade;
pub mod retention;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::Instant;

use crate::app::{App, schema_since};
use crate::bound::space::Room;
use crate::jobs::figure::{day_due, day_freeze};
use crate::jobs::retention::retention_apply;
use crate::store::StoreResult;
use crate::tls::Certificates;

/// How often it is asked whether the server's own certificate serves: soon after a jump of the clock.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(5);
/// How often the office's certificate is read again.
const WEB_CERTIFICATE_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often it is asked whether the figures of the day are due.
const FIGURES_EVERY: Duration = Duration::from_secs(60);
/// How long a day's figures must have been due by a clock that nobody sets: one that was wrong for a minute freezes none.
const FIGURES_DUE: Duration = Duration::from_secs(10 * 60);
/// How often old rows are thrown away.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60 * 60);
/// ... and how soon again when it failed: on a full disk it makes room.
const HOUSEKEEPING_AGAIN: Duration = Duration::from_secs(60);
/// How often the room on the disk is looked at.
const SPACE_EVERY: Duration = Duration::from_secs(10);
/// Events older than this are of no use to any listener.
const CHANGES_KEPT_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// A browser that nobody used for so long has lost its cookie.
const DEVICES_KEPT_MS: i64 = 366 * 24 * 60 * 60 * 1000;

/// Renews the server's certificate before it ends or when the clock jumped, and reads the office's again, until the server stops.
pub async fn certificates_renew(app: App, certificates: Arc<Certificates>) {
    let mut web_read = Instant::now();
    while waited(&app, CERTIFICATE_EVERY).await {
        let web_due = web_read.elapsed() >= WEB_CERTIFICATE_EVERY;
        if !web_due && certificates.own_serves(app.clock.now_ms()) {
            continue;
        }
        let (renewing, shown) = (app.clone(), Arc::clone(&certificates));
        let renewed = tokio::task::spawn_blocking(move || {
            shown.own_renew(&renewing.secrets.server_ca, renewing.clock.now_ms())?;
            if web_due { shown.web_refresh() } else { Ok(()) }
        });
        if web_due {
            web_read = Instant::now();
        }
        match renewed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("a certificate could not be renewed: {error:#}"),
            Err(error) => tracing::error!("a certificate could not be renewed: {error}"),
        }
    }
}

/// Freezes the figures of every day at its hour, until the server stops.
pub async fn figures_freeze(app: App, zone: TimeZone) {
    let (mut last, mut due_since) = (None, None::<(String, Duration)>);
    while waited(&app, FIGURES_EVERY).await {
        let due = day_due(app.clock.now(), &zone);
        let Some(day) = due.filter(|day| last.as_ref() != Some(day)) else {
            due_since = None;
            continue;
        };
        let steady = app.clock.steady();
        let since = match &due_since {
            Some((of, since)) if *of == day => *since,
            _ => steady,
        };
        due_since = Some((day.clone(), since));
        if steady.saturating_sub(since) < FIGURES_DUE || clock_is_doubtful(&app).await.unwrap_or(true) {
            continue;
        }
        match day_freeze(&app, &day).await {
            Ok(0) => last = Some(day),
            Ok(offices) => tracing::info!(offices, day, "figures of the day are frozen"),
            Err(error) => tracing::error!("figures of {day} could not be frozen and are tried again: {error:#}"),
        }
    }
}

/// Throws away what is over, until the server stops: old events, ended sessions, bodies past their time.
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

/// Watches the room on the store's disk, until the server stops; says when it changes for better or worse.
pub async fn space_watch(app: App) {
    let (mut before, mut rest) = (Room::Enough, Duration::ZERO);
    while waited(&app, rest).await {
        rest = SPACE_EVERY;
        let (looking, spare) = (app.clone(), app.db.spare_bytes().await.unwrap_or(0));
        let Ok(room) = tokio::task::spawn_blocking(move || looking.space.look(spare)).await else { continue };
        if room == before {
            continue;
        }
        before = room;
        let (folder, free_mib) = (app.space.folder().display(), app.space.free_mib());
        match room {
            Room::Enough => tracing::info!(%folder, free_mib, "there is room on the disk again"),
            Room::Low => tracing::warn!(%folder, free_mib, "the disk with the store is nearly full: make room"),
            Room::None => tracing::error!(
                %folder,
                free_mib,
                "the disk with the store is all but full: no reports are taken in, they stay on the machines; make room",
            ),
        }
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

async fn clock_is_doubtful(app: &App) -> StoreResult<bool> {
    app.db.read().await?.clock_is_doubtful(app.clock.now_ms()).await
}

/// Waits; false when the server stops meanwhile.
async fn waited(app: &App, time: Duration) -> bool {
    tokio::select! {
        () = app.events.stopped() => false,
        () = tokio::time::sleep(time) => true,
    }
}
