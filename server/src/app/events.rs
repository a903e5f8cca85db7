//! What happens, heard by everybody who waits for it. One task reads the change table and tells pages and held polls; nobody
//! else asks the database whether something is new, so that 20,000 held polls cost nothing. Owns no SQL and keeps nothing.

pub mod polls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use crate::app::App;
use crate::store::outbox::{EventKind, OutboxEvent};

pub use polls::{Polls, Wake};

/// How often the change table is read. A revocation must end a poll within 2 s, also one made by another server.
const READ_EVERY: Duration = Duration::from_millis(400);
/// Changes read at once.
const CHUNK: i64 = 1000;
/// Changes a slow listener may lag behind before it is told that it missed some.
const BACKLOG: usize = 4096;

/// What happens, for listeners inside this process.
#[derive(Debug)]
pub struct Events {
    told: broadcast::Sender<Arc<OutboxEvent>>,
    sequence: AtomicI64,
    /// The change table cannot be read now.
    away: AtomicBool,
    stop: watch::Sender<bool>,
    /// The polls that are held now.
    pub polls: Polls,
}

impl Events {
    /// Tells what happens after the change `sequence`.
    pub fn new(sequence: i64) -> Self {
        Self {
            told: broadcast::channel(BACKLOG).0,
            sequence: AtomicI64::new(sequence),
            away: AtomicBool::new(false),
            stop: watch::channel(false).0,
            polls: Polls::default(),
        }
    }

    /// Every change from now on. A listener that falls behind gets `RecvError::Lagged` and should read afresh.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<OutboxEvent>> {
        self.told.subscribe()
    }

    /// True while nobody knows what happens, because the database cannot be read.
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Asks everything that waits to end: held polls are answered, event streams close.
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
        // Nobody listening is no failure.
        let _ = self.told.send(Arc::new(change));
    }
}

/// Reads the change table until the server stops; a database that is away is asked again.
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
                // Every 400 ms this is the first to meet a broken store: connections of before are given up.
                if let Ok(error) = error.downcast() {
                    app.db.health().noted(error);
                }
            }
        }
    }
}

/// Reads what is new once and tells it.
///
/// # Errors
/// When the database fails; what was told already is not told again.
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
            app.events.tell(change);
        }
    }
}
