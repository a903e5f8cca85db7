//! How wrong passwords slow down whoever types them, and nobody else. Failures count for one account from one place: a
//! browser the person used before is a place of its own, every other address is another. So an attacker, even behind the
//! same address translation, cannot make the owner wait.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::line::{Line, PlaceInLine};

/// Wrong passwords are remembered for this long.
pub(crate) const WINDOW_MS: i64 = 15 * 60 * 1000;

/// So many wrong passwords in the window cost no waiting.
pub(crate) const FREE: usize = 5;

/// The first wait; each further failure doubles it.
const FIRST_WAIT_MS: i64 = 30 * 1000;

/// Password checks at the same time, for browsers that are not known.
const STRANGERS: usize = 2;

/// Password checks at the same time, for browsers a person used before: a flood elsewhere leaves them a way in.
const KNOWN: usize = 2;

/// Password checks that one address may have waiting.
const PER_ADDRESS: usize = 8;

/// How long a password check may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// From where somebody tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A browser the person logged in with before, by the hash of its token.
    Known(String),
    /// Any other browser, by its address.
    Address(IpAddr),
    /// A session that asks for the password again, by the hash of its token.
    Session(String),
}

impl Origin {
    /// The word under which failures are kept. Of IPv6 addresses only the network counts: one computer has millions.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Known(hash) => format!("device:{hash}"),
            Self::Session(hash) => format!("session:{hash}"),
            Self::Address(address) => match address.to_canonical() {
                IpAddr::V4(address) => format!("address:{address}"),
                IpAddr::V6(address) => {
                    let network = Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64));
                    format!("address:{network}/64")
                }
            },
        }
    }
}

/// How long after `now` the next try may come, given the instants of the failures in the window, newest first; none when
/// it may come at once.
pub(crate) fn wait_ms(failures: &[i64], now: i64) -> Option<i64> {
    let newest = *failures.first()?;
    let beyond = failures.len().checked_sub(FREE)?;
    let wait = FIRST_WAIT_MS.saturating_mul(1 << beyond.min(10)).min(WINDOW_MS);
    let left = newest.saturating_add(wait).saturating_sub(now);
    (left > 0).then_some(left)
}

/// The turns in which passwords are checked: each check takes 19 MiB and a good part of a second.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    known: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    line: Line,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            known: Arc::new(Semaphore::new(KNOWN)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            line: Line::new(PER_ADDRESS),
        }
    }
}

/// A turn; over when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    _place: Option<PlaceInLine>,
}

impl Turns {
    /// Waits for a turn; none when too many wait.
    pub(crate) async fn take(&self, origin: &Origin) -> Option<Turn> {
        let (semaphore, place) = match origin {
            Origin::Known(_) | Origin::Session(_) => (&self.known, None),
            Origin::Address(_) => (&self.strangers, Some(self.line.enter(origin.code())?)),
        };
        let permit = tokio::time::timeout(PATIENCE, semaphore.clone().acquire_owned()).await.ok()?.ok()?;
        Some(Turn { _permit: permit, _place: place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_mistakes_are_free_and_then_each_costs_twice_the_last() {
        let now = 1_000_000_000;
        assert_eq!(wait_ms(&[], now), None);
        assert_eq!(wait_ms(&[now; 4], now), None);
        assert_eq!(wait_ms(&[now; 5], now), Some(30_000));
        assert_eq!(wait_ms(&[now; 6], now), Some(60_000));
        assert_eq!(wait_ms(&[now; 6], now + 60_000), None);
        assert_eq!(wait_ms(&[now; 500], now), Some(WINDOW_MS));
    }

    #[test]
    fn a_computer_with_many_ipv6_addresses_is_one_place() {
        let code = |address: &str| Origin::Address(address.parse().unwrap()).code();
        assert_eq!(code("2001:db8::1"), code("2001:db8::ffff:1"));
        assert_ne!(code("2001:db8::1"), code("2001:db8:0:1::1"));
        assert_eq!(code("::ffff:10.0.0.5"), "address:10.0.0.5");
        assert_ne!(code("10.0.0.5"), code("10.0.0.6"));
    }

    #[tokio::test]
    async fn a_flood_from_one_address_leaves_others_and_known_browsers_their_turn() {
        let turns = Turns::default();
        let flood = Origin::Address("10.0.0.5".parse().unwrap());
        let places: Vec<_> = (0..PER_ADDRESS).map(|_| turns.line.enter(flood.code()).unwrap()).collect();
        assert!(turns.line.enter(flood.code()).is_none());
        assert!(turns.take(&Origin::Address("10.0.0.6".parse().unwrap())).await.is_some());
        assert!(turns.take(&Origin::Known("hash".to_owned())).await.is_some());
        drop(places);
        assert!(turns.take(&flood).await.is_some());
        assert!(turns.line.is_empty());
    }
}
