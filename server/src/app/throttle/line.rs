//! The strangers who wait for a check of their password, and which of them goes next.
//!
//! Nobody can tell an honest browser from others behind the same address, so one of those who wait is drawn by lot. A lot is a connection
//! that is open and waits: reconnecting gains nothing, and one address has no more connections than its share (`tls::connections`), which
//! also bounds the line. First an address is drawn and then one of its connections. One draw in four is among those with the fewest
//! mistakes at their account from their address: so guesses at one account from many addresses leave its owner a quarter of the checks,
//! once every address has made its own.
//!
//! What that means for a new browser that keeps trying next to N connections of an attacker at the same address, each reopened for every
//! guess. At worst (the browser's person has mistyped, the attacker makes up names) each of four draws a second finds it with 3/4 ·
//! 1/(N+1); its chance within t seconds is 1 - (1 - 3/(4(N+1)))^4t, which is 95 % after N+1 seconds. For 40 connections that is 41 s, for
//! 256 four minutes and 17 s, for 320 five minutes and 21 s, for 600 ten minutes; without mistakes of its own three quarters of that. Where
//! the attacker guesses at the very account, it is one draw a second and three times as long. Connections that do not guess do not count: they
//! are not in line. A browser that has logged in before never waits here.
//!
//! Once the address has its S = 1,024 connections, each further one closes one of them by lot. If the attacker opens R a second, an attempt
//! lasts S/(R+3) seconds on average, and the browser is drawn before its connection is closed with 3/(R+3). If it tries again D seconds later,
//! it is in with 95 % after 3 · (R+3)/3 attempts, that is after S + (R+3) · D seconds: seventeen minutes, and longer the longer it pauses.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;

use super::pace::{ACCOUNT, ADDRESS};
use super::table::Table;
use super::{Counts, Ticket, pair};
use crate::bound::{lot, network};

/// One draw in this many is among those with the fewest mistakes.
const FEWEST_EVERY: usize = 4;

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<Waiter>);

/// One who waits, for as long as the other end of `call` exists.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) peer: SocketAddr,
    pub(super) account: String,
    pub(super) call: oneshot::Sender<Ticket>,
    address: String,
    pair: String,
}

impl Line {
    /// Adds a waiter. A connection has one place: that of its newest attempt.
    pub(super) fn join(&mut self, peer: SocketAddr, account: &str, call: oneshot::Sender<Ticket>) {
        self.0.retain(|waiter| waiter.peer != peer && !waiter.call.is_closed());
        let (address, pair) = (network(peer.ip()), pair(account, peer));
        self.0.push(Waiter { peer, account: account.to_owned(), call, address, pair });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().filter(|waiter| !waiter.call.is_closed()).count()
    }
}

impl Counts {
    /// How long until a check at `account` from `address` may start.
    pub(super) fn wait(&self, address: &str, account: &str, now: Duration) -> Duration {
        let line = |table: &Table, key: &str| table.get(key).map_or(Duration::ZERO, |count| count.line);
        let address = ADDRESS.wait(line(&self.addresses, address), now);
        address.max(ACCOUNT.wait(line(&self.accounts, account), now))
    }

    /// Draws one of those whose address and account may be checked now, and uses up its step.
    pub(super) fn draw(&mut self, now: Duration) -> Option<Waiter> {
        self.line.0.retain(|waiter| !waiter.call.is_closed());
        let waiting = &self.line.0;
        let mut open: Vec<usize> = (0..waiting.len())
            .filter(|&at| self.wait(&waiting[at].address, &waiting[at].account, now).is_zero())
            .collect();
        if lot(FEWEST_EVERY) == 0 {
            let mistakes = |at: &usize| self.pairs.get_fresh(&waiting[*at].pair, now).map_or(0, |count| count.wrong);
            let fewest = open.iter().map(mistakes).min()?;
            open.retain(|at| mistakes(at) == fewest);
        }
        let addresses: BTreeSet<&str> = open.iter().map(|&at| waiting[at].address.as_str()).collect();
        let address = *addresses.iter().nth(lot(addresses.len()))?;
        open.retain(|&at| waiting[at].address == address);
        let drawn = self.line.0.swap_remove(*open.get(lot(open.len()))?);
        ADDRESS.take(&mut self.addresses.entry(&drawn.address, now).line, now);
        ACCOUNT.take(&mut self.accounts.entry(&drawn.account, now).line, now);
        Some(drawn)
    }

    /// Gives the step of a check back.
    pub(super) fn give_back(&mut self, peer: SocketAddr, account: &str) {
        for (pace, table, key) in
            [(ADDRESS, &mut self.addresses, network(peer.ip()).as_str()), (ACCOUNT, &mut self.accounts, account)]
        {
            if let Some(count) = table.get_mut(key) {
                pace.give_back(&mut count.line);
            }
        }
    }
}
