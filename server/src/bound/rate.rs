//! How often one key may do a thing: a burst at once, then one more after every pause. Counted by a clock that never jumps.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Keys remembered before those with a full allowance are forgotten.
const REMEMBERED: usize = 50_000;

/// The allowance of every key used recently. Each server counts for itself.
#[derive(Debug)]
pub struct Rate {
    burst: u32,
    refill: Duration,
    /// For each key the time at which its allowance would be full again.
    full_at: Mutex<HashMap<String, Duration>>,
}

impl Rate {
    /// `burst` at once, and one more after every `refill`.
    pub fn new(burst: u32, refill: Duration) -> Self {
        Self { burst, refill, full_at: Mutex::default() }
    }

    /// Takes one from the allowance of `key` at `now` ([`crate::clock::Clock::steady`]); false when nothing is left.
    pub fn take(&self, key: &str, now: Duration) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= REMEMBERED {
            full_at.retain(|_, at| *at > now);
        }
        let at = full_at.get(key).copied().unwrap_or(now).max(now) + self.refill;
        if at - now > self.refill * self.burst {
            return false;
        }
        full_at.insert(key.to_owned(), at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_one_after_every_pause() {
        let rate = Rate::new(60, Duration::from_secs(1));
        let at = Duration::from_secs;
        assert!((0..60).all(|_| rate.take("m", at(0))));
        assert!(!rate.take("m", at(0)));
        assert!(rate.take("other", at(0)), "one machine's haste does not hurt another");
        assert!(rate.take("m", at(1)));
        assert!(!rate.take("m", at(1)));
        assert!((0..60).all(|_| rate.take("m", at(1000))));
    }
}
