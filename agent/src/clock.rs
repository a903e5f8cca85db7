//! The one place where the agent learns the time.
//!
//! Two times: the machine's own clock, which dates what is observed, and the *trusted* time, which certificates are checked
//! against: the latest of own clock, build time and last server time. A clock that fell back to 2010 must not lock the
//! agent out.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// When this program was built; milliseconds since 1970 UTC.
const BUILT_AT: i64 = match i64::from_str_radix(env!("TRAM_AN_BUILT_S"), 10) {
    Ok(seconds) => seconds * 1000,
    Err(_) => 0,
};

/// The latest time the agent reckons with, the end of the year 9998; milliseconds since 1970 UTC. A clock may stand behind it, but from
/// there no time a few months later could be written with a year of four digits.
const LATEST: i64 = 253_370_764_799_999;

/// The agent's sense of time. Shared by reference; the server time may only rise.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    server_at: AtomicI64,
}

#[derive(Debug)]
enum Source {
    System,
    Still(AtomicI64),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { source: Source::System, server_at: AtomicI64::new(0) }
    }

    /// A clock that stands still at `now` until it is set, for tests and for recorded facts.
    pub fn still(now: i64) -> Self {
        Self { source: Source::Still(AtomicI64::new(now)), server_at: AtomicI64::new(0) }
    }

    /// Moves a still clock; the machine's clock does not care.
    pub fn set(&self, now: i64) {
        if let Source::Still(at) = &self.source {
            at.store(now, Ordering::Relaxed);
        }
    }

    /// The machine's own time, within what the agent can reckon with; milliseconds since 1970 UTC.
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

    /// The machine's own time as an instant.
    pub fn instant(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// What certificates are checked against: the latest of own clock, build time and last server time.
    pub fn trusted(&self) -> i64 {
        self.now().max(BUILT_AT).max(self.server_at.load(Ordering::Relaxed))
    }

    /// Remembers a time that the server gave over a connection that was checked, but none later than `latest` (the end of
    /// the machine's own certificate), so that one wrong answer cannot move the agent beyond every certificate for ever.
    /// True when it moved forward.
    pub fn server_said(&self, at: i64, latest: i64) -> bool {
        let at = at.min(latest);
        self.server_at.fetch_max(at, Ordering::Relaxed) < at
    }

    /// The last server time; 0 when there was none.
    pub fn server_at(&self) -> i64 {
        self.server_at.load(Ordering::Relaxed)
    }
}

/// Milliseconds; 0 for any time before.
fn since_1970(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
        assert!(clock.server_said(BUILT_AT + 20, i64::MAX));
        assert_eq!(clock.trusted(), BUILT_AT + 20);
        assert!(!clock.server_said(BUILT_AT, i64::MAX));
        assert_eq!(clock.trusted(), BUILT_AT + 20);
    }

    #[test]
    fn a_server_time_beyond_the_certificate_is_cut() {
        let clock = Clock::still(0);
        clock.server_said(i64::MAX, BUILT_AT + 7);
        assert_eq!(clock.server_at(), BUILT_AT + 7);
    }
}
