//! Section `lan`: adapters, name servers, gateways, firewalls, proxies, the hosts file, name resolution protocols.

use policies::fact::{
    Addressing, Fact, HostOverride, Interface, InterfaceKind, Lan, List, NetworkCategory, Reason, WirelessSecurity,
};

use super::context::{CheckContext, Setting, answered, unknown};
use super::neighbours::mac;
use crate::hosts::{CAP, Own, overrides};
use crate::text::capped;
use crate::ways_out::{WayOut, gateways, ways_out};
use os::windows::{Adapter, WirelessLink};
use os::{Answer, OsError};

mod firewall;
mod names;
mod proxies;
mod rules;

const TCPIP: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
/// Where rules say which names are asked of other servers (Name Resolution Policy Table): by policy, and set by VPN programs.
const NAME_RULES: [&str; 2] = [
    r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig",
    r"HKLM\SYSTEM\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig",
];
const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";

pub(super) fn collect(context: &CheckContext) -> Lan {
    let adapters = context.os.adapters();
    let ways = answered(adapters.clone(), |adapters| ways(context, &adapters));
    let adapters = adapters.map(up);
    let networks = firewall::networks(context, &adapters);
    let firewalls = firewall::firewalls(context, &networks, &adapters);
    let rules = rules::rules(context, &adapters);
    let interfaces = answered(adapters.clone(), |adapters| Fact::Known(interfaces(context, &adapters, &ways)));
    Lan {
        dns_servers: from(&adapters, |adapters| dns_servers(context, adapters)),
        gateways: from(&adapters, |adapters| {
            let of_adapters = adapters.iter().flat_map(|adapter| adapter.gateways.clone());
            ways.map(|ways| distinct(of_adapters.chain(gateways(&ways).items)))
        }),
        gateway_mac: from(&adapters, |adapters| gateway_mac(context, adapters)),
        firewall_active: firewall::active(&firewalls),
        firewall_blocks_inbound: firewall::blocks_inbound(&firewalls, rules::let_all_in(&rules, &firewalls, &networks)),
        open_inbound: rules::open(&rules, &firewalls, &networks),
        firewalls: firewalls.fact(),
        proxies: proxies::proxies(context),
        host_overrides: host_overrides(context, &interfaces),
        interfaces,
        llmnr: names::llmnr(context),
        netbios: from(&adapters, |adapters| names::netbios(context, adapters)),
        // Absent means no, for all versions.
        forwards: context.number(TCPIP, "IPEnableRouter").or(Fact::Known(false), |on| Fact::Known(on != 0)),
        ..Lan::unknown(Reason::NoReader, "")
    }
}

fn from<T>(adapters: &Answer<Vec<Adapter>>, read: impl FnOnce(&[Adapter]) -> Fact<T>) -> Fact<T> {
    match adapters {
        Ok(adapters) => read(adapters),
        Err(error) => unknown(error),
    }
}

/// `IF_TYPE_SOFTWARE_LOOPBACK`.
const LOOPBACK: u32 = 24;

/// The ways out by adapters that are up.
fn ways(context: &CheckContext, adapters: &[Adapter]) -> Fact<Vec<WayOut>> {
    answered(context.os.routes(), |mut routes| {
        let is_used = |interface: &str| {
            let adapter = adapters.iter().find(|adapter| adapter.index.to_string() == interface);
            adapter.is_none_or(|adapter| adapter.up && adapter.kind != LOOPBACK)
        };
        routes.retain(|route| is_used(&route.interface));
        Fact::Known(ways_out(&routes))
    })
}

/// The adapters that are up, preferred ones first, without loopback and virtual ones that have no address.
fn up(mut adapters: Vec<Adapter>) -> Vec<Adapter> {
    adapters.retain(|adapter| {
        adapter.up && adapter.kind != LOOPBACK && (adapter.hardware || !adapter.addresses.is_empty())
    });
    adapters.sort_by(|one, other| (one.metric, &one.guid).cmp(&(other.metric, &other.guid)));
    adapters
}

