//! Default routes from `/proc/net/route` and `/proc/net/ipv6_route`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policies::fact::Fact;

use crate::linux::context::{CheckContext, answered, optional};

/// A default route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The interface it leaves by.
    pub(super) interface: String,
    /// True for an IPv6 route.
    pub(super) ipv6: bool,
    /// The router; `None` on a point-to-point link.
    pub(super) gateway: Option<IpAddr>,
    metric: u32,
}

/// All default routes, IPv4 before IPv6, preferred ones first.
pub(super) fn default_routes(context: &CheckContext) -> Fact<Vec<Route>> {
    // Without IPv6 the file does not exist.
    let texts =
        context.text("/proc/net/route").and_then(|four| Ok((four, optional(context.text("/proc/net/ipv6_route"))?)));
    answered(texts, |(four, six)| {
        let mut routes = ipv4(&four);
        routes.extend(ipv6(&six.unwrap_or_default()));
        Fact::Known(routes)
    })
}

/// Interface, destination, gateway, flags, references, use, metric, mask: numbers in hexadecimal words.
fn ipv4(text: &str) -> Vec<Route> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [interface, "00000000", gateway, flags, _, _, metric, "00000000", ..] = words[..] else { return None };
        let up = u32::from_str_radix(flags, 16).ok()? & 1 != 0;
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        let gateway = (gateway != 0).then(|| IpAddr::V4(Ipv4Addr::from(gateway.to_ne_bytes())));
        up.then_some(Route { interface: interface.to_owned(), ipv6: false, gateway, metric: metric.parse().ok()? })
    };
    let mut routes: Vec<Route> = text.lines().filter_map(route).collect();
    routes.sort_by_key(|route| route.metric);
    routes
}

/// Destination, its length, source, its length, next hop, metric, references, use, flags, interface.
fn ipv6(text: &str) -> Vec<Route> {
    const NO_ROUTE: u32 = 0x0200;
    let nowhere = "0".repeat(32);
    let route = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [destination, "00", _, _, hop, metric, _, _, flags, interface] = words[..] else { return None };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        if destination != nowhere || flags & NO_ROUTE != 0 || flags & 1 == 0 || interface == "lo" {
            return None;
        }
        let hop = u128::from_str_radix(hop, 16).ok()?;
        let gateway = (hop != 0).then(|| IpAddr::V6(Ipv6Addr::from(hop)));
        Some(Route {
            interface: interface.to_owned(),
            ipv6: true,
            gateway,
            metric: u32::from_str_radix(metric, 16).ok()?,
        })
    };
    let mut routes: Vec<Route> = text.lines().filter_map(route).collect();
    routes.sort_by_key(|route| route.metric);
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_ipv4_route_comes_first() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\r\n\
            ppp0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n\
            eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\ndown0\t00000000\t0100000A\t0002\nshort";
        let found: Vec<String> =
            ipv4(text).iter().map(|route| format!("{} {:?}", route.interface, route.gateway)).collect();
        assert_eq!(found, ["ppp0 None", "eth0 Some(10.0.0.1)", "wlan0 Some(192.168.1.1)"]);
        assert!(ipv4("").is_empty());
    }

    #[test]
    fn unreachable_ipv6_routes_are_left_out() {
        let zero = "0".repeat(32);
        let text = format!(
            "{zero} 00 {zero} 00 fe80000000000000021122fffe334455 00000400 00000001 00000000 00450003     eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\nfe80 40\n"
        );
        let found = ipv6(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].gateway, Some("fe80::211:22ff:fe33:4455".parse().unwrap()));
    }
}
