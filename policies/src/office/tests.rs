//! What machines report and what it says of their office.

use super::*;
use crate::fact::{Addressing, Interface};

fn lan(gateways: &[&str], dns: &[&str]) -> Lan {
    let list = |items: &[&str]| Fact::Known(items.iter().map(|item| (*item).to_owned()).collect());
    let interfaces = Fact::Known(List::default());
    Lan { gateways: list(gateways), dns_servers: list(dns), interfaces, ..Lan::default() }
}

fn interface(kind: InterfaceKind, addresses: &[&str]) -> Interface {
    Interface {
        name: "if0".to_owned(),
        kind,
        mac: Fact::default(),
        addresses: addresses.iter().map(|item| (*item).to_owned()).collect(),
        addressing: Fact::Known(Addressing::Dhcp),
        default_route: true,
        category: Fact::default(),
        wireless: Fact::default(),
    }
}

fn with_interfaces(lan: Lan, interfaces: Vec<Interface>) -> Lan {
    Lan { interfaces: Fact::Known(List::capped(interfaces)), ..lan }
}

fn with_interface(lan: Lan, kind: InterfaceKind, addresses: &[&str]) -> Lan {
    with_interfaces(lan, vec![interface(kind, addresses)])
}

fn ranges(approved: &[&str]) -> Vec<AddressRange> {
    approved.iter().map(|text| text.parse().unwrap()).collect()
}

fn fresh(lan: &Lan) -> LanMachine<'_> {
    LanMachine { name: "PC", evidence: Evidence::Fresh(lan) }
}

