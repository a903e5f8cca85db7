//! Limits on what others can make this server do and hold: how much at once ([`Bound`]), how often
//! ([`rate::Rate`]), how many lines of log ([`flood::Flood`]).

pub mod allowance;
pub mod flood;
pub mod open_files;
pub mod rate;
pub mod space;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use ring::rand::{SecureRandom, SystemRandom};

/// Counts what is held, by key and in total. Cheap to clone: clones share the counts.
#[derive(Clone, Debug)]
pub struct Bound {
    each: usize,
    all: usize,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_key: HashMap<String, usize>,
}

/// A part of a [`Bound`], given back when dropped.
#[derive(Debug)]
pub struct Share {
    bound: Bound,
    key: String,
    amount: usize,
}

impl Bound {
    /// At most `each` for one key and `all` for all keys together.
    pub fn new(each: usize, all: usize) -> Self {
        Self { each, all, held: Arc::default() }
    }

    /// Takes one for `key`; `None` when its part, or the whole, is used up.
    pub fn enter(&self, key: impl Into<String>) -> Option<Share> {
        let mut share = self.open(key);
        share.grow(1).then_some(share)
    }

    /// An empty share, to be grown.
    pub fn open(&self, key: impl Into<String>) -> Share {
        Share { bound: self.clone(), key: key.into(), amount: 0 }
    }

    /// How much is held in all.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes `more`; false, and nothing taken, when it does not fit.
    pub fn grow(&mut self, more: usize) -> bool {
        let mut held = self.bound.lock();
        let mine = held.by_key.get(&self.key).copied().unwrap_or(0);
        if more > self.bound.each.saturating_sub(mine) || more > self.bound.all.saturating_sub(held.all) {
            return false;
        }
        if more > 0 {
            held.all += more;
            held.by_key.insert(self.key.clone(), mine + more);
        }
        drop(held);
        self.amount += more;
        true
    }
}

/// The shares an answer holds until it has been sent; kept in its extensions.
#[derive(Clone, Debug, Default)]
pub struct HeldBy(Vec<Arc<Share>>);

impl Share {
    /// Makes `response` hold this share until it has been sent or given up.
    pub fn held_by(self, mut response: Response) -> Response {
        response.extensions_mut().get_or_insert_default::<HeldBy>().0.push(Arc::new(self));
        response
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.bound.lock();
        held.all -= self.amount;
        if let Some(mine) = held.by_key.get_mut(&self.key) {
            *mine -= self.amount;
            if *mine == 0 {
                held.by_key.remove(&self.key);
            }
        }
    }
}

/// The party behind an address: for IPv6 only the network counts, because one computer has millions of addresses.
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// A random number below `of`. If the system has no random numbers, nobody gets a session either.
pub fn lot(of: usize) -> usize {
    let mut bytes = [0; size_of::<usize>()];
    let _ = SystemRandom::new().fill(&mut bytes);
    usize::from_ne_bytes(bytes).checked_rem(of).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_bounded_by_key_and_in_total_and_comes_back() {
        let bound = Bound::new(2, 3);
        let first = bound.enter("a").unwrap();
        let _second = bound.enter("a").unwrap();
        assert!(bound.enter("a").is_none(), "its part is used up");
        let _third = bound.enter("b").unwrap();
        assert!(bound.enter("c").is_none(), "the whole is used up");
        drop(first);
        let mut share = bound.open("c");
        assert!(!share.grow(2) && share.grow(1) && !share.grow(1));
        assert_eq!(bound.held(), 3);
        drop(share);
        assert!(bound.enter("a").is_some());
    }

    #[test]
    fn a_computer_with_many_ipv6_addresses_is_one_party() {
        let party = |address: &str| network(address.parse().unwrap());
        assert_eq!(party("2001:db8::1"), party("2001:db8::ffff:1"));
        assert_ne!(party("2001:db8::1"), party("2001:db8:0:1::1"));
        assert_eq!(party("::ffff:10.0.0.5"), "10.0.0.5");
    }
}
