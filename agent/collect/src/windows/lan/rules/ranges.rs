//! Sets of addresses, as ranges with first and last address. IPv4 addresses are numbers below 2^32.

use std::net::IpAddr;

/// IPv4 or IPv6: a rule may cover both, each with its own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Four,
    Six,
}

impl Family {
    const fn bits(self) -> u32 {
        match self {
            Self::Four => 32,
            Self::Six => 128,
        }
    }

    const fn last(self) -> u128 {
        match self {
            Self::Four => u32::MAX as u128,
            Self::Six => u128::MAX,
        }
    }

    /// Where strangers come from: below the multicast range of IPv4 (`224.0.0.0`), the global addresses of IPv6
    /// (`2000::/3`).
    const fn strangers(self) -> (u128, u128) {
        match self {
            Self::Four => (0, 0xDFFF_FFFF),
            Self::Six => (1 << 125, (1 << 126) - 1),
        }
    }

    /// From this many addresses on a rule counts as open to everyone: no office lists a sixteenth of them, and private ranges are far
    /// smaller.
    const fn everybody(self) -> u128 {
        match self {
            Self::Four => 1 << 28,
            Self::Six => 1 << 121,
        }
    }

    /// An address of this family as a number.
    pub(super) fn number(self, address: IpAddr) -> Option<u128> {
        match (self, address) {
            (Self::Four, IpAddr::V4(address)) => Some(u32::from(address).into()),
            (Self::Six, IpAddr::V6(address)) => Some(address.into()),
            _ => None,
        }
    }
}

/// Sorted ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    /// Every address.
    pub(super) fn all(family: Family) -> Self {
        Self(vec![(0, family.last())])
    }

    /// `10.0.0.9`, `10.0.0.1-10.0.0.9`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`; `None` for what is none of them.
    pub(super) fn read(family: Family, text: &str) -> Option<Self> {
        let number = |text: &str| family.number(text.trim().parse().ok()?);
        let (first, last) = if let Some((address, length)) = text.split_once('/') {
            let host = family.last().checked_shr(prefix(family, length.trim())?).unwrap_or(0);
            let address = number(address)?;
            (address & !host, address | host)
        } else if let Some((first, last)) = text.split_once('-') {
            (number(first)?, number(last)?)
        } else {
            (number(text)?, number(text)?)
        };
        (first <= last).then(|| Self(vec![(first, last)]))
    }

    /// Adds the addresses of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.extend(&other.0);
        self.0.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::new();
        for &(first, last) in &self.0 {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        self.0 = merged;
    }

    /// The addresses that are not in `other`.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for &(first, last) in &self.0 {
            let mut next = Some(first);
            for &(start, end) in other.0.iter().filter(|(start, end)| *start <= last && *end >= first) {
                if let Some(from) = next.filter(|from| *from < start) {
                    left.push((from, start - 1));
                }
                next = end.checked_add(1).filter(|from| *from <= last);
            }
            left.extend(next.map(|from| (from, last)));
        }
        Self(left)
    }

    /// True when the address is in.
    pub(super) fn contains(&self, address: u128) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&address))
    }

    /// True when it contains so many addresses that strangers are among them.
    pub(super) fn everybody(&self, family: Family) -> bool {
        let (least, most) = family.strangers();
        let inside = |&(first, last): &(u128, u128)| (last.min(most) + 1).saturating_sub(first.max(least));
        let count = self.0.iter().map(inside).fold(0_u128, u128::saturating_add);
        count > family.everybody()
    }
}

/// `8` or `255.0.0.0` as a number of bits.
fn prefix(family: Family, text: &str) -> Option<u32> {
    if let Ok(bits) = text.parse() {
        return (bits <= family.bits()).then_some(bits);
    }
    let mask: std::net::Ipv4Addr = text.parse().ok().filter(|_| family == Family::Four)?;
    let mask = u32::from(mask);
    (mask.leading_ones() + mask.trailing_zeros().min(32) >= 32).then(|| mask.leading_ones())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four(text: &str) -> Option<Vec<(u128, u128)>> {
        Ranges::read(Family::Four, text).map(|ranges| ranges.0)
    }

    #[test]
    fn addresses_ranges_and_subnets_are_read() {
        assert_eq!(four("10.0.0.9"), Some(vec![(0x0A00_0009, 0x0A00_0009)]));
        assert_eq!(four("10.0.0.1-10.0.0.9"), Some(vec![(0x0A00_0001, 0x0A00_0009)]));
        let eight = Some(vec![(0x0A00_0000, 0x0AFF_FFFF)]);
        assert_eq!([four("10.0.0.0/8"), four("10.1.2.3/255.0.0.0")], [eight.clone(), eight]);
        assert_eq!(four("0.0.0.0/0.0.0.0"), Some(vec![(0, u128::from(u32::MAX))]));
        for odd in ["", "10", "10.0.0.9-10.0.0.1", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "::1", "LocalSubnet"] {
            assert_eq!(four(odd), None, "{odd}");
        }
        assert_eq!(Ranges::read(Family::Six, "::/0"), Some(Ranges::all(Family::Six)));
        assert_eq!(Ranges::read(Family::Six, "fe80::1/128").unwrap().0.len(), 1);
        assert_eq!(Ranges::read(Family::Six, "10.0.0.9"), None);
    }

    #[test]
    fn sets_are_joined_and_cut() {
        let mut halves = Ranges::read(Family::Four, "128.0.0.0-255.255.255.255").unwrap();
        halves.add(&Ranges::read(Family::Four, "0.0.0.0-127.255.255.255").unwrap());
        assert_eq!(halves, Ranges::all(Family::Four));
        let cut = halves.without(&Ranges::read(Family::Four, "10.0.0.0/8").unwrap());
        assert_eq!(cut.0, [(0, 0x09FF_FFFF), (0x0B00_0000, u128::from(u32::MAX))]);
        assert!(!cut.contains(0x0A00_0009) && cut.contains(0x0B00_0000));
        assert_eq!(cut.without(&halves), Ranges::default());
        assert_eq!(Ranges::all(Family::Six).without(&Ranges::all(Family::Six)), Ranges::default());
    }

    #[test]
    fn everybody_is_more_than_any_office_writes_down() {
        let many = |family, text: &str| Ranges::read(family, text).unwrap().everybody(family);
        assert!(many(Family::Four, "0.0.0.1-255.255.255.254") && many(Family::Six, "2000::/3"));
        assert!(!many(Family::Four, "10.0.0.0/8") && !many(Family::Six, "fc00::/7"));
        assert!(!many(Family::Four, "224.0.0.0-255.255.255.255") && !many(Family::Six, "4000::/2"));
        assert!(Ranges::all(Family::Four).everybody(Family::Four) && Ranges::all(Family::Six).everybody(Family::Six));
    }
}
