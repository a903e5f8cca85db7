//! How long a connection may keep the server waiting, and how many there may be.

use std::time::Duration;

/// How long a connection may keep the server waiting, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From the connection to the end of the handshake. Default 10 s.
    pub handshake: Duration,
    /// From the handshake to the first request. Default 15 s.
    pub silent: Duration,
    /// An answer, or a piece of one, that the peer does not take. Default 30 s.
    pub unread: Duration,
    /// Without a request or a byte, for a peer without certificate. Default 5 min; event streams to pages write more often.
    pub idle_stranger: Duration,
    /// Without a request or a byte, for a machine. Default 45 min: a poll is held for at most 24.
    pub idle_machine: Duration,
    /// Connections that have not finished the handshake. Default 4,096.
    pub handshakes: usize,
    /// Connections without certificate. Default 2,048.
    pub strangers: usize,
    /// Connections of one address, not counting people who are known; a browser needs up to 6, an office behind one address has dozens, and
    /// whoever opens fewer pushes nobody out. Default 1,024, at most half of all.
    pub each_address: usize,
    /// How long a connection may do nothing before it is the first of its address to give way: the first request takes a
    /// round trip. Default 1 s.
    pub grace: Duration,
    /// Connections of machines. Default 65,536.
    pub machines: usize,
    /// Connections of one machine; an honest agent needs one or two. Default 4.
    pub each_machine: usize,
}

/// Files that everything but connections may have open: the store, programs being downloaded, logs.
const OTHER_FILES: u64 = 256;

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            silent: Duration::from_secs(15),
            unread: Duration::from_secs(30),
            idle_stranger: Duration::from_secs(5 * 60),
            idle_machine: Duration::from_secs(45 * 60),
            handshakes: 4096,
            strangers: 2048,
            each_address: 1024,
            grace: Duration::from_secs(1),
            machines: 65_536,
            each_machine: 4,
        }
    }
}

impl Deadlines {
    /// The defaults, with as many connections as fit a process that may open `files` files.
    pub fn within(files: u64) -> Self {
        let usual = Self::default();
        let places = usize::try_from(files.saturating_sub(OTHER_FILES).max(files / 2)).unwrap_or(usize::MAX);
        let handshakes = usual.handshakes.min(places / 8).max(1);
        let strangers = usual.strangers.min(places / 4).max(1);
        let machines = usual.machines.min(places.saturating_sub(handshakes + strangers)).max(1);
        let each_address = usual.each_address.min(strangers / 2).max(1);
        Self { handshakes, strangers, each_address, machines, ..usual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_what_the_process_may_open_and_leave_room_for_the_store() {
        for files in [64, 256, 1024, 4096, 65_536, 1 << 20] {
            let Deadlines { handshakes, strangers, machines, .. } = Deadlines::within(files);
            let all = (handshakes + strangers + machines) as u64;
            assert!(all <= files - (files / 2).min(OTHER_FILES), "{files}: {all}");
        }
        assert_eq!(Deadlines::within(1 << 20).machines, Deadlines::default().machines);
    }
}
