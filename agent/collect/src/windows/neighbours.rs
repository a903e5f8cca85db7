//! Section `neighbours`: the IPv4 devices in Windows' neighbour table, as on other systems. Nothing is sent to fill it.

use std::net::Ipv4Addr;

use policies::fact::{Fact, List, Neighbour, Neighbours};

use super::context::{CheckContext, answered};
use crate::text::capped;
use os::windows::NeighbourEntry;

/// `NlnsIncomplete`: nobody answered.
const INCOMPLETE: u32 = 1;

pub(super) fn collect(context: &CheckContext) -> Neighbours {
    Neighbours { seen: answered(context.os.neighbours(), |entries| Fact::Known(seen(context, &entries))) }
}

fn seen(context: &CheckContext, entries: &[NeighbourEntry]) -> List<Neighbour> {
    let adapters = context.os.adapters().unwrap_or_default();
    let interface = |index: u32| match adapters.iter().find(|adapter| adapter.index == index) {
        Some(adapter) => capped(&adapter.name),
        None => index.to_string(),
    };
    let mut seen: Vec<(String, Ipv4Addr, String)> = entries
        .iter()
        .filter(|entry| entry.state != INCOMPLETE)
        .filter_map(|entry| Some((interface(entry.index), device(entry)?, mac(&entry.mac)?)))
        .collect();
    seen.sort();
    seen.dedup();
    let neighbour = |(interface, address, mac): (String, Ipv4Addr, String)| Neighbour {
        address: address.to_string(),
        mac,
        interface,
    };
    seen.into_iter().map(neighbour).collect()
}

/// The address of a device: multicast and broadcast entries are always in the table and are not devices.
fn device(entry: &NeighbourEntry) -> Option<Ipv4Addr> {
    let address: Ipv4Addr = entry.address.parse().ok()?;
    // The lowest bit of the first byte marks multicast addresses.
    let group = entry.mac.first().is_some_and(|byte| byte & 1 == 1);
    (!group && !address.is_multicast() && !address.is_broadcast()).then_some(address)
}

/// A hardware address in lower case with colons; `None` when there is none.
pub(super) fn mac(bytes: &[u8]) -> Option<String> {
    if bytes.len() < 6 || bytes.iter().all(|&byte| byte == 0) {
        return None;
    }
    Some(bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::windows::Adapter;
    use os::windows::recorded::Recorded;

    fn entry(address: &str, mac: &[u8], state: u32) -> NeighbourEntry {
        NeighbourEntry { address: address.to_owned(), mac: mac.to_vec(), index: 7, state }
    }

    #[test]
    fn devices_are_listed_by_number_and_groups_are_none() {
        let adapters = Some(vec![Adapter { index: 7, name: "Mạng Ethernet".to_owned(), ..Adapter::default() }]);
        let entries = vec![
            entry("192.168.1.10", &[0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xF0], 5),
            entry("192.168.1.9", &[0, 0x11, 0x22, 0x33, 0x44, 0x55], 4),
            entry("192.168.1.8", &[0, 0x11, 0x22, 0x33, 0x44, 0x55], 1),
            entry("192.168.1.7", &[], 2),
            entry("224.0.0.22", &[0x01, 0, 0x5E, 0, 0, 0x16], 6),
            entry("192.168.1.255", &[0xFF; 6], 6),
            entry("fe80::1", &[0, 0x11, 0x22, 0x33, 0x44, 0x55], 5),
        ];
        let os = Recorded { adapters, neighbours: Some(entries), ..Recorded::new() };
        let seen = collect(&CheckContext::of(os)).seen;
        let shown: Vec<_> =
            seen.known().unwrap().items.iter().map(|one| (one.address.as_str(), one.mac.as_str())).collect();
        assert_eq!(shown, [("192.168.1.9", "00:11:22:33:44:55"), ("192.168.1.10", "aa:bb:cc:dd:ee:f0")]);
        assert_eq!(seen.known().unwrap().items[0].interface, "Mạng Ethernet");
        let nobody = collect(&CheckContext::of(Recorded::new()));
        assert!(nobody.seen.known().is_none());
    }
}
