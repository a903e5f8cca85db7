//! Resource limits for a started program, so that one that runs wild ends before the machine or the agent feels it.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// The most bytes of a file that a started program may write: a log, a lock, a cache in its temporary folder.
const FILE: u64 = 64 << 20;

/// Limits the program with process id `pid`, and everything it starts, to `memory` bytes of address space each, to `deadline` of
/// processor time, and to small files. Children started in its first moment may escape the limits (no program of the list does that), as
/// all do when the kernel refuses: then only the limits of the agent's own unit apply.
pub(super) fn set(pid: Pid, memory: u64, deadline: Duration) {
    // The hard limit is set too, so none of them can be raised again.
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
