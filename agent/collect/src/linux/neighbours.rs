//! Section `neighbours`: devices in the machine's ARP table. Nothing is sent to fill it.

use policies::fact::{Fact, List, Neighbour, Neighbours};

use super::context::{CheckContext, answered};
use crate::linux::text::capped;

pub(super) fn collect(context: &CheckContext) -> Neighbours {
    Neighbours { seen: answered(context.text("/proc/net/arp"), |text| Fact::Known(List::capped(arp(&text)))) }
}

/// The complete entries of `/proc/net/arp`: address, hardware type, flags, hardware address, mask, interface.
pub(super) fn arp(text: &str) -> Vec<Neighbour> {
    const COMPLETE: u32 = 0x2;
    let mut seen: Vec<Neighbour> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (address, flags) = (words.next()?, words.nth(1)?);
            let (mac, interface) = (words.next()?, words.nth(1)?);
            address.parse::<std::net::IpAddr>().ok()?;
            let flags = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()?;
            let [address, mac, interface] = [address, mac, interface].map(capped);
            (flags & COMPLETE != 0).then(|| Neighbour { address, mac: mac.to_lowercase(), interface })
        })
        .collect();
    seen.sort_unstable_by(|one, other| {
        let number = |neighbour: &Neighbour| neighbour.address.parse::<std::net::IpAddr>().ok();
        (&one.interface, number(one)).cmp(&(&other.interface, number(other)))
    });
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_entries_are_listed_by_number() {
        let text = "IP address       HW type     Flags       HW address            Mask     Device\n\
            192.168.1.10     0x1         0x2         AA:bb:cc:dd:ee:ff     *        eth0\r\n\
            192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        eth0\n\
            192.168.1.2      0x1         0x6         00:11:22:33:44:55     *        eth0\n\
            nonsense         0x1\n\n192.168.1";
        let seen = arp(text);
        let shown: Vec<_> = seen.iter().map(|neighbour| (neighbour.address.as_str(), neighbour.mac.as_str())).collect();
        assert_eq!(shown, [("192.168.1.2", "00:11:22:33:44:55"), ("192.168.1.10", "aa:bb:cc:dd:ee:ff")]);
        assert!(arp("").is_empty());
    }
}
