//! From where a socket can be reached, by its bind address.

use std::net::IpAddr;

use policies::fact::Reach;
#[cfg(test)]
use policies::fact::{Fact, List, ListeningPort};

/// From where a socket bound to `address` can be reached.
pub(super) fn reach(address: IpAddr) -> Reach {
    let address = address.to_canonical();
    match () {
        () if address.is_unspecified() => Reach::Any,
        () if address.is_loopback() => Reach::Loopback,
        () => Reach::Address,
    }
}

/// Ports as tests of both systems state them.
#[cfg(test)]
pub(super) fn shown(found: &Fact<List<ListeningPort>>) -> Vec<String> {
    let shown = |port: &ListeningPort| {
        let ListeningPort { transport, port, address, reach, program } = port;
        format!("{transport:?} {port} {address} {reach:?} {:?}", program.known())
    };
    found.known().unwrap().items.iter().map(shown).collect()
}
