//! Machines that called lately, as the store had them, so that a report costs no reading before its commit, which asks the store anyway.
//! Thrown away by the next event about the machine, read at least every second, whichever server caused it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::events::Events;
use crate::store::machine::key::Peer;
use crate::store::outbox::{EventKind, OutboxEvent};
use crate::store::{Db, StoreResult};

/// Machines remembered before all are forgotten.
const MOST: usize = 50_000;

/// The machines with the key that each last called with.
#[derive(Debug, Default)]
pub struct Callers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    peers: HashMap<String, Peer>,
    /// How often something was forgotten: what was read before that is not remembered.
    forgotten: u64,
}

impl Callers {
    /// The owner of `key`, which `machine` claims to be, from memory unless events are unknown now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, db: &Db, events: &Events, machine: &str, key: &str) -> StoreResult<Option<Peer>> {
        if events.is_away() {
            self.forget_all();
        }
        let forgotten = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(peer) = known.peers.get(machine).filter(|peer| peer.key == key) {
                return Ok(Some(peer.clone()));
            }
            known.forgotten
        };
        let peer = db.read().await?.machine_peer(key).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = &peer
            && known.forgotten == forgotten
            && !events.is_away()
        {
            if known.peers.len() >= MOST {
                known.peers.clear();
            }
            known.peers.insert(peer.machine.clone(), peer.clone());
        }
        Ok(peer)
    }

    /// Forgets the machine that an event is about.
    pub(super) fn hear(&self, change: &OutboxEvent) {
        match (change.kind, &change.machine) {
            (EventKind::Machine | EventKind::Revoked, Some(machine)) => self.forget(machine),
            (EventKind::Machine | EventKind::Revoked, None) => self.forget_all(),
            _ => {}
        }
    }

    /// Forgets a machine.
    pub fn forget(&self, machine: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.forgotten += 1;
        known.peers.remove(machine);
    }

    fn forget_all(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.forgotten += 1;
        known.peers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::Scope;
    use crate::store::machine::key::MachineKey;
    use crate::store::machine::{MachineStatus, Role};
    use crate::store::outbox::NewEvent;
    use crate::store::test_database::{self, on_both};

    /// An office and its machine, whose key is `k`.
    async fn known(db: &Db) -> (String, String) {
        let mut tx = db.write().await.unwrap();
        let office = test_database::office(&mut tx, "Xã", None).await;
        let machine = test_database::machine(&mut tx, &office).await;
        let public_key = b"key".to_vec();
        let key = MachineKey { id: "k".to_owned(), machine: machine.clone(), public_key, since_at: 1, until_at: None };
        tx.machine_key_insert(&key).await.unwrap();
        tx.commit().await.unwrap();
        (office, machine)
    }

    on_both! {
        async fn a_machine_is_remembered_until_an_event_about_it(test_database: &TestDatabase) {
            let (db, all) = (&test_database.db, Scope::whole());
            let (office, machine) = known(db).await;

            let clock = Clock::fixed(0);
            let (callers, events) = (Callers::default(), Events::new(0, clock.clone()));
            let find = async || callers.find(db, &events, &machine, "k").await.unwrap().unwrap();
            let before = find().await;
            assert_eq!(callers.find(db, &events, &machine, "unknown").await.unwrap(), None);
            let mut tx = db.write().await.unwrap();
            tx.machine_role_set(&all, &machine, Role::Server).await.unwrap();
            tx.machine_revoke(&all, &machine, 1, "lan", "x").await.unwrap();
            tx.change_append(1, &[NewEvent::of_machine(EventKind::Revoked, &office, &machine)]).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(find().await, before, "no event was read yet");
            for change in db.read().await.unwrap().change_list(0, 10).await.unwrap() {
                callers.hear(&change);
            }
            let after = find().await;
            assert_eq!((after.role, after.status), (Role::Server, MachineStatus::Revoked));
        }

        async fn nobody_is_remembered_while_events_are_not_read(test_database: &TestDatabase) {
            let (db, all) = (&test_database.db, Scope::whole());
            let (_, machine) = known(db).await;

            let clock = Clock::fixed(0);
            let (callers, events) = (Callers::default(), Events::new(0, clock.clone()));
            let status = async || callers.find(db, &events, &machine, "k").await.unwrap().unwrap().status;
            let before = status().await;
            let mut tx = db.write().await.unwrap();
            tx.machine_revoke(&all, &machine, 1, "lan", "x").await.unwrap();
            tx.commit().await.unwrap();
            clock.advance(1_999);
            assert_eq!(status().await, before, "the event may be on its way");
            clock.advance(1);
            assert_eq!(status().await, MachineStatus::Revoked, "nothing was read for two seconds, and nothing failed");
        }
    }
}
