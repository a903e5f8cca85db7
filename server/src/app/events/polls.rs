//! The polls that are held now: one for each machine, woken individually, so that an event about one machine wakes no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Why a held poll should look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Nothing happened yet.
    Wait,
    /// Something about this machine.
    Machine,
    /// A policy was published: every machine is affected.
    Policy,
    /// The same machine polls again: this one ends.
    Replaced,
    /// The server stops.
    Stop,
}

/// The held polls, by machine id.
#[derive(Debug, Default)]
pub struct Polls(Arc<Mutex<HashMap<String, watch::Sender<Wake>>>>);

/// A held poll; dropped when it is answered or its connection ends.
#[derive(Debug)]
pub struct Held {
    polls: Arc<Mutex<HashMap<String, watch::Sender<Wake>>>>,
    machine: String,
    receiver: watch::Receiver<Wake>,
}

impl Polls {
    /// Begins to hold a poll of `machine`; one already held ends.
    pub fn enter(&self, machine: &str) -> Held {
        let (sender, receiver) = watch::channel(Wake::Wait);
        let earlier = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(machine.to_owned(), sender);
        if let Some(earlier) = earlier {
            earlier.send_replace(Wake::Replaced);
        }
        Held { polls: Arc::clone(&self.0), machine: machine.to_owned(), receiver }
    }

    /// Wakes the poll of `machine`, if it is held here.
    pub fn wake(&self, machine: &str) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(machine) {
            sender.send_replace(Wake::Machine);
        }
    }

    /// Wakes every poll.
    pub fn wake_all(&self, why: Wake) {
        for sender in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            sender.send_replace(why);
        }
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Held {
    /// Returns when there is a reason to look up, and says which.
    pub async fn woken(&mut self) -> Wake {
        match self.receiver.changed().await {
            Ok(()) => *self.receiver.borrow_and_update(),
            // Only a later poll of the same machine replaces the sender.
            Err(_) => Wake::Replaced,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        if polls.get(&self.machine).is_some_and(|sender| sender.subscribe().same_channel(&self.receiver)) {
            polls.remove(&self.machine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_poll_of_a_machine_ends_the_first_and_leaves_others_alone() {
        let polls = Polls::default();
        let mut other = polls.enter("other");
        let mut first = polls.enter("machine");
        let mut second = polls.enter("machine");
        assert_eq!(first.woken().await, Wake::Replaced);
        drop(first);
        assert_eq!(polls.count(), 2, "ending the first must not take the second away");
        polls.wake("machine");
        assert_eq!(second.woken().await, Wake::Machine);
        polls.wake_all(Wake::Policy);
        assert_eq!((second.woken().await, other.woken().await), (Wake::Policy, Wake::Policy));
        drop(second);
        drop(other);
        assert_eq!(polls.count(), 0);
    }
}
