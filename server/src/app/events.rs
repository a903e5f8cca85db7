//! Events, delivered to everything that waits for them. One task reads the change table and notifies pages and held polls;
//! nothing else polls the database for news, so that 20,000 held polls cost nothing. Owns no SQL and stores nothing.

pub mod polls;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use crate::app::App;
use crate::clock::Clock;
use crate::store::outbox::{EventKind, OutboxEvent};

pub use polls::{Polls, Wake};

/// How often the change table is read. A revocation must end a poll within 2 s, even one made by another server.
const READ_EVERY: Duration = Duration::from_millis(400);
/// Events are unknown when the change table was last read to its end longer ago than this. Reading it is given up after as long: a
/// database that hangs returns no error.
const KNOWN_FOR: Duration = Duration::from_secs(2);
/// Rows of the change table read at once.
const CHUNK: i64 = 1000;
/// Changes a slow listener may lag behind before it is informed that it missed some.
const BACKLOG: usize = 4096;

/// Events, for listeners inside this process.
#[derive(Debug)]
pub struct Events {
    told: broadcast::Sender<Arc<OutboxEvent>>,
    sequence: AtomicI64,
    clock: Clock,
    /// When the change table was last read to its end, by the monotonic clock; `None` since reading it failed.
    read_at: Mutex<Option<Duration>>,
    stop: watch::Sender<bool>,
    /// The polls that are held now.
    pub polls: Polls,
}

impl Events {
    /// Delivers the events after number `sequence`.
    pub fn new(sequence: i64, clock: Clock) -> Self {
        Self {
            told: broadcast::channel(BACKLOG).0,
            sequence: AtomicI64::new(sequence),
            read_at: Mutex::new(Some(clock.steady())),
            clock,
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
        let read_at = *self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        read_at.is_none_or(|at| self.clock.steady().saturating_sub(at) >= KNOWN_FOR)
    }

    /// Notes when the change table was read to its end, or that it could not be; returns the time before.
    fn read_note(&self, at: Option<Duration>) -> Option<Duration> {
        std::mem::replace(&mut *self.read_at.lock().unwrap_or_else(PoisonError::into_inner), at)
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
        let read = tokio::time::timeout(KNOWN_FOR, changes_read(&app)).await;
        if let Err(error) = read.unwrap_or_else(|late| Err(late.into())) {
            if app.events.read_note(None).is_some() {
                tracing::error!("events cannot be read, pages and polls wait: {error:#}");
            }
            // Every 400 ms this is the first to meet a broken store: connections opened before are given up.
            if let Ok(error) = error.downcast() {
                app.db.health().noted(error);
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
        let begun = app.clock.steady();
        let changes = app.db.read().await?.change_list(after, CHUNK).await?;
        let Some(last) = changes.last().map(|change| change.sequence) else {
            app.events.read_note(Some(begun));
            return Ok(());
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::tests::TestServer;
    use crate::store::outbox::NewEvent;
    use crate::store::test_database::on_both;

    on_both! {
        async fn a_read_that_hangs_is_given_up_and_events_are_unknown_until_one_succeeds(test_database: &TestDatabase) {
            let test_server = TestServer::open(test_database).await;
            let app = &test_server.app;
            let mut changes = app.events.subscribe();
            // Whoever reads waits for one of these to come back.
            let mut held = Vec::new();
            for _ in 0..test_database.readers() {
                held.push(app.db.read().await.unwrap());
            }
            let follows = tokio::spawn(changes_follow(app.clone()));
            assert!(!app.events.is_away());
            while !app.events.is_away() {
                tokio::time::sleep(READ_EVERY).await;
            }
            drop(held);
            let mut tx = app.db.write().await.unwrap();
            tx.change_append(1, &[NewEvent::of_office(EventKind::Roster, &test_server.office)]).await.unwrap();
            tx.commit().await.unwrap();
            while changes.recv().await.unwrap().kind != EventKind::Roster {}
            while app.events.is_away() {
                tokio::time::sleep(READ_EVERY).await;
            }
            app.events.stop();
            follows.await.unwrap();
        }
    }
}
