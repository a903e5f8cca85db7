//! The turns in which passwords are checked: each check takes 19 MiB and a good part of a second of one processor.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Origin;

/// Password checks at the same time, for browsers that are not known.
const STRANGERS: usize = 2;

/// Password checks at the same time, for browsers a person used before: a flood elsewhere leaves them a way in.
const KNOWN: usize = 2;

/// How long a password check may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The turns. One place has one check at a time, so that many places share them evenly.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    known: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    places: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            known: Arc::new(Semaphore::new(KNOWN)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            places: Arc::default(),
        }
    }
}

/// A turn; over when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _place: OwnedSemaphorePermit,
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// Waits for a turn; none when too many wait.
    pub(crate) async fn take(&self, origin: &Origin) -> Option<Turn> {
        let all = match origin {
            Origin::Known(_) | Origin::Session(_) => &self.known,
            Origin::Stranger(_) => &self.strangers,
        };
        let place = self.place(origin.code());
        let turn = async {
            let place = place.acquire_owned().await.ok()?;
            Some(Turn { _place: place, _permit: all.clone().acquire_owned().await.ok()? })
        };
        tokio::time::timeout(PATIENCE, turn).await.ok()?
    }

    /// The turns of one place, as long as anybody there has or awaits one.
    fn place(&self, code: String) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| place.strong_count() > 0);
        let entry = places.entry(code).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let place = Arc::new(Semaphore::new(1));
            *entry = Arc::downgrade(&place);
            place
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(address: [u8; 4]) -> Origin {
        Origin::Stranger((address, 1).into())
    }

    #[tokio::test]
    async fn a_flood_from_one_address_leaves_others_and_known_browsers_their_turn() {
        let turns = Turns::default();
        let first = turns.take(&stranger([10, 0, 0, 5])).await.unwrap();
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                tokio::spawn({
                    let turns = turns.clone();
                    async move { turns.take(&stranger([10, 0, 0, 5])).await.is_some() }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        let other = turns.take(&stranger([10, 0, 0, 6])).await;
        assert!(other.is_some() && turns.take(&Origin::Known("hash".to_owned())).await.is_some());
        drop((first, other));
        for one in waiting {
            assert!(one.await.unwrap());
        }
        assert!(turns.take(&stranger([10, 0, 0, 7])).await.is_some());
        assert!(turns.places.lock().unwrap().len() <= 1, "nothing is kept of places that are gone");
    }
}
