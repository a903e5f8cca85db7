//! How many requests one machine may send: far above what an honest agent needs, also after weeks away.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Requests a machine may send at once.
const BURST: i64 = 60;
/// Milliseconds after which one more is allowed.
const REFILL_MS: i64 = 1000;
/// Machines remembered before those are forgotten whose allowance is full again.
const REMEMBERED: usize = 50_000;

/// The allowance of every machine that sent something lately. Each server counts for itself.
#[derive(Debug, Default)]
pub struct Rate {
    /// For each machine the instant at which its allowance would be full again.
    full_at: Mutex<HashMap<String, i64>>,
}

impl Rate {
    /// Takes one request from the allowance of `machine` at `now`; false when nothing is left.
    pub fn take(&self, machine: &str, now: i64) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= REMEMBERED {
            full_at.retain(|_, at| *at > now);
        }
        let at = full_at.get(machine).copied().unwrap_or(now).max(now) + REFILL_MS;
        if at - now > BURST * REFILL_MS {
            return false;
        }
        full_at.insert(machine.to_owned(), at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_hold_no_more_requests_than_a_burst() {
        assert!(i64::try_from(protocol::limits::EXPORT_REQUESTS).unwrap() < BURST);
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_a_second() {
        let rate = Rate::default();
        assert!((0..BURST).all(|_| rate.take("m", 0)));
        assert!(!rate.take("m", 0));
        assert!(rate.take("other", 0), "one machine's haste does not hurt another");
        assert!(rate.take("m", REFILL_MS));
        assert!(!rate.take("m", REFILL_MS));
        assert!((0..BURST).all(|_| rate.take("m", 1_000_000)));
    }
}
