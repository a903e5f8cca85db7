//! The facts of an office, derived from what its machines reported and from the lists it has approved. Pure.
//!
//! How gateways and DNS servers are held against the approved lists:
//!
//! - Every expected machine counts, workstations and servers alike, by its newest fresh report, wherever it was then. A phone's hotspot, a
//!   modem, a network at home and a router that announces itself look alike from the machine, and each leads past what the office controls.
//!   What is allowed is approved by address.
//! - One address outside the list decides. With none seen, one machine of which it is not known leaves the whole unknown. Without an approved
//!   list everything is unknown.
//! - The two lists are apart: a router may be approved as gateway and not as DNS server, since it hides whom it asks.
//! - An IPv6 gateway is mostly a link-local address (`fe80::…`). It is held against the list like any other: a false router advertisement
//!   shows nowhere else. Every interface has a link-local network, so such an address does not show which one leads to it.
//! - A way out without a router's address (VPN, modem) leaves the machine's gateways unknown, unless another one decides. Agents report it as
//!   the address `0.0.0.0` or `::`; it is also taken for one where several interfaces have a default route and one of them has no network
//!   in which a gateway lies.
//! - A loopback address as DNS server is the machine itself. It is approved if an address of that machine is on the list by itself, not as
//!   part of a range (a domain controller); otherwise it is unknown whom the machine asks. Agents follow a local stub to its servers where
//!   they can. A machine with a way out and no DNS server is unknown as well.
//!
//! Not seen, and so no ground for any outcome: another device with the very address that is approved (a router at home); a VPN that wraps
//! packets and still sends them to the office's router (IPsec policies, programs with a tunnel or proxy of their own); programs that ask for
//! names in their own way (DNS over HTTPS in a browser).

mod range;

// Addresses alone: `core` has no sockets.
use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeMap;

pub use range::{AddressRange, RangeError};

use crate::fact::{Fact, ForeignAddress, Interface, InterfaceKind, Lan, List, OfficeFacts, Reason};
use crate::text::Text;

/// An expected machine of an office.
#[derive(Clone, Copy, Debug)]
pub struct LanMachine<'a> {
    /// The name people know it by: hostile text.
    pub name: &'a str,
    /// What it reported of its network.
    pub evidence: Evidence<'a>,
}

/// What a machine reported of its network.
#[derive(Clone, Copy, Debug)]
pub enum Evidence<'a> {
    /// Recently enough to count.
    Fresh(&'a Lan),
    /// Too long ago.
    Stale,
    /// Never.
    Never,
}

/// The addresses of one kind that the machines of an office use, held against an approved list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// False when there is no approved list.
    pub stated: bool,
    /// How many machines were looked at.
    pub machines: usize,
    /// The addresses, those outside the list first, then those of most machines.
    pub addresses: Vec<UsedAddress>,
    /// The machines, by position, that leave something open, and what.
    pub unclear: Vec<(usize, Unclear)>,
}

/// An address in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedAddress {
    /// The address.
    pub address: IpAddr,
    /// True when it is on the list.
    pub approved: bool,
    /// The machines that use it, by position.
    pub machines: Vec<usize>,
}

/// Why it is not known what a machine uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// It never reported.
    Never,
    /// Its report is too old.
    Stale,
    /// The fact is unknown.
    Fact(Reason),
    /// Its list was cut at its cap.
    Cut,
    /// It asks a name service on itself.
    Loopback,
    /// It goes out by a route without a gateway's address.
    NoAddress,
    /// It has a way out and no DNS server.
    NoServer,
    /// It names something that is no address.
    Unreadable,
}

