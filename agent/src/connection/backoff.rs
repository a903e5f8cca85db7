//! How long to wait after a failure: the same for every cause, doubled each time, randomly spread, bounded.
//!
//! A server with a full disk, a cut cable and a refusal are treated alike on purpose: agents that retry faster for some
//! causes have flooded servers that were already in trouble.

use std::time::Duration;

use protocol::limits::{DELAY_LEAST, DELAY_MOST};

/// The first wait.
const FIRST: Duration = Duration::from_secs(2);
/// The longest wait the agent chooses by itself; the server may ask for more.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Counts consecutive failures.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Notes a failure and returns how long to wait: 0.5 to 1.5 times the doubled wait, and never less than the server
    /// `asked` for, which is bounded to 1 s .. 24 h. `chance` is from 0 to 1.
    pub fn failed(&mut self, asked: Option<Duration>, chance: f64) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let spread = doubled.mul_f64(0.5 + chance.clamp(0.0, 1.0));
        let least = asked.map_or(DELAY_LEAST, |asked| {
            // Spread over a further tenth, so that machines given the same wait do not come back together.
            asked.clamp(DELAY_LEAST, DELAY_MOST).mul_f64(1.0 + chance.clamp(0.0, 1.0) / 10.0)
        });
        spread.max(least).min(DELAY_MOST)
    }

    /// Forgets the failures.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How many consecutive failures there were.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_and_starts_again_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..12).map(|_| backoff.failed(None, 0.5).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        backoff.succeeded();
        assert_eq!(backoff.failed(None, 0.5).as_secs(), 2);
    }

    proptest! {
        #[test]
        fn is_bounded_whatever_the_server_asks(
            failures in 0_u32..200,
            asked in prop::option::of(any::<u64>()),
            chance in -1.0_f64..2.0,
        ) {
            let asked = asked.map(Duration::from_secs);
            let mut backoff = Backoff { failures };
            let wait = backoff.failed(asked, chance);
            prop_assert!(wait >= DELAY_LEAST && wait <= DELAY_MOST);
            if let Some(asked) = asked {
                prop_assert!(wait >= asked.clamp(DELAY_LEAST, DELAY_MOST));
            } else {
                prop_assert!(wait <= LONGEST.mul_f64(1.5));
            }
        }
    }
}
