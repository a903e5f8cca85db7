//! The only place where the agent reads the time.
//!
//! There are two times. The machine's own clock dates what is observed. The *trusted* time, against which certificates are
//! checked, is the latest of own clock, build time and last server time, so that a clock that fell back to 2010 does not
//! lock the agent out. Nor must a server whose clock was ahead and has been corrected: the machine's own clock is
//! enough where it can be right.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// When this program was built; milliseconds since 1970 UTC.
const BUILT_AT: i64 = match i64::from_str_radix(env!("TRAM_AN_BUILT_S"), 10) {
    Ok(seconds) => seconds * 1000,
    Err(_) => 0,
};

/// The latest time the agent computes with, the end of the year 9998; milliseconds since 1970 UTC. A clock may be later, but a few
/// months after it a time could no longer be written with a four-digit year.
const LATEST: i64 = 253_370_764_799_999;

/// Two clocks that differ by more than a day cannot both be right, whatever their time zones.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// A difference of more milliseconds than this between two clocks is logged.
const WORTH_A_WORD: u64 = 5 * 60 * 1000;

/// The machine's clock and the last server time. Shared by reference.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    heard: Mutex<Heard>,
}

/// The last server time, 0 for none; when since this start the two clocks last agreed; and whether the difference has been logged.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    at: i64,
    agreed: Option<(i64, Instant)>,
    differ: bool,
}

/// Whose clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspect {
    /// This machine's.
    Own,
    /// The server's.
    Server,
    /// One of the two.
    Either,
}