fn interfaces(context: &CheckContext, adapters: &[Adapter], ways: &Fact<Vec<WayOut>>) -> List<Interface> {
    let is_way =
        |index: u32| ways.known().is_some_and(|ways| ways.iter().any(|way| way.interface == index.to_string()));
    let categories = context.os.network_categories();
    let links = context.os.wireless();
    let mut interfaces: Vec<Interface> = adapters
        .iter()
        .map(|adapter| {
            let kind = kind(adapter);
            Interface {
                name: capped(&adapter.name),
                kind,
                mac: mac(&adapter.mac).map_or_else(|| Fact::unknown(Reason::SourceMissing, "it has none"), Fact::Known),
                addresses: adapter.addresses.iter().map(|address| capped(address)).collect(),
                addressing: addressing(adapter),
                default_route: !adapter.gateways.is_empty() || is_way(adapter.index),
                category: match &categories {
                    Ok(all) => all
                        .iter()
                        .find(|category| category.adapter.eq_ignore_ascii_case(&adapter.guid))
                        .and_then(|category| category_of(category.category))
                        .map_or_else(|| Fact::unknown(Reason::SourceMissing, "no network is known at it"), Fact::Known),
                    Err(error) => unknown(error),
                },
                wireless: match (kind, &links) {
                    (InterfaceKind::Wireless, Ok(links)) => {
                        links.iter().find(|link| link.adapter.eq_ignore_ascii_case(&adapter.guid)).map_or_else(
                            || Fact::unknown(Reason::SourceMissing, "it is not connected"),
                            |link| Fact::Known(security(link)),
                        )
                    }
                    (InterfaceKind::Wireless, Err(error)) => unknown(error),
                    _ => Fact::unknown(Reason::SourceMissing, "it is not wireless"),
                },
            }
        })
        .collect();
    interfaces.sort_by(|one, other| one.name.cmp(&other.name));
    List::capped(interfaces)
}

fn kind(adapter: &Adapter) -> InterfaceKind {
    // `IF_TYPE_IEEE80211`, `IF_TYPE_ETHERNET_CSMACD`.
    match adapter.kind {
        71 => InterfaceKind::Wireless,
        6 if adapter.hardware => InterfaceKind::Wired,
        _ => InterfaceKind::Virtual,
    }
}

fn addressing(adapter: &Adapter) -> Fact<Addressing> {
    let four = adapter.addresses.iter().any(|address| !address.contains(':'));
    match (four, adapter.dhcp) {
        (true, true) => Fact::Known(Addressing::Dhcp),
        (true, false) => Fact::Known(Addressing::Static),
        (false, _) => Fact::unknown(Reason::SourceMissing, "it has no IPv4 address"),
    }
}

/// `NLM_NETWORK_CATEGORY`.
const fn category_of(number: u32) -> Option<NetworkCategory> {
    match number {
        0 => Some(NetworkCategory::Public),
        1 => Some(NetworkCategory::Private),
        2 => Some(NetworkCategory::Domain),
        _ => None,
    }
}

/// `DOT11_AUTH_ALGORITHM` and `DOT11_CIPHER_ALGORITHM`; a weak cipher outweighs strong authentication.
const fn security(link: &WirelessLink) -> WirelessSecurity {
    match (link.authentication, link.cipher) {
        // WEP with 40, 104 or any number of bits.
        (_, 1 | 5 | 0x101) | (2, _) => WirelessSecurity::Wep,
        (1, _) => WirelessSecurity::Open,
        (_, 2) | (3..=5, _) => WirelessSecurity::Wpa,
        (6 | 7, _) => WirelessSecurity::Wpa2,
        (8 | 9 | 11, _) => WirelessSecurity::Wpa3,
        _ => WirelessSecurity::Other,
    }
}

fn distinct(addresses: impl Iterator<Item = String>) -> List<String> {
    let mut found: Vec<String> = Vec::new();
    for address in addresses {
        if !found.contains(&address) {
            found.push(capped(&address));
        }
    }
    List::capped(found)
}

