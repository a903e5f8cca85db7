//! How wrong passwords slow down whoever types them, and nobody else.
//!
//! A browser the person used before waits for its own mistakes alone, and so does a session that asks for the password again. All other
//! browsers are strangers: some checks are free by address and by account, then they go one after the other at a [`pace`], whether the
//! names exist or not. Nobody is turned away for others' mistakes but for want of time: a connection without mistakes of its own waits
//! in line for some seconds, one that has them is told when to come again. Nothing here is kept: it is counted in memory, in bounded
//! tables, by a clock that nobody sets.

pub(crate) mod own;
pub(crate) mod pace;
pub(crate) mod sum;
mod table;
pub(crate) mod turn;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::pace::{ACCOUNT, ADDRESS, BURNED, PATIENCE, PATIENCE_AGAIN};
use self::sum::{Owner, Subject, Sum};
use self::table::Table;
use crate::bound::network;
use crate::clock::Clock;

/// Mistakes are remembered for this long.
pub(crate) const WINDOW: Duration = Duration::from_secs(15 * 60);

/// From where somebody tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A browser the person logged in with before, by the hash of its token.
    Known(String),
    /// Any other browser, by its address and connection.
    Stranger(SocketAddr),
    /// A session that asks for the password again, by the hash of its token.
    Session(String),
}

impl Origin {
    /// The word under which it is counted. Of IPv6 addresses only the network counts: one computer has millions.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Known(hash) => format!("device {hash}"),
            Self::Session(hash) => format!("session {hash}"),
            Self::Stranger(peer) => network(peer.ip()),
        }
    }
}

/// What is counted of one address, account, connection or browser.
#[derive(Clone, Debug, Default)]
struct Count {
    /// Until when its checks are taken up; see [`pace::Pace`].
    line: Duration,
    /// Wrong passwords in this period.
    wrong: u64,
    /// Tries that were not looked at, in this period.
    refused: u64,
    /// How many of both were told.
    told: u64,
    /// When the period began.
    began: Duration,
    /// When it was counted last.
    last: Duration,
    /// Whose account it is, and the last address.
    owner: Option<Owner>,
}

#[derive(Debug, Default)]
struct Counts {
    addresses: Table,
    accounts: Table,
    /// Mistakes by account and address.
    pairs: Table,
    /// Mistakes by connection of a stranger.
    connections: Table,
    /// Mistakes of browsers that are known, and of sessions.
    own: Table,
}

/// What is counted, and who may try. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Throttle(Arc<Mutex<Counts>>);

/// Leave for one try. Dropped without [`Ticket::wrong`] (the password was right, or the browser went away), it costs nothing.
#[derive(Debug)]
pub(crate) struct Ticket {
    throttle: Throttle,
    origin: Origin,
    account: String,
    opens_in: Duration,
    spent: bool,
}

impl Throttle {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a try at `account` (the hash of its name).
    ///
    /// # Errors
    /// The time after which to come again.
    pub(crate) fn enter(&self, origin: Origin, account: &str, now: Duration) -> Result<Ticket, Duration> {
        let mut counts = self.counts();
        let opens_in = match &origin {
            Origin::Stranger(peer) => counts.line_enter(account, *peer, now)?,
            Origin::Known(_) | Origin::Session(_) => counts.own_enter(&origin.code(), now)?,
        };
        drop(counts);
        Ok(Ticket { throttle: self.clone(), origin, account: account.to_owned(), opens_in, spent: false })
    }

    /// How many wrong passwords were typed for `account` lately, by anybody; the mistakes of this place are forgotten.
    pub(crate) fn right(&self, origin: &Origin, account: &str) -> u64 {
        let mut counts = self.counts();
        match origin {
            Origin::Stranger(peer) => {
                counts.pairs.remove(&pair(account, *peer));
                counts.connections.remove(&peer.to_string());
            }
            Origin::Known(_) | Origin::Session(_) => counts.own.remove(&origin.code()),
        }
        counts.accounts.get(account).map_or(0, |count| count.wrong)
    }