impl Unclear {
    /// The reason as a person reads it.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::Fact(reason) => return reason.text(),
            Self::Never => ("chưa gửi số liệu lần nào", "it never reported"),
            Self::Stale => ("số liệu quá hạn", "its figures are too old"),
            Self::Cut => ("danh sách máy gửi bị cắt", "its list was cut"),
            Self::Loopback => (
                "máy hỏi tên miền qua dịch vụ trên chính máy đó, chưa rõ hỏi tiếp đến đâu",
                "it asks a name service on itself, and whom that asks is not known",
            ),
            Self::NoAddress => (
                "máy ra mạng bằng đường không có địa chỉ cổng mặc định (VPN, modem)",
                "it goes out by a route without a gateway's address (VPN, modem)",
            ),
            Self::NoServer => (
                "máy có đường ra mạng nhưng không ghi máy chủ DNS nào",
                "it has a way out of its network but names no DNS server",
            ),
            Self::Unreadable => ("máy gửi một địa chỉ không đọc được", "it names an address that cannot be read"),
        };
        Text::new(vi, en)
    }
}

/// The default gateways that the machines use.
pub fn gateways(machines: &[LanMachine<'_>], approved: &[AddressRange]) -> InUse {
    let meaning = |lan: &Lan, addresses: &[IpAddr]| {
        let of_address = |address: &IpAddr| match address.is_unspecified() {
            true => Use::Unclear(Unclear::NoAddress),
            false => Use::Address(*address),
        };
        let open = nameless_way_out(lan, addresses).map(Use::Unclear);
        addresses.iter().map(of_address).chain(open).collect()
    };
    in_use(machines, approved, |lan| &lan.gateways, meaning)
}

/// The DNS servers that the machines ask.
pub fn dns_servers(machines: &[LanMachine<'_>], approved: &[AddressRange]) -> InUse {
    let itself = |lan: &Lan| own_addresses(lan).any(|own| approved.iter().any(|range| range.is_machine(own)));
    let meaning = |lan: &Lan, addresses: &[IpAddr]| {
        let of_address = |address: &IpAddr| match address.is_loopback() || address.is_unspecified() {
            false => Use::Address(*address),
            true if itself(lan) => Use::Approved(*address),
            true => Use::Unclear(Unclear::Loopback),
        };
        let asked = addresses.iter().filter(|address| !is_windows_default(**address));
        let uses: Vec<Use> = asked.map(of_address).collect();
        if uses.is_empty() && has_way_out(lan) { vec![Use::Unclear(Unclear::NoServer)] } else { uses }
    };
    in_use(machines, approved, |lan| &lan.dns_servers, meaning)
}

/// The facts of an office.
pub fn facts(machines: &[LanMachine<'_>], gateways: &InUse, dns_servers: &InUse) -> OfficeFacts {
    OfficeFacts { foreign_gateways: gateways.foreign(machines), foreign_dns: dns_servers.foreign(machines) }
}

impl InUse {
    /// The addresses outside the list: known once there is one, or when it is known of every machine and there is none.
    fn foreign(&self, machines: &[LanMachine<'_>]) -> Fact<List<ForeignAddress>> {
        if !self.stated {
            return Fact::unknown(Reason::NotApproved, "");
        }
        let name = |index: &usize| machines.get(*index).map(|machine| machine.name.to_owned());
        let foreign: List<ForeignAddress> = self
            .addresses
            .iter()
            .filter(|used| !used.approved)
            .map(|used| ForeignAddress {
                address: used.address.to_string(),
                machines: used.machines.iter().filter_map(name).collect(),
            })
            .collect();
        if foreign.items.is_empty() {
            if self.machines == 0 {
                return Fact::unknown(Reason::NoMachine, "");
            }
            if !self.unclear.is_empty() {
                return Fact::unknown(Reason::MachinesUnclear, "");
            }
        }
        Fact::Known(foreign)
    }
}

/// What one entry of a machine's list comes to.
enum Use {
    Address(IpAddr),
    Approved(IpAddr),
    Unclear(Unclear),
}

/// Collects the list that `list` picks from every machine. `meaning` says what its addresses come to.
fn in_use(
    machines: &[LanMachine<'_>],
    approved: &[AddressRange],
    list: impl Fn(&Lan) -> &Fact<List<String>>,
    meaning: impl Fn(&Lan, &[IpAddr]) -> Vec<Use>,
) -> InUse {
    let mut used: BTreeMap<IpAddr, UsedAddress> = BTreeMap::new();
    let mut unclear = Vec::new();
    for (index, machine) in machines.iter().enumerate() {
        let mut open = None;
        let mut note = |meaning: Use| {
            let (address, approved) = match meaning {
                Use::Unclear(why) => return open = open.or(Some(why)),
                Use::Address(address) => (address, is_in(approved, address)),
                Use::Approved(address) => (address, true),
            };
            let entry = used.entry(address).or_insert(UsedAddress { address, approved, machines: Vec::new() });
            if entry.machines.last() != Some(&index) {
                entry.machines.push(index);
            }
        };
        match machine.evidence {
            Evidence::Never => note(Use::Unclear(Unclear::Never)),
            Evidence::Stale => note(Use::Unclear(Unclear::Stale)),
            Evidence::Fresh(lan) => match list(lan) {
                Fact::Unknown(unknown) => note(Use::Unclear(Unclear::Fact(unknown.reason))),
                Fact::Known(told) => {
                    let addresses: Vec<IpAddr> = told.items.iter().filter_map(|text| address(text)).collect();
                    if addresses.len() < told.items.len() {
                        note(Use::Unclear(Unclear::Unreadable));
                    }
                    meaning(lan, &addresses).into_iter().for_each(&mut note);
                    if told.left_out > 0 {
                        note(Use::Unclear(Unclear::Cut));
                    }
                }
            },
        }
        unclear.extend(open.map(|why| (index, why)));
    }
    let mut addresses: Vec<UsedAddress> = used.into_values().collect();
    addresses.sort_by_key(|used| (used.approved, std::cmp::Reverse(used.machines.len())));
    InUse { stated: !approved.is_empty(), machines: machines.len(), addresses, unclear }
}

fn is_in(approved: &[AddressRange], address: IpAddr) -> bool {
    approved.iter().any(|range| range.contains(address))
}

/// An address as a machine writes it, with or without the interface of a link-local one.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split('%').next().unwrap_or_default();
    text.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The addresses that Windows lists for an interface without a DNS server; nothing answers there.
fn is_windows_default(address: IpAddr) -> bool {
    const FIRST: u128 = Ipv6Addr::new(0xfec0, 0, 0, 0xffff, 0, 0, 0, 0).to_bits();
    matches!(address, IpAddr::V6(address) if (1..=3).contains(&address.to_bits().wrapping_sub(FIRST)))
}

/// The addresses by which others reach the machine.
fn own_addresses(lan: &Lan) -> impl Iterator<Item = IpAddr> {
    let interfaces = lan.interfaces.known().into_iter().flat_map(|list| &list.items);
    let texts = interfaces.flat_map(|interface| &interface.addresses.items);
    texts.filter_map(|text| address(text.split('/').next().unwrap_or_default()))
}

/// True unless it is known that the machine has no default route.
fn has_way_out(lan: &Lan) -> bool {
    let none = |gateways: &List<String>| gateways.items.is_empty() && gateways.left_out == 0;
    !lan.gateways.known().is_some_and(none) || nameless_way_out(lan, &[]).is_some()
}

/// Whether a default route may leave past the gateways that are `named`, and why that is open.
fn nameless_way_out(lan: &Lan, named: &[IpAddr]) -> Option<Unclear> {
    let interfaces = match &lan.interfaces {
        Fact::Known(interfaces) if interfaces.left_out == 0 => &interfaces.items,
        Fact::Known(_) => return Some(Unclear::Cut),
        Fact::Unknown(unknown) => return Some(Unclear::Fact(unknown.reason)),
    };
    let ways = || interfaces.iter().filter(|interface| interface.default_route);
    // A server in a provider's cloud reaches its only gateway without a network in common.
    let only_one = ways().count() == 1;
    let leads_to_none = |way: &Interface| {
        let networks = || way.addresses.items.iter().filter_map(|text| AddressRange::around(text));
        let leads = |gateway: &IpAddr| !is_link_local(*gateway) && networks().any(|network| network.contains(*gateway));
        let exempt = only_one && way.kind != InterfaceKind::Virtual;
        named.is_empty() || !(exempt || named.iter().any(leads))
    };
    ways().any(leads_to_none).then_some(Unclear::NoAddress)
}

/// True for an address that every link has.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
