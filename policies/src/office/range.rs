//! An address or a range of addresses (CIDR), as a person approves it.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use crate::text::{Text, visible};

/// The shortest prefix that still names a network: anything wider would approve half the internet.
const WIDEST_V4: u8 = 8;
/// The same for IPv6: what a whole provider has.
const WIDEST_V6: u8 = 32;
/// The same for the link-local addresses, which are `fe80::/10`.
const WIDEST_LINK_LOCAL: u8 = 10;

/// One address, or all that share its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// The lowest address.
    first: IpAddr,
    /// How many leading bits they share.
    prefix: u8,
}

/// Why a text is no range that can be approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// It is neither an address nor a range.
    Unreadable(String),
    /// The address before the slash is not the first one of its range, which is this.
    NotFirst(AddressRange),
    /// It holds too many addresses.
    TooWide(AddressRange),
    /// An address that is no other machine's: loopback, unspecified, multicast, broadcast, reserved.
    NobodysOwn(AddressRange),
}

impl AddressRange {
    /// The network around an address with its prefix length, such as `10.0.0.5/24`; a bare address is a range of one. An IPv4 address
    /// written as IPv6 (`::ffff:10.0.0.5/120`) is one of IPv4, as it is wherever addresses are compared.
    pub(super) fn around(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().ok()?;
        let width = width(address);
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= width)?,
            None => width,
        };
        let (address, prefix) = match (address.to_canonical(), prefix.checked_sub(128 - 32)) {
            (IpAddr::V4(four), Some(prefix)) if address.is_ipv6() => (IpAddr::V4(four), prefix),
            _ => (address, prefix),
        };
        Some(Self { first: lowest(address, prefix), prefix })
    }

    /// True when it is this address alone, and one by which a single machine is known.
    pub(super) fn is_machine(&self, address: IpAddr) -> bool {
        self.first == address && self.prefix == width(address) && !super::is_link_local(address)
    }

    /// True when no device of a network has an address of it.
    fn is_nobodys(&self) -> bool {
        let reserved = match self.first {
            IpAddr::V4(_) => self.contains(IpAddr::V4(core::net::Ipv4Addr::BROADCAST)),
            // Loopback, and IPv4 in the guise of IPv6.
            IpAddr::V6(first) => first.to_bits() >> 64 == 0,
        };
        reserved || self.first.is_loopback() || self.first.is_unspecified() || self.first.is_multicast()
    }

    /// True when `address` lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        width(address) == width(self.first) && lowest(address, self.prefix) == self.first
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The lowest address that shares the first `prefix` bits.
fn lowest(address: IpAddr, prefix: u8) -> IpAddr {
    let rest = u32::from(width(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(address) => IpAddr::V4((u32::MAX.checked_shl(rest).unwrap_or(0) & address.to_bits()).into()),
        IpAddr::V6(address) => IpAddr::V6((u128::MAX.checked_shl(rest).unwrap_or(0) & address.to_bits()).into()),
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        let range = Self::around(text).ok_or_else(|| RangeError::Unreadable(visible(text, 80)))?;
        let written = text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
        let widest = match range.first {
            IpAddr::V4(_) => WIDEST_V4,
            IpAddr::V6(first) if first.is_unicast_link_local() => WIDEST_LINK_LOCAL,
            IpAddr::V6(_) => WIDEST_V6,
        };
        if range.prefix < widest {
            return Err(RangeError::TooWide(range));
        }
        if range.is_nobodys() {
            return Err(RangeError::NobodysOwn(range));
        }
        if written.map(|address| address.to_canonical()) != Some(range.first) {
            return Err(RangeError::NotFirst(range));
        }
        Ok(range)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.first) {
            return write!(formatter, "{}", self.first);
        }
        write!(formatter, "{}/{}", self.first, self.prefix)
    }
}