    /// What is to be told of periods that are over; of all where the server ends.
    pub(crate) fn sums(&self, now: Duration, ends: bool) -> Vec<Sum> {
        let counts = &mut *self.counts();
        let mut sums =
            counts.addresses.close(now, ends, sum::ADDRESS_FROM, |key, _| Some(Subject::Address(key.to_owned())));
        sums.extend(
            counts.accounts.close(now, ends, sum::ACCOUNT_FROM, |_, count| count.owner.clone().map(Subject::Account)),
        );
        sums
    }
}

fn pair(account: &str, peer: SocketAddr) -> String {
    format!("{account} {}", network(peer.ip()))
}

impl Counts {
    /// A place in the lines of address and account, and how long until it opens.
    fn line_enter(&mut self, account: &str, peer: SocketAddr, now: Duration) -> Result<Duration, Duration> {
        let pair = pair(account, peer);
        let burned = |table: &Table, key: &str| table.get_fresh(key, now).is_some_and(|count| count.wrong >= BURNED);
        let patience = if burned(&self.connections, &peer.to_string()) {
            Duration::ZERO
        } else if burned(&self.pairs, &pair) {
            PATIENCE_AGAIN
        } else {
            PATIENCE
        };
        let address = self.addresses.entry(&network(peer.ip()), now);
        let account = self.accounts.entry(account, now);
        let wait = ADDRESS.wait(address.line, now).max(ACCOUNT.wait(account.line, now));
        if wait > patience {
            address.refused += 1;
            account.refused += 1;
            return Err(wait);
        }
        ADDRESS.take(&mut address.line, now);
        ACCOUNT.take(&mut account.line, now);
        // Counted before it is known, so that tries at the same time on one connection do not fill the line.
        self.connections.entry(&peer.to_string(), now).mistake(now);
        self.pairs.entry(&pair, now).mistake(now);
        Ok(wait)
    }

    fn own_enter(&mut self, code: &str, now: Duration) -> Result<Duration, Duration> {
        let count = self.own.entry(code, now);
        if let Some(wait) = own::wait(count.wrong, count.last, now) {
            return Err(wait);
        }
        // Counted before it is known, so that tries at the same time are no more.
        count.mistake(now);
        Ok(Duration::ZERO)
    }
}

impl Ticket {
    /// Waits until it is this one's turn: nothing is held meanwhile.
    pub(crate) async fn open(&self, clock: &Clock) {
        clock.sleep(self.opens_in).await;
    }

    /// The password was wrong. `owner` is the person where there is such an account. Returns what is to be told at once.
    pub(crate) fn wrong(mut self, owner: Option<Owner>, now: Duration) -> Vec<Sum> {
        self.spent = true;
        let counts = &mut *self.throttle.counts();
        let mut sums = Vec::new();
        if let Origin::Stranger(peer) = self.origin {
            let place = network(peer.ip());
            let address = counts.addresses.entry(&place, now);
            address.mistake(now);
            sums.extend(address.begun(sum::ADDRESS_FROM, Subject::Address(place)));
        }
        let account = counts.accounts.entry(&self.account, now);
        account.mistake(now);
        account.owner = owner.clone();
        if let Some(owner) = owner {
            sums.extend(account.begun(sum::ACCOUNT_FROM, Subject::Account(owner)));
        }
        sums
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.spent {
            return;
        }
        let counts = &mut *self.throttle.counts();
        match &self.origin {
            Origin::Stranger(peer) => {
                if let Some(address) = counts.addresses.get_mut(&network(peer.ip())) {
                    ADDRESS.give_back(&mut address.line);
                }
                if let Some(account) = counts.accounts.get_mut(&self.account) {
                    ACCOUNT.give_back(&mut account.line);
                }
                counts.pairs.forgive(&pair(&self.account, *peer));
                counts.connections.forgive(&peer.to_string());
            }
            Origin::Known(_) | Origin::Session(_) => counts.own.forgive(&self.origin.code()),
        }
    }
}

#[cfg(test)]
mod tests;
