//! Entries about looks, many in one commit: while one batch is written, the next fills up. Whoever asks waits until the entry is durable,
//! and only then may send what was looked at.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::audit::Change;
use crate::clock::Clock;
use crate::store::{Db, StoreResult};

/// Looks that may wait for the next commit.
const QUEUE: usize = 1024;
/// Most looks in one commit.
const A_COMMIT: usize = 256;
/// For this long, the same look in the same session is the same: a page that reloads itself would write an entry at every change it shows.
/// It is counted from the entry and is the same for a click and for a reload, because a browser can pass one off as the other.
const ONE_LOOK: Duration = Duration::from_secs(15 * 60);
/// Looks remembered before the old ones are forgotten; to forget one too early costs an entry more.
const REMEMBERED: usize = 50_000;

/// The queue of looks, and those that have their entry.
#[derive(Debug)]
pub struct Looks {
    queue: mpsc::Sender<Look>,
    clock: Clock,
    /// When each look was entered, by the monotonic clock.
    entered: Mutex<HashMap<String, Duration>>,
}

#[derive(Debug)]
struct Look {
    change: Change,
    reply: oneshot::Sender<()>,
}

/// A look has no entry, so nothing may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the look could not be entered in the audit log")]
pub struct LookNotEntered;

impl Looks {
    /// Starts the task that writes entries to `db`. It ends with the queue.
    pub fn start(db: Db, clock: Clock) -> Self {
        let (queue, looks) = mpsc::channel(QUEUE);
        tokio::spawn(write(db, clock.clone(), looks));
        Self { queue, clock, entered: Mutex::default() }
    }

    /// Makes sure that `change`, a look in the session of this name, has an entry: returns when it is durable. The same look within a
    /// quarter of an hour has one already.
    ///
    /// # Errors
    /// The store refused it, too many are waiting, or the server is stopping.
    pub async fn enter(&self, session: &str, change: Change) -> Result<(), LookNotEntered> {
        let Change { office, subject, detail, .. } = &change;
        let look = format!("{session} {} {subject} {detail:?}", office.as_deref().unwrap_or(""));
        if self.is_entered(&look) {
            return Ok(());
        }
        let (reply, entered) = oneshot::channel();
        self.queue.try_send(Look { change, reply }).map_err(|_| LookNotEntered)?;
        entered.await.map_err(|_| LookNotEntered)?;
        self.remember(look);
        Ok(())
    }

    fn is_entered(&self, look: &str) -> bool {
        let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        entered.get(look).is_some_and(|at| self.clock.steady().saturating_sub(*at) < ONE_LOOK)
    }

    fn remember(&self, look: String) {
        let now = self.clock.steady();
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        if entered.len() >= REMEMBERED {
            entered.retain(|_, at| now.saturating_sub(*at) < ONE_LOOK);
        }
        if entered.len() >= REMEMBERED {
            entered.clear();
        }
        entered.insert(look, now);
    }
}

async fn write(db: Db, clock: Clock, mut looks: mpsc::Receiver<Look>) {
    let mut batch = Vec::with_capacity(A_COMMIT);
    while looks.recv_many(&mut batch, A_COMMIT).await > 0 {
        let (changes, replies): (Vec<_>, Vec<_>) = batch.drain(..).map(|look| (look.change, look.reply)).unzip();
        match store(&db, clock.now_ms(), &changes).await.map_err(|error| db.health().noted(error)) {
            // Whoever asked may be gone; the entry stays all the same.
            Ok(()) => {
                for reply in replies {
                    let _ = reply.send(());
                }
            }
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!(looks = changes.len(), "looks could not be entered, so nothing is shown: {error:#}");
            }
        }
    }
}

async fn store(db: &Db, at: i64, changes: &[Change]) -> StoreResult<()> {
    let mut tx = db.write().await?;
    tx.audit_append_all(at, changes).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;
    use crate::act::By;
    use crate::audit::{Action, Entry};
    use crate::store::Scope;
    use crate::store::audit::Listed;
    use crate::store::test_database::on_both;

    const START: i64 = 1_795_331_100_000;

    fn look(machine: usize) -> Change {
        let by = By::person("lan", Scope::whole(), START);
        Change::new(by.actor, Action::DetailViewed, None, format!("machine-{machine} PC")).with("basis", "")
    }

    async fn entries(db: &Db) -> Vec<Entry> {
        db.read().await.unwrap().audit_list_only(&Scope::whole(), Listed::Looks, i64::MAX, 10_000).await.unwrap()
    }

    on_both! {
        async fn a_hundred_looks_at_once_are_few_commits_of_few_statements(test_database: &TestDatabase) {
            let db = &test_database.db;
            let looks = Arc::new(Looks::start(db.clone(), Clock::fixed(START)));
            let before = db.health().statements();
            let mut asked = JoinSet::new();
            for machine in 0..100 {
                let looks = Arc::clone(&looks);
                asked.spawn(async move { looks.enter("s", look(machine)).await });
            }
            assert!(asked.join_all().await.iter().all(Result::is_ok));
            let statements = db.health().statements() - before;
            let entries = entries(db).await;
            assert_eq!(entries.len(), 100);
            assert!(statements <= 40, "{statements} statements");
            assert!(db.read().await.unwrap().audit_verify().await.unwrap().is_ok());
        }

        async fn one_look_is_one_entry_for_a_quarter_of_an_hour(test_database: &TestDatabase) {
            let db = &test_database.db;
            let clock = Clock::fixed(START);
            let looks = Looks::start(db.clone(), clock.clone());
            for (session, machine, minutes, count) in
                [("a", 1, 0, 1), ("a", 1, 14, 1), ("a", 2, 0, 2), ("b", 1, 0, 3), ("a", 1, 1, 4), ("a", 1, 14, 4)]
            {
                clock.advance(minutes * 60_000);
                looks.enter(session, look(machine)).await.unwrap();
                assert_eq!(entries(db).await.len(), count, "{session} {machine} {minutes}");
            }
            let other = look(1).with("basis", "12/QĐ");
            looks.enter("a", other).await.unwrap();
            assert_eq!(entries(db).await.len(), 5, "another basis is another look");
        }

        async fn what_the_store_refuses_is_not_shown_and_not_remembered(test_database: &TestDatabase) {
            let db = &test_database.db;
            let looks = Looks::start(db.clone(), Clock::fixed(START));
            test_database.log_away(true).await;
            assert_eq!(looks.enter("a", look(1)).await, Err(LookNotEntered));
            test_database.log_away(false).await;
            looks.enter("a", look(1)).await.unwrap();
            assert_eq!(entries(db).await.len(), 1);
        }
    }
}
