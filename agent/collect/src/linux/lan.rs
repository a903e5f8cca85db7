//! Section `lan`: addresses, name servers, gateways, firewall, proxies, the hosts file.

use policies::fact::{Fact, HostOverride, Interface, Lan, List, Reason};

use super::context::{CheckContext, answered, found, unknown};
use super::neighbours::arp;
use crate::hosts::{CAP, Own, overrides};
use crate::linux::text::capped;
use os::OsError;

mod addressing;
mod filter;
mod firewall;
mod interfaces;
mod iptables;
mod nftables;
mod outside;
mod proxies;
mod routes;
mod stranger;
mod truth;
mod walk;

use routes::Route;

pub(super) fn collect(context: &CheckContext) -> Lan {
    let routes = routes::default_routes(context);
    let firewall = firewall::firewalls(context, &routes, &forwards(context));
    let interfaces = interfaces::interfaces(context, routes.known().map_or(&[], Vec::as_slice));
    Lan {
        dns_servers: name_servers(context),
        gateway_mac: gateway_mac(context, &routes),
        gateways: routes.map(|routes| {
            let mut gateways: Vec<String> =
                routes.into_iter().filter_map(|route| Some(route.gateway?.to_string())).collect();
            gateways.dedup();
            List::capped(gateways)
        }),
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

/// Name servers in `resolv.conf`. If all of them are a stub on this machine, the servers the stub asks.
fn name_servers(context: &CheckContext) -> Fact<List<String>> {
    let servers = match context.text("/etc/resolv.conf") {
        Ok(text) => resolv_conf(&text),
        Err(error) => return unknown(&error),
    };
    let local = |server: &String| server.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if servers.is_empty() || !servers.iter().all(local) {
        return Fact::Known(List::capped(servers));
    }
    let upstream = ["/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"]
        .iter()
        .filter_map(|path| context.text(path).ok())
        .map(|text| resolv_conf(&text))
        .find(|upstream| !upstream.is_empty() && !upstream.iter().all(local));
    found(upstream, "the local resolver does not say whom it asks").map(List::capped)
}

fn resolv_conf(text: &str) -> Vec<String> {
    let mut servers: Vec<String> = Vec::new();
    for line in crate::linux::text::lines(text) {
        let mut words = line.split_ascii_whitespace();
        if words.next() == Some("nameserver")
            && let Some(server) = words.next()
            && !servers.iter().any(|known| known == server)
        {
            servers.push(capped(server));
        }
    }
    servers
}

fn gateway_mac(context: &CheckContext, routes: &Fact<Vec<Route>>) -> Fact<String> {
    let routes = match routes {
        Fact::Known(routes) => routes,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown.clone()),
    };
    let Some(gateway) = routes.iter().find_map(|route| route.gateway.filter(std::net::IpAddr::is_ipv4)) else {
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

    fn servers(os: Recorded) -> Option<Vec<String>> {
        name_servers(&CheckContext::of(os)).known().map(|list| list.items.clone())
    }

    #[test]
    fn name_servers_are_followed_through_the_stub() {
        let plain = "# by hand\r\nnameserver 203.113.131.1\r\nnameserver 203.113.131.2\nnameserver 203.113.131.1\nsearch lan\nnameserver\n";
        assert_eq!(
            servers(Recorded::new().file("/etc/resolv.conf", plain)).unwrap(),
            ["203.113.131.1", "203.113.131.2"]
        );
        let stub = Recorded::new()
            .symlink("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
            .file("/run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\noptions edns0 trust-ad\n");
        assert_eq!(servers(stub.clone()), None, "nobody says whom the stub asks");
        let followed = stub.file("/run/systemd/resolve/resolv.conf", "nameserver 192.168.1.1\nnameserver 1.1.1.1\n");
        assert_eq!(servers(followed).unwrap(), ["192.168.1.1", "1.1.1.1"]);
        assert_eq!(servers(Recorded::new()), None);
    }

    #[test]
    fn the_gateways_hardware_address_comes_from_the_neighbour_table() {
        let os = Recorded::new()
            .file("/proc/net/route", "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")
            .file("/proc/net/arp", "IP\n192.168.1.1 0x1 0x2 00:11:22:33:44:55 * eth0\n");
        let lan = collect(&CheckContext::of(os));
        assert_eq!(lan.gateways.known().unwrap().items, ["192.168.1.1"]);
        assert_eq!(lan.gateway_mac, Fact::Known("00:11:22:33:44:55".to_owned()));
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
