//! Socket addresses in Windows' memory layout (`SOCKADDR_IN`, `SOCKADDR_IN6`).

use std::net::{IpAddr, Ipv6Addr};

/// `AF_INET`.
pub(in crate::windows) const IPV4: u16 = 2;
/// `AF_INET6` on Windows.
pub(in crate::windows) const IPV6: u16 = 23;

/// The address in a `SOCKADDR`; `None` for other families or too few bytes.
pub(in crate::windows) fn address(socket: &[u8]) -> Option<IpAddr> {
    match u16::from_le_bytes(socket.get(..2)?.try_into().ok()?) {
        IPV4 => Some(IpAddr::from(<[u8; 4]>::try_from(socket.get(4..8)?).ok()?)),
        IPV6 => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(socket.get(8..24)?).ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_read_and_others_are_not() {
        let four = [2, 0, 0, 80, 192, 168, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(address(&four).unwrap().to_string(), "192.168.1.5");
        let mut six = [0; 28];
        six[0] = 23;
        (six[8], six[9], six[23]) = (0xFE, 0x80, 1);
        assert_eq!(address(&six).unwrap().to_string(), "fe80::1");
        assert_eq!(address(&six[..16]), None);
        assert_eq!(address(&[0; 28]), None);
        assert_eq!(address(&[]), None);
    }
}