/// `ok`, the addresses outside the list, or why it is unknown.
fn told(used: &InUse, machines: &[LanMachine<'_>]) -> String {
    match used.foreign(machines) {
        Fact::Known(list) if list.items.is_empty() => "ok".to_owned(),
        Fact::Known(list) => list.items.iter().map(|item| item.address.as_str()).collect::<Vec<_>>().join(" "),
        Fact::Unknown(unknown) => format!("{:?}", unknown.reason),
    }
}

fn of_gateways(lans: &[Lan], approved: &[&str]) -> String {
    let machines: Vec<LanMachine<'_>> = lans.iter().map(fresh).collect();
    told(&gateways(&machines, &ranges(approved)), &machines)
}

fn of_dns(lans: &[Lan], approved: &[&str]) -> String {
    let machines: Vec<LanMachine<'_>> = lans.iter().map(fresh).collect();
    told(&dns_servers(&machines, &ranges(approved)), &machines)
}

#[test]
fn one_foreign_address_decides_and_silence_is_no_good_news() {
    let good = lan(&["192.168.1.1"], &["203.113.131.1"]);
    let list = ranges(&["192.168.1.0/24"]);
    for (evidence, alone, with_foreign) in [
        (Evidence::Fresh(&good), "ok", "10.9.9.9"),
        (Evidence::Stale, "MachinesUnclear", "10.9.9.9"),
        (Evidence::Never, "MachinesUnclear", "10.9.9.9"),
    ] {
        let foreign = lan(&["10.9.9.9"], &[]);
        let mut machines = vec![fresh(&good), LanMachine { name: "PC-02", evidence }];
        assert_eq!(told(&gateways(&machines, &list), &machines), alone);
        machines.push(fresh(&foreign));
        assert_eq!(told(&gateways(&machines, &list), &machines), with_foreign);
    }
    assert_eq!(of_gateways(&[], &["192.168.1.1"]), "NoMachine");
    assert_eq!(of_gateways(&[good], &[]), "NotApproved");
    assert_eq!(of_gateways(&[lan(&["10.9.9.9"], &[])], &[]), "NotApproved", "what is foreign is not known either");
}

#[test]
fn unknown_and_cut_lists_leave_it_open() {
    let unknown = Lan { gateways: Fact::unknown(Reason::TimedOut, ""), ..lan(&[], &[]) };
    assert_eq!(of_gateways(std::slice::from_ref(&unknown), &["10.0.0.1"]), "MachinesUnclear");
    let cut = List { items: vec!["10.0.0.1".to_owned()], left_out: 3 };
    let cut = Lan { gateways: Fact::Known(cut), ..lan(&[], &[]) };
    assert_eq!(of_gateways(std::slice::from_ref(&cut), &["10.0.0.1"]), "MachinesUnclear");
    assert_eq!(of_gateways(&[cut], &["10.0.0.2"]), "10.0.0.1");
    for hostile in ["router", "", "\u{202e}1.0.0.01", "10.0.0.1; rm"] {
        assert_eq!(of_dns(&[lan(&[], &[hostile])], &["10.0.0.1"]), "MachinesUnclear", "{hostile:?}");
    }
}

#[test]
fn gateways_of_version_six_are_approved_like_others() {
    let router = lan(&["192.168.1.1", "fe80::1%12"], &[]);
    assert_eq!(of_gateways(std::slice::from_ref(&router), &["192.168.1.1"]), "fe80::1");
    assert_eq!(of_gateways(std::slice::from_ref(&router), &["192.168.1.1", "fe80::1"]), "ok");
    assert_eq!(of_gateways(&[router], &["192.168.1.1", "fe80::/10"]), "ok");
    assert_eq!(of_gateways(&[lan(&["::ffff:192.168.1.1"], &[])], &["192.168.1.1"]), "ok");
}

#[test]
fn a_way_out_without_an_address_is_not_known() {
    use InterfaceKind::{Virtual, Wired};
    let approved = ["192.168.1.1"];
    assert_eq!(of_gateways(&[lan(&[], &[])], &approved), "ok", "not connected to anything");
    assert_eq!(of_gateways(&[lan(&["0.0.0.0"], &[])], &approved), "MachinesUnclear");
    assert_eq!(of_gateways(&[with_interface(lan(&[], &[]), Wired, &["100.64.0.2/32"])], &approved), "MachinesUnclear");
    let tunnel = with_interface(lan(&["192.168.1.1"], &[]), Virtual, &["10.8.0.2/24"]);
    assert_eq!(of_gateways(std::slice::from_ref(&tunnel), &approved), "MachinesUnclear", "a VPN beside the LAN");
    assert_eq!(of_gateways(&[tunnel], &["172.16.0.1"]), "192.168.1.1");
    let bridge = with_interface(lan(&["192.168.1.1"], &[]), Virtual, &["192.168.1.9/24"]);
    assert_eq!(of_gateways(&[bridge], &approved), "ok");
    let cloud = with_interface(lan(&["192.168.1.1"], &[]), Wired, &["10.0.0.5/32"]);
    assert_eq!(of_gateways(&[cloud], &approved), "ok");
    let marked = lan(&["192.168.1.1", "::"], &[]);
    assert_eq!(of_gateways(&[with_interface(marked, Wired, &["192.168.1.9/24"])], &approved), "MachinesUnclear");
}

#[test]
fn a_link_local_network_leads_to_no_gateway() {
    use InterfaceKind::{Virtual, Wired};
    let both = || lan(&["192.168.1.1", "fe80::1"], &[]);
    let approved = ["192.168.1.1", "fe80::1"];
    let tunnel = || interface(Virtual, &["10.8.0.2/24", "fe80::5/64"]);
    assert_eq!(of_gateways(&[with_interfaces(both(), vec![tunnel()])], &approved), "MachinesUnclear");
    let wired = || interface(Wired, &["192.168.1.9/24", "fe80::9/64"]);
    assert_eq!(of_gateways(&[with_interfaces(both(), vec![wired(), tunnel()])], &approved), "MachinesUnclear");
    assert_eq!(of_gateways(&[with_interfaces(both(), vec![wired()])], &approved), "ok");
    let autoip = interface(Virtual, &["169.254.7.7/16"]);
    let named = lan(&["192.168.1.1", "169.254.0.1"], &[]);
    let approved = ["192.168.1.1", "169.254.0.1"];
    assert_eq!(of_gateways(&[with_interfaces(named, vec![wired(), autoip])], &approved), "MachinesUnclear");
}

#[test]
fn every_interface_with_a_default_route_leads_to_a_named_gateway() {
    use InterfaceKind::{Wired, Wireless};
    let modem = interface(Wired, &["100.64.0.2/32"]);
    let wired = || interface(Wired, &["192.168.1.9/24"]);
    let wireless = interface(Wireless, &["192.168.1.10/24"]);
    let of = |interfaces| of_gateways(&[with_interfaces(lan(&["192.168.1.1"], &[]), interfaces)], &["192.168.1.1"]);
    assert_eq!(of(vec![wired(), modem.clone()]), "MachinesUnclear", "a modem that the system takes for a cable");
    assert_eq!(of(vec![wired(), wireless]), "ok");
    assert_eq!(of(vec![wired(), Interface { default_route: false, ..modem }]), "ok");
}

#[test]
fn interfaces_that_are_not_known_leave_the_gateways_open() {
    let unknown = Lan { interfaces: Fact::unknown(Reason::TimedOut, ""), ..lan(&["192.168.1.1"], &["192.168.1.1"]) };
    let cut = List { items: Vec::new(), left_out: 1 };
    let cut = Lan { interfaces: Fact::Known(cut), ..lan(&["192.168.1.1"], &["192.168.1.1"]) };
    for (open, why) in [(unknown, Unclear::Fact(Reason::TimedOut)), (cut, Unclear::Cut)] {
        let machines = [fresh(&open)];
        let used = gateways(&machines, &ranges(&["192.168.1.1"]));
        assert_eq!((told(&used, &machines), used.unclear), ("MachinesUnclear".to_owned(), vec![(0, why)]));
        assert_eq!(of_gateways(std::slice::from_ref(&open), &["192.168.1.2"]), "192.168.1.1", "a foreign one decides");
        assert_eq!(of_dns(&[open], &["192.168.1.1"]), "ok", "DNS servers do not hang on the interfaces");
    }
}

#[test]
fn dns_servers_are_approved_apart_from_gateways() {
    let proxy = lan(&["192.168.1.1"], &["192.168.1.1"]);
    assert_eq!(
        of_dns(std::slice::from_ref(&proxy), &["203.113.131.1"]),
        "192.168.1.1",
        "the router hides whom it asks"
    );
    assert_eq!(of_dns(&[proxy], &["192.168.1.1"]), "ok");
    assert_eq!(of_dns(&[lan(&[], &["fec0:0:0:ffff::1%1", "203.113.131.1"])], &["203.113.131.1"]), "ok");
    assert_eq!(of_dns(&[lan(&[], &["fec0:0:0:ffff::4"])], &["203.113.131.1"]), "fec0:0:0:ffff::4");
}

#[test]
fn a_loopback_server_is_the_machine_itself() {
    for stub in ["127.0.0.53", "127.0.0.1", "::1"] {
        assert_eq!(of_dns(&[lan(&[], &[stub])], &["10.0.0.2"]), "MachinesUnclear", "{stub}");
        let controller = with_interface(lan(&[], &[stub]), InterfaceKind::Wired, &["10.0.0.2/24", "fe80::2/64"]);
        assert_eq!(of_dns(std::slice::from_ref(&controller), &["10.0.0.2"]), "ok", "{stub}");
        assert_eq!(of_dns(&[controller], &["10.0.0.3"]), "MachinesUnclear", "{stub}");
        assert_eq!(of_dns(&[lan(&[], &[stub, "8.8.8.8"])], &["10.0.0.2"]), "8.8.8.8", "{stub}");
    }
}

#[test]
fn no_range_and_no_link_local_address_approves_a_resolver_on_the_machine_itself() {
    let machine = || with_interface(lan(&[], &["127.0.0.1"]), InterfaceKind::Wired, &["10.0.0.7/24", "fe80::7/64"]);
    for approved in ["10.0.0.0/24", "10.0.0.6/31", "fe80::7", "fe80::/10"] {
        assert_eq!(of_dns(&[machine()], &[approved]), "MachinesUnclear", "{approved}");
    }
    assert_eq!(of_dns(&[machine()], &["10.0.0.0/24", "10.0.0.7"]), "ok");
}

#[test]
fn a_machine_with_a_way_out_and_no_dns_server_is_not_known() {
    let approved = ["192.168.1.1"];
    let why = |lan: &Lan| dns_servers(&[fresh(lan)], &ranges(&approved)).unclear;
    let wired = |lan| with_interface(lan, InterfaceKind::Wired, &["192.168.1.9/24"]);
    let nowhere = Lan { gateways: Fact::default(), ..lan(&[], &[]) };
    for open in [lan(&approved, &[]), lan(&approved, &["fec0:0:0:ffff::1"]), wired(lan(&[], &[])), nowhere] {
        assert_eq!(why(&open), [(0, Unclear::NoServer)], "{open:?}");
    }
    assert_eq!(why(&lan(&[], &[])), [], "not connected to anything");
    // The C library takes it for the machine itself.
    assert_eq!(why(&lan(&[], &["0.0.0.0"])), [(0, Unclear::Loopback)]);
}

#[test]
fn addresses_are_listed_once_with_their_machines_the_foreign_ones_first() {
    let (one, two) = (lan(&[], &["10.0.0.2", "8.8.8.8", "8.8.8.8"]), lan(&[], &["1.1.1.1", "8.8.8.8"]));
    let machines = [fresh(&one), LanMachine { name: "PC-02", evidence: Evidence::Fresh(&two) }];
    let used = dns_servers(&machines, &ranges(&["10.0.0.2"]));
    let shown: Vec<(String, bool, &[usize])> =
        used.addresses.iter().map(|used| (used.address.to_string(), used.approved, &*used.machines)).collect();
    let shown: Vec<(&str, bool, &[usize])> = shown.iter().map(|(text, on, of)| (text.as_str(), *on, *of)).collect();
    assert_eq!(shown, [("8.8.8.8", false, &[0, 1][..]), ("1.1.1.1", false, &[1]), ("10.0.0.2", true, &[0])]);
    let facts = facts(&machines, &gateways(&machines, &[]), &used);
    assert_eq!(facts.foreign_dns.known().unwrap().items[0].machines.items, ["PC", "PC-02"]);
}

#[test]
fn a_machine_cannot_make_the_lists_grow_without_bound() {
    let many: Vec<String> = (0..700_u32).map(|n| core::net::Ipv4Addr::from(0x0a00_0000 + n).to_string()).collect();
    let many = Lan { dns_servers: Fact::Known(List { items: many, left_out: 0 }), ..lan(&[], &[]) };
    let machines = [fresh(&many)];
    let list = dns_servers(&machines, &ranges(&["203.113.131.1"])).foreign(&machines);
    let list = list.known().unwrap();
    assert_eq!((list.items.len(), list.left_out), (List::<String>::CAP, 200));
}
