//! When each machine last called: held in memory, and written for all of them in one statement now and then, so that a request costs no
//! write. It counts whoever proved to be a machine that is not revoked: by a report, a poll (when it begins), an event, fetching a policy,
//! enrolling or renewing. A file that a person brings is no call and is stored as what it is ([`crate::act::airgap`]).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::store::{Db, StoreResult};

/// A machine's last call is written at most this often.
const APART: Duration = Duration::from_secs(10 * 60);

/// The machines that called since this server started.
#[derive(Debug, Default)]
pub struct Contacts(Mutex<HashMap<String, Call>>);

#[derive(Debug)]
struct Call {
    /// Milliseconds UTC.
    at: i64,
    is_stored: bool,
    /// When one was written last, by the monotonic clock.
    stored: Option<Duration>,
}

impl Contacts {
    /// Notes that `machine` calls now.
    pub fn note(&self, clock: &Clock, machine: &str) {
        let at = clock.now_ms();
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.get_mut(machine) {
            (call.at, call.is_stored) = (at, false);
        } else {
            calls.insert(machine.to_owned(), Call { at, is_stored: false, stored: None });
        }
    }

    /// Writes the last calls of the machines whose turn it is, or with `all` of every machine. Call it from one task only.
    ///
    /// # Errors
    /// When the database fails; nothing is lost then.
    pub async fn store(&self, db: &Db, clock: &Clock, all: bool) -> StoreResult<()> {
        let now = clock.steady();
        let due: Vec<(String, i64)> = {
            let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = |call: &Call| all || call.stored.is_none_or(|stored| now.saturating_sub(stored) >= APART);
            let due = calls.iter().filter(|(_, call)| !call.is_stored && is_due(call));
            due.map(|(machine, call)| (machine.clone(), call.at)).collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        let mut tx = db.write().await?;
        tx.contact_put(&due, clock.now_ms()).await?;
        tx.commit().await?;
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (machine, at) in due {
            if let Some(call) = calls.get_mut(&machine) {
                // It may have called again meanwhile.
                (call.is_stored, call.stored) = (call.at == at, Some(now));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Scope;
    use crate::store::test_database::{self, on_both};

    const START: i64 = 1_795_331_100_000;
    const MINUTE: i64 = 60_000;

    on_both! {
        async fn a_call_is_written_every_ten_minutes_for_all_in_one_statement(test_database: &TestDatabase) {
            let db = &test_database.db;
            let mut tx = db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã", None).await;
            let mut machines = Vec::new();
            for _ in 0..200 {
                machines.push(test_database::machine(&mut tx, &office).await);
            }
            tx.commit().await.unwrap();
            let (clock, contacts) = (Clock::fixed(START), Contacts::default());
            let call = |machines: &[String]| machines.iter().for_each(|machine| contacts.note(&clock, machine));
            let stored = async |machine: &String| {
                db.read().await.unwrap().contact_get(&Scope::whole(), machine).await.unwrap().called_at
            };
            let store = async |all| {
                let before = db.health().statements();
                contacts.store(db, &clock, all).await.unwrap();
                db.health().statements() - before
            };
            assert_eq!(stored(&machines[0]).await, None);
            call(&machines);
            assert_eq!((store(false).await, store(false).await), (1, 0));
            assert_eq!(stored(&machines[199]).await, Some(START));

            clock.advance(9 * MINUTE);
            call(&machines[..1]);
            assert_eq!(store(false).await, 0, "not yet");
            clock.advance(MINUTE);
            assert_eq!(store(false).await, 1);
            assert_eq!(stored(&machines[0]).await, Some(START + 9 * MINUTE));
            call(&machines[..1]);
            assert_eq!((store(false).await, store(true).await), (0, 1), "all of them when the server ends");
            assert_eq!(stored(&machines[0]).await, Some(START + 10 * MINUTE));
        }

        async fn of_two_servers_the_later_call_stands_and_none_in_the_future(test_database: &TestDatabase) {
            let db = &test_database.db;
            let mut tx = db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã", None).await;
            let machine = test_database::machine(&mut tx, &office).await;
            for (at, now, stands) in [(5, 9, 5), (8, 9, 8), (7, 9, 8), (99, 99, 99), (10, 11, 10)] {
                tx.contact_put(&[(machine.clone(), at)], now).await.unwrap();
                let contact = tx.contact_get(&Scope::whole(), &machine).await.unwrap();
                assert_eq!(contact.called_at, Some(stands), "{at} at {now}");
            }
            tx.contact_import_put(&machine, 12).await.unwrap();
            let contact = tx.contact_get(&Scope::whole(), &machine).await.unwrap();
            assert_eq!((contact.called_at, contact.imported_at), (Some(10), Some(12)));
        }
    }
}
