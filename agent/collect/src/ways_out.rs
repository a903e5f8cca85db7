//! The ways out of a machine's networks: default routes, and routes that together lead to so much of the internet that they are one. VPN
//! programs often set two halves (`0.0.0.0/1`, `128.0.0.0/1`), or everything except the private networks, beside the default route.

use std::collections::BTreeMap;
use std::net::IpAddr;

use os::Route;
use policies::fact::List;

/// A way out. Which one a packet takes (rules, tables, metrics) is not asked: each may be taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WayOut {
    /// The interface, as in [`Route::interface`].
    pub(crate) interface: String,
    /// True for IPv6.
    pub(crate) ipv6: bool,
    /// The router; `None` where there is none (VPN, modem).
    pub(crate) gateway: Option<IpAddr>,
}

/// Networks that are nobody's part of the internet: private, link-local, multicast.
const OWN: [(IpAddr, u8); 9] = {
    use std::net::{Ipv4Addr, Ipv6Addr};
    const fn four(first: u8, second: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(first, second, 0, 0))
    }
    const fn six(first: u16) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0))
    }
    [
        (four(10, 0), 8),
        (four(127, 0), 8),
        (four(169, 254), 16),
        (four(172, 16), 12),
        (four(192, 168), 16),
        (four(224, 0), 4),
        (six(0xFC00), 7),
        (six(0xFE80), 10),
        (six(0xFF00), 8),
    ]
};

/// The ways out among `routes`, IPv4 before IPv6, preferred ones first: by whom more is reached than any network of one owner holds, a /8
/// of IPv4 or a /16 of IPv6.
pub(crate) fn ways_out(routes: &[Route]) -> Vec<WayOut> {
    let mut reached: BTreeMap<WayOut, (u64, u32)> = BTreeMap::new();
    for route in routes.iter().filter(|route| !is_own(route)) {
        let way =
            WayOut { interface: route.interface.clone(), ipv6: route.destination.is_ipv6(), gateway: route.gateway };
        let (share, metric) = reached.entry(way).or_insert((0, u32::MAX));
        // In parts of 2^32, of which a longer IPv6 prefix is less than one.
        *share = share.saturating_add(1_u64.checked_shl(32_u32.saturating_sub(route.prefix.into())).unwrap_or(0));
        *metric = route.metric.min(*metric);
    }
    let mut ways: Vec<(bool, u32, WayOut)> = reached
        .into_iter()
        .filter(|(way, (share, _))| *share > if way.ipv6 { 1 << (32 - 16) } else { 1 << (32 - 8) })
        .map(|(way, (_, metric))| (way.ipv6, metric, way))
        .collect();
    ways.sort();
    ways.into_iter().map(|(_, _, way)| way).collect()
}

fn is_own(route: &Route) -> bool {
    let inside = |(own, prefix): &(IpAddr, u8)| {
        let differ = match (own, route.destination) {
            (IpAddr::V4(own), IpAddr::V4(other)) => u128::from(own.to_bits() ^ other.to_bits()) << 96,
            (IpAddr::V6(own), IpAddr::V6(other)) => own.to_bits() ^ other.to_bits(),
            _ => return false,
        };
        route.prefix >= *prefix && differ.leading_zeros() >= u32::from(*prefix)
    };
    OWN.iter().any(inside)
}

