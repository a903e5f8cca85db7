//! How wrong passwords slow down the person who types them, and nobody else.
//!
//! A browser the person has used before waits for its own mistakes only, and so does a session that asks for the password again. All
//! other browsers are strangers: some checks are free by address and by account, then they come at a [`pace`], whether the names exist
//! or not, and the next of those waiting is drawn by lot ([`mod@line`]). Nothing is stored: counts are in memory, in bounded tables, by a
//! monotonic clock.

mod line;
pub(crate) mod pace;
pub(crate) mod sum;
mod table;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinError;
use tokio::time::timeout;

use self::line::Line;
use self::sum::{Owner, Subject, Sum};
use self::table::Table;
use crate::bound::network;
use crate::clock::Clock;

/// Mistakes are remembered for this long.
pub(crate) const WINDOW: Duration = Duration::from_secs(15 * 60);

/// How long an attempt may wait to be checked.
const PATIENCE: Duration = Duration::from_secs(30);

/// When to retry if only others are in the way: only those present can be drawn.
const AGAIN: Duration = Duration::from_millis(500);

/// Concurrent password checks, for strangers and for others each: a check takes 19 MiB and a good part of a second of one processor.
const CHECKS: usize = 2;

/// Where an attempt comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A browser the person logged in with before, by the hash of its token.
    Known(String),
    /// Any other browser, by its address and connection.
    Stranger(SocketAddr),
    /// A session that asks for the password again, by the hash of its token.
    Session(String),
}

#[derive(Debug, Default)]
struct Counts {
    addresses: Table,
    accounts: Table,
    /// Mistakes of strangers by account and address.
    pairs: Table,
    /// Mistakes of known browsers and of sessions.
    own: Table,
    line: Line,
}

/// Counts wrong passwords and decides who may try. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    counts: Arc<Mutex<Counts>>,
    strangers: Arc<Semaphore>,
    /// Kept apart, so that a flood of strangers does not take these checks.
    others: Arc<Semaphore>,
}

impl Default for Throttle {
    fn default() -> Self {
        let checks = || Arc::new(Semaphore::new(CHECKS));
        Self { counts: Arc::default(), strangers: checks(), others: checks() }
    }
}

/// Permission for one attempt, to be ended by [`Ticket::wrong`] or [`Ticket::right`]. If it is dropped, the step is used up.
#[derive(Debug)]
pub(crate) struct Ticket {
    throttle: Throttle,
    origin: Origin,
    account: String,
    slot: Arc<OwnedSemaphorePermit>,
}

impl Throttle {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ticket(&self, origin: Origin, account: &str, slot: OwnedSemaphorePermit) -> Ticket {
        Ticket { throttle: self.clone(), origin, account: account.to_owned(), slot: Arc::new(slot) }
    }

    /// Waits for permission to try `account` (the hash of its name).
    ///
    /// # Errors
    /// The time after which to retry.
    pub(crate) async fn enter(&self, origin: Origin, account: &str, clock: &Clock) -> Result<Ticket, Duration> {
        let code = match &origin {
            Origin::Stranger(peer) => return self.line_up(*peer, account, clock).await,
            Origin::Known(hash) => format!("device {hash}"),
            Origin::Session(hash) => format!("session {hash}"),
        };
        let now = clock.steady();
        {
            let counts = &mut *self.counts();
            let count = counts.own.entry(&code, now);
            if let Some(wait) = pace::own_wait(count.wrong, count.last, now) {
                return Err(wait);
            }
            // Counted before the result is known, so that concurrent attempts gain nothing.
            count.mistake(now);
        }
        let Ok(Ok(slot)) = timeout(PATIENCE, Arc::clone(&self.others).acquire_owned()).await else { return Err(AGAIN) };
        Ok(self.ticket(origin, account, slot))
    }

    /// Waits in line. Any waiter whose pace allows it takes a free slot and draws for all, so hundreds of waiters cost little.
    async fn line_up(&self, peer: SocketAddr, account: &str, clock: &Clock) -> Result<Ticket, Duration> {
        let mut now = clock.steady();
        let ends = now + PATIENCE;
        let (call, mut called) = oneshot::channel();
        self.counts().line.join(peer, account, call);
        let address = network(peer.ip());
        let waits = async {
            loop {
                let wait = self.counts().wait(&address, account, now);
                if now + wait > ends {
                    return;
                }
                if wait.is_zero() {
                    let slot = timeout(ends - now, Arc::clone(&self.strangers).acquire_owned()).await;
                    let Ok(Ok(slot)) = slot else { return };
                    now = now.max(clock.steady());
                    self.draw(&address, account, slot, now);
                    tokio::task::yield_now().await;
                } else {
                    clock.sleep(wait).await;
                    now = clock.steady().max(now + wait);
                }
            }
        };
        tokio::select! {
            biased;
            // Nothing arrives when a newer attempt of the same connection took the place.
            ticket = &mut called => ticket.map_err(|_| AGAIN),
            () = waits => called.try_recv().map_err(|_| self.counts().refuse(&address, account, now)),
        }
    }

    /// Hands the slot to the waiter drawn, repeating while the one who took it could be drawn too.
    fn draw(&self, address: &str, account: &str, slot: OwnedSemaphorePermit, now: Duration) {
        let counts = &mut *self.counts();
        if !counts.wait(address, account, now).is_zero() {
            return;
        }
        if let Some(waiter) = counts.draw(now) {
            let ticket = self.ticket(Origin::Stranger(waiter.peer), &waiter.account, slot);
            // A waiter who has just left has used up the step.
            let _ = waiter.call.send(ticket);
        }
    }

    /// How many strangers wait in line.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.counts().line.len()
    }

    /// The sums to report for ended periods; for all periods when the server stops.
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
    /// Counts a stranger's attempt that was not checked. Returns when to retry.
    fn refuse(&mut self, address: &str, account: &str, now: Duration) -> Duration {
        self.addresses.entry(address, now).refused += 1;
        self.accounts.entry(account, now).refused += 1;
        self.wait(address, account, now).max(AGAIN)
    }
}

impl Ticket {
    /// Does `work` off the async threads. The slot is taken until it ends, even if nobody waits for it any more.
    ///
    /// # Errors
    /// The work panics.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let slot = Arc::clone(&self.slot);
        tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        })
        .await
    }

    /// The password was wrong. `owner` is the person if the account exists. Returns what to report at once.
    pub(crate) fn wrong(self, owner: Option<Owner>, now: Duration) -> Vec<Sum> {
        let counts = &mut *self.throttle.counts();
        let mut sums = Vec::new();
        if let Origin::Stranger(peer) = self.origin {
            counts.pairs.entry(&pair(&self.account, peer), now).mistake(now);
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

    /// The password was right: the mistakes from this origin are forgotten, and the attempt costs nothing. Returns how many wrong
    /// passwords were typed for the account recently, by anybody.
    pub(crate) fn right(self) -> u64 {
        let counts = &mut *self.throttle.counts();
        match &self.origin {
            Origin::Stranger(peer) => {
                counts.pairs.remove(&pair(&self.account, *peer));
                counts.give_back(*peer, &self.account);
            }
            Origin::Known(hash) => counts.own.remove(&format!("device {hash}")),
            Origin::Session(hash) => counts.own.remove(&format!("session {hash}")),
        }
        counts.accounts.get(&self.account).map_or(0, |count| count.wrong)
    }
}

#[cfg(test)]
mod tests;