/// The servers of the adapters, and those that rules name for some or all names.
fn dns_servers(context: &CheckContext, adapters: &[Adapter]) -> Fact<List<String>> {
    let mut servers: Vec<String> = adapters.iter().flat_map(|adapter| adapter.dns.clone()).collect();
    for place in NAME_RULES {
        let rules = match context.os.keys(place) {
            Ok(rules) => rules,
            Err(OsError::Missing(_)) => Vec::new(),
            Err(error) => return unknown(&error),
        };
        for (rule, value) in
            rules.iter().flat_map(|rule| [(rule, "GenericDNSServers"), (rule, "DirectAccessDNSServers")])
        {
            match context.text(&format!(r"{place}\{rule}"), value) {
                Setting::Set(named) => servers.extend(named.split([';', ',', ' ']).map(str::to_owned)),
                Setting::Absent => {}
                Setting::Unreadable(error) => return unknown(&error),
            }
        }
    }
    Fact::Known(distinct(servers.into_iter().filter(|server| is_told(server))))
}

/// Windows lists three addresses that mean "no IPv6 name server configured".
fn is_told(server: &str) -> bool {
    let address = server.split('%').next().unwrap_or_default();
    !address.is_empty() && !(1..=3).any(|number| address.eq_ignore_ascii_case(&format!("fec0:0:0:ffff::{number}")))
}

fn gateway_mac(context: &CheckContext, adapters: &[Adapter]) -> Fact<String> {
    let gateway = adapters.iter().find_map(|adapter| {
        let gateway = adapter.gateways.iter().find(|gateway| !gateway.contains(':'))?;
        Some((adapter.index, gateway))
    });
    let Some((index, gateway)) = gateway else {
        return Fact::unknown(Reason::SourceMissing, "there is no IPv4 gateway");
    };
    answered(context.os.neighbours(), |entries| {
        let entry = entries.iter().find(|entry| entry.index == index && entry.address == *gateway);
        entry.and_then(|entry| mac(&entry.mac)).map_or_else(
            || Fact::unknown(Reason::SourceMissing, "the gateway is not in the neighbour table"),
            Fact::Known,
        )
    })
}

/// The registry names the folder of the hosts file: malware moves it.
fn host_overrides(context: &CheckContext, interfaces: &Fact<List<Interface>>) -> Fact<List<HostOverride>> {
    let system = match context.text(VERSION, "SystemRoot") {
        Setting::Set(system) => system,
        Setting::Absent => r"C:\Windows".to_owned(),
        Setting::Unreadable(error) => return unknown(&error),
    };
    let folder = match context.text(TCPIP, "DataBasePath") {
        Setting::Set(folder) => with_system(&folder, &system),
        Setting::Absent => format!(r"{system}\System32\drivers\etc"),
        Setting::Unreadable(error) => return unknown(&error),
    };
    // Malware may redirect it with a variable unknown here.
    if folder.contains('%') {
        return Fact::unknown(Reason::Unreadable, format!("DataBasePath {folder}"));
    }
    let own = match context.os.computer_name() {
        Ok(name) => Own::new(&name, interfaces),
        Err(error) => return unknown(&error),
    };
    match context.os.head(&format!(r"{}\hosts", folder.trim_end_matches('\\')), CAP + 1) {
        Ok(head) => overrides(&head, &own),
        // Windows works without the file.
        Err(OsError::Missing(_)) => Fact::Known(List::default()),
        Err(error) => unknown(&error),
    }
}

fn with_system(folder: &str, system: &str) -> String {
    for variable in ["%SystemRoot%", "%windir%"] {
        if let Some(start) = folder.get(..variable.len())
            && start.eq_ignore_ascii_case(variable)
        {
            return format!("{system}{}", &folder[variable.len()..]);
        }
    }
    folder.to_owned()
}

#[cfg(test)]
mod tests;
