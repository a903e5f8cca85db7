//! The interfaces that are up, from `/sys/class/net` and the kernel's address tables.

use std::net::Ipv6Addr;

use policies::fact::{Fact, Interface, InterfaceKind, List, Reason};

use super::addressing;
use crate::linux::context::{CheckContext, unknown};
use crate::linux::text::capped;
use crate::ways_out::WayOut;

/// All interfaces that are up, by name, without loopback and virtual ones that have no address.
pub(super) fn interfaces(context: &CheckContext, ways: &[WayOut]) -> Fact<List<Interface>> {
    let names = match context.os.list("/sys/class/net") {
        Ok(names) => names,
        Err(error) => return unknown(&error),
    };
    let ipv4 = match context.os.addresses() {
        Ok(addresses) => addresses,
        Err(error) => return unknown(&error),
    };
    let ipv6 = context.text("/proc/net/if_inet6").map(|text| if_inet6(&text)).unwrap_or_default();
    let found = names.into_iter().filter_map(|name| {
        let folder = format!("/sys/class/net/{name}");
        let flags = context.line(&format!("{folder}/flags"))?;
        let flags = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()?;
        if flags & UP == 0 || flags & LOOPBACK != 0 {
            return None;
        }
        let kind = kind(context, &folder);
        let own = |all: &[(String, String)]| {
            all.iter().filter(|(of, _)| *of == name).map(|(_, address)| address.clone()).collect::<Vec<_>>()
        };
        let (own_ipv4, own_ipv6) = (own(&ipv4), own(&ipv6));
        if kind == InterfaceKind::Virtual && own_ipv4.is_empty() && own_ipv6.is_empty() {
            return None;
        }
        let addressing = addressing::addressing(context, &name, &own_ipv4);
        Some(Interface {
            kind,
            mac: mac(context, &folder),
            addresses: own_ipv4.into_iter().chain(own_ipv6).collect(),
            addressing,
            default_route: ways.iter().any(|way| way.interface == name),
            name: capped(&name),
            category: Fact::unknown(Reason::NoReader, ""),
            wireless: Fact::unknown(Reason::NoReader, ""),
        })
    });
    Fact::Known(found.collect())
}

const UP: u32 = 0x1;
const LOOPBACK: u32 = 0x8;

fn kind(context: &CheckContext, folder: &str) -> InterfaceKind {
    let has = |name: &str| context.os.exists(&format!("{folder}/{name}"));
    match () {
        () if has("wireless") || has("phy80211") => InterfaceKind::Wireless,
        () if has("device") => InterfaceKind::Wired,
        () => InterfaceKind::Virtual,
    }
}

fn mac(context: &CheckContext, folder: &str) -> Fact<String> {
    match context.line(&format!("{folder}/address")) {
        Some(mac) if mac.chars().any(|digit| digit != '0' && digit != ':') => Fact::Known(mac.to_lowercase()),
        _ => Fact::unknown(Reason::SourceMissing, "it has none"),
    }
}

/// Permanent IPv6 addresses by interface: the temporary ones of privacy extensions change by themselves and identify
/// nothing.
fn if_inet6(text: &str) -> Vec<(String, String)> {
    const TEMPORARY: u32 = 0x01;
    let address = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [address, _, length, _, flags, name] = words[..] else { return None };
        let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
        let length = u8::from_str_radix(length, 16).ok()?;
        let lasting = u32::from_str_radix(flags, 16).ok()? & TEMPORARY == 0;
        lasting.then(|| (name.to_owned(), format!("{address}/{length}")))
    };
    let mut addresses: Vec<_> = text.lines().filter_map(address).collect();
    addresses.sort_unstable();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    #[test]
    fn interfaces_are_described() {
        let mut os = Recorded::new()
            .file("/sys/class/net/lo/flags", "0x9\n")
            .file("/sys/class/net/eno1/flags", "0x1003\n")
            .file("/sys/class/net/eno1/address", "AA:BB:CC:00:11:22\n")
            .file("/sys/class/net/eno1/ifindex", "2\n")
            .folder("/sys/class/net/eno1/device")
            .file("/sys/class/net/wlp2s0/flags", "0x1002\n")
            .file("/sys/class/net/veth1/flags", "0x1003\n")
            .file("/sys/class/net/tun0/flags", "0x10d1\n")
            .file("/sys/class/net/tun0/address", "\n")
            .file("/run/systemd/netif/leases/2", "ADDRESS=10.0.0.5\n")
            .file(
                "/proc/net/if_inet6",
                "fe80000000000000021122fffe334455 02 40 20 80     eno1\n20010db8000000000000000000000001 02 40 00 01 eno1\nbad\n",
            );
        os.addresses =
            vec![("eno1".to_owned(), "10.0.0.5/24".to_owned()), ("tun0".to_owned(), "10.8.0.2/32".to_owned())];
        let way = WayOut { interface: "eno1".to_owned(), ipv6: false, gateway: None };
        let context = CheckContext::of(os);
        let found = interfaces(&context, &[way]);
        let found = &found.known().unwrap().items;
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].mac, Fact::Known("aa:bb:cc:00:11:22".to_owned()));
        assert_eq!(found[0].addresses.items, ["10.0.0.5/24", "fe80::211:22ff:fe33:4455/64"]);
        assert_eq!(found[0].addressing, Fact::Known(policies::fact::Addressing::Dhcp));
        assert!(found[0].default_route && !found[1].default_route);
        assert_eq!((found[0].kind, found[1].kind), (InterfaceKind::Wired, InterfaceKind::Virtual));
        assert!(found[1].mac.known().is_none());
    }
}
