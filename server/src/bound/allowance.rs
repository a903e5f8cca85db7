//! What agents may make this server do and hold: far above what an honest one needs, even after weeks away, and less for a machine that
//! nobody has confirmed.

use std::net::IpAddr;
use std::time::Duration;

use crate::bound::rate::Rate;
use crate::bound::{Bound, Share, network};
use crate::store::machine::MachineStatus;

/// Requests a machine may send at once, of any kind; then two a second: a poll may be held for as little as a second.
const REQUESTS: u32 = 60;
/// The time after which one more is allowed.
const REQUEST_EVERY: Duration = Duration::from_millis(500);
/// Events a machine may send at once; each costs a commit of its own, and an honest machine sends a few a day.
const EVENTS: u32 = 20;
/// The time after which one more is taken.
const EVENT_EVERY: Duration = Duration::from_secs(60);
/// Times a machine may ask how the log went on, each up to a dozen reads; an honest one asks once a day.
const LOG_QUESTIONS: u32 = 4;
/// The time after which one more is answered.
const LOG_QUESTION_EVERY: Duration = Duration::from_secs(60 * 60);
/// Certificates a machine may be given at once; an honest one asks once a year. A clock that jumps makes it ask more often.
const RENEWALS: u32 = 8;
/// Seconds after which one more is given.
pub const RENEWAL_EVERY_S: u32 = 15 * 60;

const MEGABYTE: usize = 1 << 20;

/// The allowances of all machines and of callers that are not yet machines.
#[derive(Debug)]
pub struct Allowances {
    /// Requests, by machine.
    pub requests: Rate,
    /// Events that machines send, by machine.
    pub events: Rate,
    /// Questions how the log went on, by machine.
    pub log_questions: Rate,
    /// Certificates that are renewed, by machine.
    pub renewals: Rate,
    /// Policies that are no longer in force, each up to 1 MB, being sent; by machine.
    pub old_policies: Bound,
    strangers: Bound,
    pending: Bound,
    confirmed: Bound,
}

impl Default for Allowances {
    fn default() -> Self {
        Self {
            requests: Rate::new(REQUESTS, REQUEST_EVERY),
            events: Rate::new(EVENTS, EVENT_EVERY),
            log_questions: Rate::new(LOG_QUESTIONS, LOG_QUESTION_EVERY),
            renewals: Rate::new(RENEWALS, Duration::from_secs(RENEWAL_EVERY_S.into())),
            old_policies: Bound::new(1, 32),
            strangers: Bound::new(2 * MEGABYTE, 32 * MEGABYTE),
            pending: Bound::new(8 * MEGABYTE, 128 * MEGABYTE),
            confirmed: Bound::new(32 * MEGABYTE, 512 * MEGABYTE),
        }
    }
}

impl Allowances {
    /// The share for the bytes of a request of `machine` being read or checked.
    pub fn machine_bytes(&self, machine: &str, status: MachineStatus) -> Share {
        match status {
            MachineStatus::Confirmed => self.confirmed.open(machine),
            MachineStatus::Pending | MachineStatus::Revoked => self.pending.open(machine),
        }
    }

    /// The share for the bytes of a request from `address` that no machine is known to have sent.
    pub fn stranger_bytes(&self, address: IpAddr) -> Share {
        self.strangers.open(network(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_hold_no_more_requests_than_a_burst() {
        assert!(u32::try_from(protocol::limits::EXPORT_REQUESTS).unwrap() < REQUESTS);
    }
}
