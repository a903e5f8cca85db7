//! From where a socket can be reached, by its bind address.

use std::net::IpAddr;

use policies::fact::Reach;

/// From where a socket bound to `address` can be reached.
pub(super) fn reach(address: IpAddr) -> Reach {
    let address = address.to_canonical();
    match () {
        () if address.is_unspecified() => Reach::Any,
        () if address.is_loopback() => Reach::Loopback,
        () => Reach::Address,
    }
}