impl RangeError {
    /// What a person reads.
    pub fn text(&self) -> Text {
        match self {
            Self::Unreadable(text) => Text::new(
                format!("`{text}` không phải địa chỉ IP hay dải địa chỉ. Hãy ghi như 192.168.1.1 hoặc 192.168.1.0/24."),
                format!("`{text}` is neither an IP address nor a range. Write it as 192.168.1.1 or 192.168.1.0/24."),
            ),
            Self::NotFirst(range) => Text::new(
                format!("Địa chỉ trước dấu / phải là địa chỉ đầu của dải. Hãy ghi {range}, hoặc chỉ ghi một địa chỉ."),
                format!(
                    "What is before the slash must be the first address of the range. Write {range}, or one address alone."
                ),
            ),
            Self::TooWide(range) => Text::new(
                format!(
                    "Dải {range} quá rộng. Dải rộng nhất được duyệt là /{WIDEST_V4} với IPv4, /{WIDEST_V6} với IPv6; riêng địa chỉ \
                     liên kết cục bộ (link-local) duyệt được cả dải fe80::/{WIDEST_LINK_LOCAL}."
                ),
                format!(
                    "The range {range} is too wide. The widest that can be approved is a /{WIDEST_V4} of IPv4 or a /{WIDEST_V6} of IPv6; \
                     of link-local addresses it is fe80::/{WIDEST_LINK_LOCAL}."
                ),
            ),
            Self::NobodysOwn(range) => Text::new(
                format!(
                    "{range} không phải địa chỉ của một thiết bị trong mạng. Hãy ghi địa chỉ của thiết bị đó trong mạng nội bộ."
                ),
                format!(
                    "{range} is not the address of a device in the network. Write the address by which the device is known there."
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<AddressRange>().map(|range| range.to_string()).map_err(|error| error.text().en)
    }

    #[test]
    fn addresses_and_ranges_are_read_and_written_alike() {
        for text in
            ["192.168.1.1", "10.0.0.0/8", "fe80::1", "fe80::/10", "2001:db8::/32", "64:ff9b::/96", "203.113.131.1"]
        {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        assert_eq!(read(" 192.168.1.1/32 ").as_deref(), Ok("192.168.1.1"));
        assert_eq!(read("::ffff:192.168.1.0/120").as_deref(), Ok("192.168.1.0/24"));
        assert_eq!(read("::ffff:192.168.1.1").as_deref(), Ok("192.168.1.1"));
    }

    #[test]
    fn what_cannot_be_approved_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "neither an IP address"),
            ("router", "neither an IP address"),
            ("192.168.1", "neither an IP address"),
            ("192.168.1.0/33", "neither an IP address"),
            ("192.168.1.0/x", "neither an IP address"),
            ("fe80::1%eth0", "neither an IP address"),
            ("192.168.1.5/24", "Write 192.168.1.0/24"),
            ("0.0.0.0/0", "too wide"),
            ("128.0.0.0/1", "too wide"),
            ("::/0", "too wide"),
            ("2000::/10", "too wide"),
            ("2000::/10", "a /32 of IPv6"),
            ("fe80::/9", "too wide"),
            ("::ffff:0.0.0.0/96", "too wide"),
            ("::ffff:192.168.1.5/120", "Write 192.168.1.0/24"),
            ("::ffff:0:0/90", "not the address of a device"),
            ("127.0.0.1", "not the address of a device"),
            ("127.0.0.0/8", "not the address of a device"),
            ("::1", "not the address of a device"),
            ("::ffff:127.0.0.1", "not the address of a device"),
            ("0.0.0.0", "not the address of a device"),
            ("224.0.0.251", "not the address of a device"),
            ("255.255.255.255", "not the address of a device"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn a_range_holds_its_own_family_only() {
        let range: AddressRange = "192.168.1.0/24".parse().unwrap();
        let holds = |text: &str| range.contains(text.parse().unwrap());
        assert!(holds("192.168.1.0") && holds("192.168.1.255"));
        assert!(!holds("192.168.2.1") && !holds("::ffff:192.168.1.1") && !holds("fe80::1"));
        let link: AddressRange = "fe80::/10".parse().unwrap();
        assert!(link.contains("febf::1".parse().unwrap()) && !link.contains("fec0::1".parse().unwrap()));
    }
}