#[derive(Debug)]
enum Source {
    System,
    Still(AtomicI64),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { source: Source::System, heard: Mutex::default() }
    }

    /// A clock that stands still at `now` until it is set; for tests and recorded facts.
    pub fn still(now: i64) -> Self {
        Self { source: Source::Still(AtomicI64::new(now)), heard: Mutex::default() }
    }

    /// Sets a still clock; has no effect on the machine's clock.
    pub fn set(&self, now: i64) {
        if let Source::Still(at) = &self.source {
            at.store(now, Ordering::Relaxed);
        }
    }

    /// The machine's own time, clamped to the range the agent computes with; milliseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        match &self.source {
            Source::Still(at) => at.load(Ordering::Relaxed),
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the one place")]
                let now = std::time::SystemTime::now();
                since_1970(now).min(LATEST)
            }
        }
    }

    /// The machine's own time, clamped in the same way.
    pub fn instant(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// The time certificates are checked against: the latest of own clock, build time and last server time.
    pub fn trusted(&self) -> i64 {
        self.now().max(BUILT_AT).max(self.server_at())
    }

    /// The two times at which a certificate may be valid to be accepted: the trusted time, and the machine's own time. Where the own time
    /// cannot be right, the program's build time replaces it: the server's time may have been wrong too.
    pub fn believed(&self) -> [i64; 2] {
        let own = self.now();
        let trusted = self.trusted();
        [trusted, own.max(BUILT_AT)]
    }

    /// Stores a time that the server gave over a verified connection, but none later than `latest` (the end of the machine's own
    /// certificate), so that one wrong answer cannot move the agent past every certificate forever. It may be earlier than the
    /// last one: then the server's clock was corrected.
    pub fn server_said(&self, at: i64, latest: i64) {
        let own = self.now();
        let mut heard = self.heard();
        if own.abs_diff(at) <= DAY {
            heard.agreed = Some((own, Instant::now()));
        }
        heard.at = at.min(latest);
        let differ = own.abs_diff(at) > WORTH_A_WORD;
        if differ && !heard.differ {
            tracing::warn!(
                ahead_s = own.saturating_sub(at) / 1000,
                "this machine's clock and the server's differ: one of them is wrong; reports are kept and delivered all the same"
            );
        } else if heard.differ && !differ {
            tracing::info!("this machine's clock and the server's agree again");
        }
        heard.differ = differ;
    }

    /// Restores the last server time from an earlier start.
    pub fn server_said_once(&self, at: i64, latest: i64) {
        let mut heard = self.heard();
        (heard.at, heard.agreed) = (at.min(latest), None);
    }

    /// The last server time, milliseconds since 1970 UTC; 0 for none.
    pub fn server_at(&self) -> i64 {
        self.heard().at
    }

    /// Whose clock must be wrong when the server shows a certificate that is not valid at any accepted time. The server renews its
    /// certificate long before it expires, by its own clock.
    pub fn suspect(&self) -> Suspect {
        let own = self.now();
        let Heard { at, agreed, .. } = *self.heard();
        if own < BUILT_AT {
            return Suspect::Own;
        }
        match agreed {
            // Nobody can set the clock that this is counted with.
            Some((then, when)) => {
                let passed = i64::try_from(when.elapsed().as_millis()).unwrap_or(i64::MAX);
                if own.abs_diff(then.saturating_add(passed)) > DAY { Suspect::Own } else { Suspect::Server }
            }
            None if (1..BUILT_AT).contains(&at) => Suspect::Server,
            None => Suspect::Either,
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970 UTC; 0 for earlier times.
fn since_1970(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE_DAY: i64 = DAY as i64;

    #[test]
    fn any_time_of_a_clock_can_be_reckoned_with() {
        assert_eq!(since_1970(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(since_1970(UNIX_EPOCH + Duration::from_millis(1)), 1);
        assert_eq!(since_1970(UNIX_EPOCH + Duration::from_secs(i64::MAX as u64)), i64::MAX);
        let latest = Clock::still(LATEST).instant();
        assert_eq!(latest.to_string(), "9998-12-31T23:59:59.999Z");
    }

    #[test]
    fn trusted_time_is_the_latest_of_three() {
        let clock = Clock::still(5);
        assert_eq!(clock.now(), 5);
        assert_eq!(clock.trusted(), BUILT_AT);
        const { assert!(BUILT_AT > 1_700_000_000_000) };
        clock.set(BUILT_AT + 10);
        assert_eq!(clock.trusted(), BUILT_AT + 10);
        clock.server_said(BUILT_AT + 20, i64::MAX);
        assert_eq!(clock.trusted(), BUILT_AT + 20);
        assert_eq!(clock.believed(), [BUILT_AT + 20, BUILT_AT + 10]);
        clock.set(5);
        assert_eq!(clock.believed(), [BUILT_AT + 20, BUILT_AT], "a clock before this program was built is wrong");
    }

    #[test]
    fn a_server_whose_clock_was_put_right_is_believed() {
        let clock = Clock::still(BUILT_AT + 10);
        clock.server_said(BUILT_AT + 500 * ONE_DAY, i64::MAX);
        assert_eq!(clock.trusted(), BUILT_AT + 500 * ONE_DAY);
        clock.server_said(BUILT_AT + 11, i64::MAX);
        assert_eq!(clock.trusted(), BUILT_AT + 11);
    }

    #[test]
    fn the_clock_that_is_wrong_is_blamed() {
        let now = BUILT_AT + 100 * ONE_DAY;
        let clock = Clock::still(now);
        assert_eq!(clock.suspect(), Suspect::Either, "a server never heard");
        clock.server_said_once(now, i64::MAX);
        assert_eq!(clock.suspect(), Suspect::Either, "the machine may have been in a drawer since");
        clock.server_said(now, i64::MAX);
        assert_eq!(clock.suspect(), Suspect::Server, "own clock goes on as it did");
        clock.server_said(now - 500 * ONE_DAY, i64::MAX);
        assert_eq!(clock.suspect(), Suspect::Server, "the server's jumped");
        for jump in [500, -50] {
            clock.set(now + jump * ONE_DAY);
            assert_eq!(clock.suspect(), Suspect::Own, "{jump} days");
        }
        clock.set(0);
        clock.server_said_once(now, i64::MAX);
        assert_eq!(clock.suspect(), Suspect::Own, "before this program was built");
    }

    #[test]
    fn a_server_time_beyond_the_certificate_is_cut() {
        let clock = Clock::still(0);
        clock.server_said(i64::MAX, BUILT_AT + 7);
        assert_eq!(clock.server_at(), BUILT_AT + 7);
    }
}