/// The routers of the ways out, each once. A way without a router is `0.0.0.0` or `::`.
pub(crate) fn gateways(ways: &[WayOut]) -> List<String> {
    let mut gateways: Vec<String> = Vec::new();
    for way in ways {
        let none = if way.ipv6 { IpAddr::from([0; 16]) } else { IpAddr::from([0; 4]) };
        let gateway = way.gateway.unwrap_or(none).to_string();
        if !gateways.contains(&gateway) {
            gateways.push(gateway);
        }
    }
    List::capped(gateways)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `interface network [router]`, one a line, the preferred first.
    fn routes(text: &str) -> Vec<Route> {
        let route = |(metric, line): (usize, &str)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (destination, prefix) = words[1].split_once('/').unwrap();
            Route {
                interface: words[0].to_owned(),
                destination: destination.parse().unwrap(),
                prefix: prefix.parse().unwrap(),
                gateway: words.get(2).map(|router| router.parse().unwrap()),
                metric: metric.try_into().unwrap(),
            }
        };
        text.lines().filter(|line| !line.trim().is_empty()).enumerate().map(route).collect()
    }

    fn found(text: &str) -> Vec<String> {
        let ways = ways_out(&routes(text));
        ways.iter().map(|way| format!("{} {:?}", way.interface, way.gateway.map(|at| at.to_string()))).collect()
    }

    const OFFICE: &str = "eth0 0.0.0.0/0 192.168.1.1\neth0 192.168.1.0/24\neth0 fe80::/64\neth0 ::/0 fe80::1\n";

    #[test]
    fn a_default_route_is_the_way_out_and_the_offices_other_routes_are_not() {
        let office = ["eth0 Some(\"192.168.1.1\")", "eth0 Some(\"fe80::1\")"];
        assert_eq!(found(OFFICE), office);
        let others = "eth0 10.0.0.0/8 192.168.1.254\neth0 172.16.0.0/12 192.168.1.254\neth0 203.0.113.0/24 192.168.1.253\n\
            eth0 224.0.0.0/4\neth0 ff00::/8\neth0 2001:db8::/32 fe80::254\ntun0 fd00::/8\neth0 14.0.0.0/8 192.168.1.254\n";
        assert_eq!(found(&format!("{OFFICE}{others}")), office);
        assert!(found("").is_empty() && found("eth0 192.168.1.0/24").is_empty());
    }

    #[test]
    fn pieces_that_make_up_the_internet_are_a_way_out() {
        for (name, pieces) in [
            ("OpenVPN, def1", "tun0 0.0.0.0/1 10.8.0.1\ntun0 128.0.0.0/1 10.8.0.1"),
            ("half of it", "tun0 128.0.0.0/1 10.8.0.1"),
            ("a /7", "tun0 14.0.0.0/7 10.8.0.1"),
            ("eight of a /8 and smaller", "tun0 14.0.0.0/8 10.8.0.1\ntun0 27.64.0.0/12 10.8.0.1"),
        ] {
            let text = format!("{OFFICE}{pieces}");
            assert!(found(&text).contains(&"tun0 Some(\"10.8.0.1\")".to_owned()), "{name}: {:?}", found(&text));
        }
        for (name, pieces) in [
            ("OpenVPN, IPv6", "wg0 ::/3\nwg0 2000::/4\nwg0 3000::/4\nwg0 fc00::/7"),
            ("halves", "wg0 ::/1\nwg0 8000::/1"),
            ("what Asia has", "wg0 2400::/12"),
            ("a table of its own", "wg0 0.0.0.0/0"),
            ("without private networks", "wg0 0.0.0.0/5\nwg0 8.0.0.0/7\nwg0 11.0.0.0/8\nwg0 12.0.0.0/6"),
        ] {
            let text = format!("{OFFICE}{pieces}");
            assert!(found(&text).contains(&"wg0 None".to_owned()), "{name}: {:?}", found(&text));
        }
    }

    #[test]
    fn a_way_without_a_router_shows_among_the_gateways() {
        let of = |text: &str| gateways(&ways_out(&routes(text))).items;
        assert_eq!(of(OFFICE), ["192.168.1.1", "fe80::1"]);
        assert_eq!(
            of(&format!("{OFFICE}wg0 0.0.0.0/0\nppp0 0.0.0.0/0\nwg0 ::/0")),
            ["192.168.1.1", "0.0.0.0", "fe80::1", "::"]
        );
        assert_eq!(
            of(&format!("{OFFICE}eth0 0.0.0.0/1\nwlan0 0.0.0.0/0 192.168.1.1")),
            ["192.168.1.1", "0.0.0.0", "fe80::1"]
        );
    }
}
