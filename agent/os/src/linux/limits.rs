//! What a started program may use at most, so that one gone mad ends before the machine or the agent feels it.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// The most bytes of a file that a started program may write: a log, a lock, a cache in its throw-away place.
const FILE: u64 = 64 << 20;

/// Limits the program that runs as `pid` and all it starts to `memory` bytes of address space each, to `deadline` of processor time, and
/// to small files. What it starts in its very first moment may escape them (no program of the list does that), as from a kernel that
/// refuses: then the limits of the agent's own unit are left.
pub(super) fn set(pid: Pid, memory: u64, deadline: Duration) {
    // Once set, none can raise them again: the hard limit is the same.
    for (resource, most) in [
        (Resource::As, memory),
        (Resource::Cpu, deadline.as_secs().max(1)),
        (Resource::Fsize, FILE),
        (Resource::Core, 0),
    ] {
        if let Err(error) = prlimit(Some(pid), resource, Rlimit { current: Some(most), maximum: Some(most) }) {
            tracing::debug!(?resource, %error, "a started program could not be limited");
        }
    }
}
