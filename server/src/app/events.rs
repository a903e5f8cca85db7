//! Events, delivered to everything that waits for them. One task reads the change table and notifies pages and held polls;
//! nothing else polls the database for news, so that 20,000 held polls cost nothing. Owns no SQL and stores nothing.

pub mod polls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use crate::app::App;
use crate::store::outbox::{EventKind, OutboxEvent};

pub use polls::{Polls, Wake};

/// How often the change table is read. A revocation must end a poll within 2 s, even one made by another server.
const READ_EVERY: Duration = Duration::from_millis(400);
/// Rows of the change table read at once.
const CHUNK: i64 = 1000;
/// Changes a slow listener may lag behind before it is informed that it missed some.
const BACKLOG: usize = 4096;

/// Events, for listeners inside this process.
#[derive(Debug)]
pub struct Events {
    told: broadcast::Sender<Arc<OutboxEvent>>,
    sequence: AtomicI64,
    /// True while the change table cannot be read.
    away: AtomicBool,
    stop: watch::Sender<bool>,
    /// The polls that are held now.
    pub polls: Polls,
}

impl Events {
    /// Delivers the events after number `sequence`.
    pub fn new(sequence: i64) -> Self {
        Self {
            told: broadcast::channel(BACKLOG).0,
            sequence: AtomicI64::new(sequence),
            away: AtomicBool::new(false),
            stop: watch::channel(false).0,
            polls: Polls::default(),
        }
    }

    /// Every event from now on. A listener that falls behind gets `RecvError::Lagged` and should read everything again.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<OutboxEvent>> {
        self.told.subscribe()
    }

    /// True while events are unknown, because the database cannot be read.
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Ends everything that waits: held polls are answered, event streams close.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        self.polls.wake_all(Wake::Stop);
    }

    /// Returns when [`Events::stop`] was called.
    pub async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    fn tell(&self, change: OutboxEvent) {
        match (change.kind, &change.machine) {
            (EventKind::Policy, _) => self.polls.wake_all(Wake::Policy),
            (EventKind::Revoked | EventKind::Ordered | EventKind::Machine, Some(machine)) => {
                self.polls.wake(machine);
            }
            _ => {}
        }
        // Having no listener is not a failure.
        let _ = self.told.send(Arc::new(change));
    }
}

/// Reads the change table until the server stops; retries while the database is away.
pub async fn changes_follow(app: App) {
    loop {
        tokio::select! {
            () = app.events.stopped() => return,
            () = tokio::time::sleep(READ_EVERY) => {}
        }
        match changes_read(&app).await {
            Ok(()) => app.events.away.store(false, Ordering::Relaxed),
            Err(error) => {
                if !app.events.away.swap(true, Ordering::Relaxed) {
                    tracing::error!("events cannot be read, pages and polls wait: {error:#}");
                }
                // Every 400 ms this is the first to meet a broken store: connections opened before are given up.
                if let Ok(error) = error.downcast() {
                    app.db.health().noted(error);
                }
            }
        }
    }
}

/// Reads new events once and delivers them.
///
/// # Errors
/// When the database fails; events already delivered are not delivered again.
pub async fn changes_read(app: &App) -> anyhow::Result<()> {
    loop {
        let after = app.events.sequence.load(Ordering::SeqCst);
        let changes = app.db.read().await?.change_list(after, CHUNK).await?;
        let Some(last) = changes.last().map(|change| change.sequence) else { return Ok(()) };
        if changes.iter().any(|change| change.kind == EventKind::Policy) {
            app.policies.refresh(&app.db).await?;
        }
        app.events.sequence.store(last, Ordering::SeqCst);
        for change in changes {
            app.callers.hear(&change);
            app.events.tell(change);
        }
    }
}
