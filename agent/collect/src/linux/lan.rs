//! Section `lan`: addresses, name servers, gateways, firewall, proxies, the hosts file.

use policies::fact::{Fact, HostOverride, Interface, Lan, List, Reason};

use super::context::{CheckContext, answered, found, unknown};
use super::neighbours::arp;
use crate::hosts::{CAP, Own, overrides};
use os::OsError;

mod addressing;
mod filter;
mod firewall;
mod interfaces;
mod iptables;
mod nftables;
mod outside;
mod proxies;
mod resolver;
mod stranger;
mod truth;
mod walk;

use crate::ways_out::{WayOut, gateways, ways_out};

pub(super) fn collect(context: &CheckContext) -> Lan {
    let ways = answered(context.os.routes(), |routes| Fact::Known(ways_out(&routes)));
    let known = ways.known().map_or(&[][..], Vec::as_slice);
    let firewall = firewall::firewalls(context, known, &forwards(context));
    let interfaces = interfaces::interfaces(context, known);
    Lan {
        dns_servers: resolver::name_servers(context),
        gateway_mac: gateway_mac(context, &ways),
        gateways: ways.map(|ways| gateways(&ways)),
        firewalls: firewall.firewalls,
        firewall_active: firewall.active,
        firewall_blocks_inbound: firewall.blocks_inbound,
        proxies: proxies::proxies(context),
        host_overrides: host_overrides(context, &interfaces),
        interfaces,
        forwards: forwards(context),
        published_ports: firewall.published_ports,
        ..Lan::unknown(Reason::NoReader, "")
    }
}

fn gateway_mac(context: &CheckContext, ways: &Fact<Vec<WayOut>>) -> Fact<String> {
    let ways = match ways {
        Fact::Known(ways) => ways,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown.clone()),
    };
    let Some(gateway) = ways.iter().find_map(|way| way.gateway.filter(std::net::IpAddr::is_ipv4)) else {
        return Fact::unknown(Reason::SourceMissing, "there is no IPv4 gateway");
    };
    answered(context.text("/proc/net/arp"), |text| {
        let router = arp(&text).into_iter().find(|neighbour| neighbour.address == gateway.to_string());
        found(router, "the gateway is not in the neighbour table").map(|router| router.mac)
    })
}

fn host_overrides(context: &CheckContext, interfaces: &Fact<List<Interface>>) -> Fact<List<HostOverride>> {
    let own = Own::new(&context.line("/proc/sys/kernel/hostname").unwrap_or_default(), interfaces);
    answered(context.os.head("/etc/hosts", CAP + 1), |head| overrides(&head, &own))
}

fn forwards(context: &CheckContext) -> Fact<bool> {
    let read = |path| context.text(path).map(|text| text.trim() != "0");
    match (read("/proc/sys/net/ipv4/ip_forward"), read("/proc/sys/net/ipv6/conf/all/forwarding")) {
        (Ok(true), _) | (_, Ok(true)) => Fact::Known(true),
        // Without IPv6 the file does not exist.
        (Ok(false), Ok(false) | Err(OsError::Missing(_))) => Fact::Known(false),
        (Err(error), _) | (_, Err(error)) => unknown(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    #[test]
    fn the_gateways_hardware_address_comes_from_the_neighbour_table() {
        let os = Recorded::new()
            .route("eth0", ("0.0.0.0", 0), Some("192.168.1.1"))
            .file("/proc/net/arp", "IP\n192.168.1.1 0x1 0x2 00:11:22:33:44:55 * eth0\n");
        let lan = collect(&CheckContext::of(os));
        assert_eq!(lan.gateways.known().unwrap().items, ["192.168.1.1"]);
        assert_eq!(lan.gateway_mac, Fact::Known("00:11:22:33:44:55".to_owned()));
    }

    #[test]
    fn a_vpn_beside_the_default_route_shows_among_the_gateways() {
        let office = || {
            let os = Recorded::new().route("eth0", ("0.0.0.0", 0), Some("192.168.1.1"));
            let os = os.file("/sys/class/net/eth0/flags", "0x1003\n").folder("/sys/class/net/eth0/device");
            Recorded { addresses: vec![("eth0".to_owned(), "192.168.1.9/24".to_owned())], ..os }
        };
        let gateways = |os: Recorded| collect(&CheckContext::of(os)).gateways.known().map(|list| list.items.clone());
        assert_eq!(gateways(office().route("wg0", ("0.0.0.0", 0), None)).unwrap(), ["192.168.1.1", "0.0.0.0"]);
        let halves =
            office().route("tun0", ("0.0.0.0", 1), Some("10.8.0.1")).route("tun0", ("128.0.0.0", 1), Some("10.8.0.1"));
        assert_eq!(gateways(halves).unwrap(), ["192.168.1.1", "10.8.0.1"]);
        assert_eq!(gateways(Recorded::new()), None, "the kernel did not answer");
        let lan = collect(&CheckContext::of(office()));
        assert!(lan.interfaces.known().unwrap().items[0].default_route);
    }

    #[test]
    fn forwarding_is_read_for_both_protocols() {
        let four = |value: &str| Recorded::new().file("/proc/sys/net/ipv4/ip_forward", value);
        assert_eq!(forwards(&CheckContext::of(four("0\n"))), Fact::Known(false));
        assert_eq!(forwards(&CheckContext::of(four("1\n"))), Fact::Known(true));
        assert_eq!(
            forwards(&CheckContext::of(four("0\n").file("/proc/sys/net/ipv6/conf/all/forwarding", "1\n"))),
            Fact::Known(true)
        );
        assert!(forwards(&CheckContext::of(Recorded::new())).known().is_none());
    }
}
