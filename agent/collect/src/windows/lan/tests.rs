//! The network on the recorded door: profiles, rules, names, proxies, absent and odd values.

use policies::fact::{FirewallKind, FirewallProfile, InboundService};

use super::*;
use os::Route;
use os::windows::recorded::Recorded;
use os::windows::{NeighbourEntry, NetworkCategory as Category, Registry, Row, Variant};

const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall";
const LOCAL: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy";
const MANAGED: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\Mdm";
const CENTER: &str = r"ROOT\SecurityCenter2";
const NETBT: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\NetBT\Parameters\Interfaces\Tcpip_{1}";

fn collected(os: Recorded) -> Lan {
    collect(&CheckContext::of(os))
}

fn wired() -> Adapter {
    Adapter {
        guid: "{1}".to_owned(),
        name: "Mạng Ethernet".to_owned(),
        index: 7,
        kind: 6,
        up: true,
        mac: vec![0, 0x11, 0x22, 0x33, 0x44, 0x55],
        addresses: vec!["10.0.0.5/24".to_owned(), "fe80::5/64".to_owned()],
        dhcp: true,
        dns: vec!["10.0.0.2".to_owned(), "fec0:0:0:ffff::1".to_owned()],
        gateways: vec!["10.0.0.1".to_owned()],
        metric: 25,
        hardware: true,
    }
}

fn route(index: u32, destination: &str, prefix: u8, gateway: Option<&str>) -> Route {
    let gateway = gateway.map(|gateway| gateway.parse().unwrap());
    Route { interface: index.to_string(), destination: destination.parse().unwrap(), prefix, gateway, metric: 0 }
}

/// A computer in a private network, with default settings.
fn office() -> Recorded {
    let entry = NeighbourEntry {
        address: "10.0.0.1".to_owned(),
        mac: vec![0, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE],
        index: 7,
        state: 5,
    };
    Recorded {
        adapters: Some(vec![wired()]),
        routes: Some(vec![route(7, "0.0.0.0", 0, Some("10.0.0.1")), route(7, "10.0.0.0", 24, None)]),
        neighbours: Some(vec![entry]),
        network_categories: Some(vec![Category { adapter: "{1}".to_owned(), category: 1 }]),
        wireless: Some(Vec::new()),
        computer_name: Some("XA-MT-01".to_owned()),
        ..Recorded::new()
            .text(VERSION, "InstallationType", "Client")
            .service("MpsSvc", true)
            .service("wscsvc", true)
            .process(900, "guard.exe")
            .file(r"C:\Program Files\Guard\guard.exe", "")
            .rows(CENTER, "FirewallProduct", Vec::new())
    }
}

fn product(number: i64) -> Row {
    Row::from([
        ("displayName".to_owned(), Variant::Text("Norton Security".to_owned())),
        ("productState".to_owned(), Variant::Number(number)),
        ("pathToSignedReportingExe".to_owned(), Variant::Text(r"C:\Program Files\Guard\guard.exe".to_owned())),
    ])
}

fn why<T>(fact: &Fact<T>) -> Option<Reason> {
    match fact {
        Fact::Known(_) => None,
        Fact::Unknown(unknown) => Some(unknown.reason),
    }
}

#[test]
fn an_office_machine_as_it_is_delivered() {
    let lan = collected(office());
    let [interface] = lan.interfaces.known().unwrap().items.as_slice() else { panic!("one interface") };
    assert_eq!((interface.name.as_str(), interface.kind), ("Mạng Ethernet", InterfaceKind::Wired));
    assert_eq!(interface.mac, Fact::Known("00:11:22:33:44:55".to_owned()));
    assert_eq!(interface.addressing, Fact::Known(Addressing::Dhcp));
    assert_eq!(interface.category, Fact::Known(NetworkCategory::Private));
    assert!(interface.default_route && interface.wireless.known().is_none());
    assert_eq!(lan.dns_servers.known().unwrap().items, ["10.0.0.2"]);
    assert_eq!(lan.gateways.known().unwrap().items, ["10.0.0.1"]);
    assert_eq!(lan.gateway_mac, Fact::Known("00:aa:bb:cc:dd:ee".to_owned()));
    assert_eq!((lan.firewall_active, lan.firewall_blocks_inbound), (Fact::Known(true), Fact::Known(true)));
    assert_eq!(lan.open_inbound, Fact::Known(List::default()));
    // What nobody switched off is on.
    assert_eq!((lan.llmnr, lan.netbios, lan.forwards), (Fact::Known(true), Fact::Known(true), Fact::Known(false)));
    assert_eq!((lan.proxies, lan.host_overrides), (Fact::Known(List::default()), Fact::Known(List::default())));
}

#[test]
fn a_vpn_beside_the_default_route_shows_among_the_gateways() {
    let vpn = |kind, up| {
        let adapter =
            Adapter { guid: "{2}".to_owned(), index: 9, kind, up, hardware: false, metric: 1, ..Adapter::default() };
        Adapter { addresses: vec!["10.8.0.2/32".to_owned()], ..adapter }
    };
    let with = |adapter: Adapter, routes: &[Route]| {
        let mut os = office();
        os.adapters.as_mut().unwrap().push(adapter);
        os.routes.as_mut().unwrap().extend(routes.iter().cloned());
        collected(os)
    };
    let gateways = |lan: &Lan| lan.gateways.known().unwrap().items.clone();
    let ways = |lan: &Lan| lan.interfaces.known().unwrap().items.iter().filter(|one| one.default_route).count();
    let halves = [route(9, "0.0.0.0", 1, None), route(9, "128.0.0.0", 1, None)];
    // PPP, tunnel, and a virtual network card.
    for kind in [23, 131, 53] {
        for routes in [&[route(9, "0.0.0.0", 0, None)][..], &halves] {
            let lan = with(vpn(kind, true), routes);
            assert_eq!((gateways(&lan), ways(&lan)), (vec!["10.0.0.1".to_owned(), "0.0.0.0".to_owned()], 2), "{kind}");
        }
    }
    let routed = with(vpn(53, true), &[route(9, "0.0.0.0", 1, Some("10.8.0.1"))]);
    assert_eq!(gateways(&routed), ["10.0.0.1", "10.8.0.1"]);
    let split = with(vpn(23, true), &[route(9, "10.8.0.0", 16, None)]);
    assert_eq!((gateways(&split), ways(&split)), (vec!["10.0.0.1".to_owned()], 1));
    assert_eq!(gateways(&with(vpn(23, false), &halves)), ["10.0.0.1"], "it is down");
    assert!(collected(Recorded { routes: None, ..office() }).gateways.known().is_none());
}

#[test]
fn rules_for_names_name_further_servers() {
    for place in NAME_RULES {
        let rule = format!(r"{place}\{{A}}");
        let lan =
            collected(office().text(&rule, "GenericDNSServers", "10.8.0.1;10.0.0.2").text(&rule, "Other", "9.9.9.9"));
        assert_eq!(lan.dns_servers.known().unwrap().items, ["10.0.0.2", "10.8.0.1"]);
        let lan = collected(office().key(&rule));
        assert_eq!(lan.dns_servers.known().unwrap().items, ["10.0.0.2"]);
    }
    let odd = Adapter { dns: vec!["fec0:0:0:ffff::2%1".to_owned(), "fec0:0:0:ffff::1234".to_owned()], ..wired() };
    let lan = collected(Recorded { adapters: Some(vec![odd]), ..office() });
    assert_eq!(lan.dns_servers.known().unwrap().items, ["fec0:0:0:ffff::1234"], "the three alone mean none");
}

#[test]
fn the_firewall_is_judged_by_the_networks_the_machine_is_in() {
    let off = |profile: &str| collected(office().number(&format!(r"{LOCAL}\{profile}"), "EnableFirewall", 0));
    let elsewhere = off("PublicProfile");
    assert_eq!(elsewhere.firewall_active, Fact::Known(true));
    let firewalls = elsewhere.firewalls.known().unwrap();
    assert_eq!(firewalls.items[0].profiles_off.known().unwrap().items, [FirewallProfile::Public]);
    let here = off("StandardProfile");
    assert_eq!((here.firewall_active, here.firewall_blocks_inbound), (Fact::Known(false), Fact::Known(false)));
    // When the networks are unknown, all profiles must be in order.
    let unknown = Recorded { network_categories: None, ..office() };
    let unknown = collected(unknown.number(&format!(r"{LOCAL}\PublicProfile"), "EnableFirewall", 0));
    assert_eq!(unknown.firewall_active, Fact::Known(false));
}

#[test]
fn a_firewall_that_leaves_out_an_adapter_is_not_known_to_filter() {
    let left_out = |key: &str, adapters: &str| collected(office().text(key, "DisabledInterfaces", adapters));
    let here = format!(r"{LOCAL}\StandardProfile");
    let lan = left_out(&here, "{2},{1}");
    assert_eq!(
        (why(&lan.firewall_active), why(&lan.firewall_blocks_inbound)),
        (Some(Reason::Contradictory), Some(Reason::Contradictory))
    );
    assert_eq!(why(&lan.open_inbound), Some(Reason::Contradictory));
    let off = collected(office().text(&here, "DisabledInterfaces", "{1}").number(&here, "EnableFirewall", 0));
    assert_eq!(off.firewall_active, Fact::Known(false), "off is off");
    // One that is not up, and a profile of other networks.
    assert_eq!(left_out(&here, "{2}").firewall_active, Fact::Known(true));
    assert_eq!(left_out(&format!(r"{LOCAL}\PublicProfile"), "{1}").firewall_active, Fact::Known(true));
    let policy = left_out(&format!(r"{POLICY}\PrivateProfile"), "{1}");
    assert_eq!(why(&policy.firewall_active), Some(Reason::Contradictory));
}

#[test]
fn a_policy_stands_over_what_is_set_locally() {
    let local = format!(r"{LOCAL}\StandardProfile");
    let on =
        office().number(&local, "EnableFirewall", 0).number(&format!(r"{POLICY}\PrivateProfile"), "EnableFirewall", 1);
    assert_eq!(collected(on).firewall_active, Fact::Known(true));
    let old = office().number(&format!(r"{POLICY}\StandardProfile"), "EnableFirewall", 0);
    assert_eq!(collected(old).firewall_active, Fact::Known(false));
    let lets_in = collected(office().number(&local, "DefaultInboundAction", 0));
    assert_eq!((lets_in.firewall_active, lets_in.firewall_blocks_inbound), (Fact::Known(true), Fact::Known(false)));
}

#[test]
fn a_rule_for_everybody_at_every_port_leaves_nothing_blocked() {
    let key = format!(r"{LOCAL}\FirewallRules");
    let blocks = |rest: &str| {
        let rule = format!("v2.30|Action=Allow|Active=TRUE|Dir=In|{rest}Name=x|");
        collected(office().text(&key, "x", &rule)).firewall_blocks_inbound
    };
    for all in ["", "Protocol=6|", "Protocol=6|LPort2_10=1-65535|", "Profile=Private|"] {
        assert_eq!(blocks(all), Fact::Known(false), "{all}");
    }
    for some in [
        "Protocol=6|LPort=8080|",
        "Protocol=6|LPort2_10=20000-20100|",
        r"App=C:\Program Files\Zalo\Zalo.exe|",
        "App=System|",
        "AppPkgId=S-1-15-2-1-2-3|",
        "RA4=LocalSubnet|RA6=LocalSubnet|",
        "Profile=Public|",
    ] {
        assert_eq!(blocks(some), Fact::Known(true), "{some}");
    }
    assert_eq!(why(&blocks("Moon=full|")), Some(Reason::Unreadable));
}

#[test]
fn another_makers_firewall_counts_and_hides_its_rules() {
    let mut os = office().rows(CENTER, "FirewallProduct", vec![product(331_776)]);
    os.services.as_mut().unwrap()[0].state = 1;
    let lan = collected(os.clone());
    assert_eq!((lan.firewall_active, why(&lan.firewall_blocks_inbound)), (Fact::Known(true), Some(Reason::NoReader)));
    assert_eq!(lan.firewalls.known().unwrap().items[1].kind, FirewallKind::Product);
    let off = collected(os.clone().rows(CENTER, "FirewallProduct", vec![product(327_680)]));
    assert_eq!(off.firewall_active, Fact::Known(false));
    os.hanging.push(CENTER.to_owned());
    assert_eq!(why(&collected(os).firewall_active), Some(Reason::TimedOut));
    // A server has no Security Center, and its firewall is its own.
    let gone = || Recorded { wmi: std::collections::BTreeMap::new(), ..office() };
    let server = |os: Recorded| os.text(VERSION, "InstallationType", "Server");
    assert_eq!(collected(server(gone())).firewall_active, Fact::Known(true));
    let off = |os: Recorded| os.number(&format!(r"{LOCAL}\StandardProfile"), "EnableFirewall", 0);
    assert_eq!(collected(off(server(gone()))).firewall_active, Fact::Known(false));
    // A client has lost what it had.
    assert_eq!(why(&collected(off(gone())).firewall_active), Some(Reason::Unreadable));
    assert_eq!(collected(gone()).firewalls.known().map(|list| (list.items.len(), list.left_out)), Some((1, 1)));
}

#[test]
fn firewalls_that_security_center_listed_before_it_stopped_are_neither_there_nor_gone() {
    let stopped = |rows: Vec<Row>| {
        let mut os = office().rows(CENTER, "FirewallProduct", rows);
        os.services.as_mut().unwrap()[1].state = 1;
        os.number(&format!(r"{LOCAL}\StandardProfile"), "EnableFirewall", 0)
    };
    for rows in [vec![product(331_776)], vec![product(327_680)], Vec::new()] {
        let lan = collected(stopped(rows));
        assert_eq!(
            (why(&lan.firewall_active), why(&lan.open_inbound)),
            (Some(Reason::Unreadable), Some(Reason::Unreadable))
        );
    }
    // One of the rows cannot be read.
    let os = office().rows(CENTER, "FirewallProduct", vec![Row::new()]);
    let off = collected(os.number(&format!(r"{LOCAL}\StandardProfile"), "EnableFirewall", 0));
    assert_eq!(why(&off.firewall_active), Some(Reason::Unreadable));
}

#[test]
fn a_product_that_is_registered_twice_is_one_firewall() {
    let eset = |guid: &str, number: i64| {
        let mut row = product(number);
        row.insert("displayName".to_owned(), Variant::Text("ESET Firewall".to_owned()));
        row.insert("instanceGuid".to_owned(), Variant::Text(guid.to_owned()));
        row
    };
    let found = |rows: Vec<Row>| collected(office().rows(CENTER, "FirewallProduct", rows)).firewalls;
    let count = |rows: Vec<Row>| found(rows).known().unwrap().items.len();
    assert_eq!(count(vec![eset("{A}", 266_256), eset("{B}", 266_256)]), 2, "that of Windows and one more");
    assert_eq!(count(vec![eset("{A}", 266_256), eset("{B}", 262_160)]), 2);
    assert_eq!(count(vec![eset("{A}", 266_256), product(331_776)]), 3);
}

#[test]
fn another_makers_firewall_of_which_nothing_runs_is_no_proof() {
    let idle = Recorded { processes: Some(Vec::new()), ..office() };
    let os = idle.rows(CENTER, "FirewallProduct", vec![product(266_256)]);
    let off = collected(os.number(&format!(r"{LOCAL}\StandardProfile"), "EnableFirewall", 0));
    assert_eq!(why(&off.firewall_active), Some(Reason::Unreadable));
}

#[test]
fn firewalls_that_could_not_be_asked_for_are_not_none() {
    let mut hanging = office();
    hanging.hanging.push(CENTER.to_owned());
    let lan = collected(hanging.clone());
    assert_eq!(lan.firewalls.known().map(|list| (list.items.len(), list.left_out)), Some((1, 1)));
    assert_eq!((lan.firewall_active, lan.open_inbound), (Fact::Known(true), Fact::Known(List::default())));
    // Off, and perhaps replaced by another one.
    let off = collected(hanging.clone().number(&format!(r"{LOCAL}\StandardProfile"), "EnableFirewall", 0));
    assert_eq!((why(&off.firewall_active), why(&off.open_inbound)), (Some(Reason::TimedOut), Some(Reason::TimedOut)));
    // A number seen on a real machine, of unknown meaning.
    let odd = office().rows(CENTER, "FirewallProduct", vec![product(344_064)]);
    assert_eq!(collected(odd.clone()).firewall_active, Fact::Known(true));
    let odd = collected(odd.number(&format!(r"{LOCAL}\StandardProfile"), "EnableFirewall", 0));
    assert_eq!(why(&odd.firewall_active), Some(Reason::Unreadable));
    // What a stopped Security Center stored earlier may be out of date.
    let key = r"HKLM\SOFTWARE\Microsoft\Security Center\Provider\Fw\{A}";
    let mut stored = hanging.number(key, "STATE", 331_776).text(key, "DISPLAYNAME", "Norton");
    stored.services.as_mut().unwrap()[1].state = 1;
    assert_eq!(collected(stored).firewalls.known().map(|list| (list.items.len(), list.left_out)), Some((1, 1)));
}

#[test]
fn a_firewall_that_lets_nobody_in_blocks_whatever_is_set_besides() {
    let key = format!(r"{LOCAL}\StandardProfile");
    let shielded = office().number(&key, "DefaultInboundAction", 0).number(&key, "DoNotAllowExceptions", 1);
    assert_eq!(collected(shielded).firewall_blocks_inbound, Fact::Known(true));
}

#[test]
fn another_makers_firewall_keeps_its_rules_to_itself() {
    let os = office().rows(CENTER, "FirewallProduct", vec![product(331_776)]);
    assert_eq!(collected(os.clone()).open_inbound, Fact::Known(List::default()));
    let off = collected(os.number(&format!(r"{LOCAL}\StandardProfile"), "EnableFirewall", 0));
    assert_eq!(why(&off.open_inbound), Some(Reason::NoReader));
}

#[test]
fn what_cannot_be_read_of_the_firewall_is_unknown() {
    let denied = collected(office().denying(&format!(r"{LOCAL}\PublicProfile")));
    assert_eq!(why(&denied.firewall_active), Some(Reason::NeedsAdministrator));
    let odd = collected(office().set(&format!(r"{LOCAL}\DomainProfile"), "EnableFirewall", Registry::Bytes(vec![1])));
    assert_eq!(why(&odd.firewalls), Some(Reason::Unreadable));
    assert_eq!(why(&collected(office().denying(LOCAL)).open_inbound), Some(Reason::NeedsAdministrator));
}

#[test]
fn rules_open_services_in_the_networks_of_the_machine_only() {
    let rules = format!(r"{LOCAL}\FirewallRules");
    let rule = |profile: &str, port: u16| {
        format!("v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile={profile}|LPort={port}|Name=Quy tắc|")
    };
    let os = office()
        .text(&rules, "a", &rule("Private", 5985))
        .text(&rules, "b", &rule("Domain", 445))
        .text(&format!(r"{POLICY}\FirewallRules"), "c", &rule("Private", 3390))
        .number(&rules, "odd", 1)
        .number(r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp", "PortNumber", 3390);
    // What is no rule leaves the third one open.
    let list = collected(os).open_inbound.known().unwrap().clone();
    assert_eq!((list.items, list.left_out), (vec![InboundService::Rdp, InboundService::Winrm], 1));
}

#[test]
fn a_policy_has_local_rules_left_out_by_profile() {
    let rule = |port: u16| format!("v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort={port}|");
    let merge = |key: &str, profile: &str, value: u64| {
        let os = office()
            .text(&format!(r"{LOCAL}\FirewallRules"), "a", &rule(5985))
            .text(&format!(r"{POLICY}\FirewallRules"), "b", &rule(445))
            .text(&format!(r"{MANAGED}\FirewallRules"), "c", &rule(3389));
        collected(os.number(&format!(r"{key}\{profile}"), "AllowLocalPolicyMerge", value)).open_inbound
    };
    let all = [InboundService::Rdp, InboundService::Winrm, InboundService::Smb];
    let of_policies = [InboundService::Rdp, InboundService::Smb];
    for key in [POLICY, MANAGED] {
        assert_eq!(merge(key, "PrivateProfile", 0).known().unwrap().items, of_policies, "{key}");
        assert_eq!(merge(key, "StandardProfile", 0).known().unwrap().items, of_policies, "{key}");
        // The machine is in a private network, and what is allowed is as it was.
        assert_eq!(merge(key, "PublicProfile", 0).known().unwrap().items, all, "{key}");
        assert_eq!(merge(key, "PrivateProfile", 1).known().unwrap().items, all, "{key}");
    }
    // What is set locally about it says nothing.
    assert_eq!(merge(LOCAL, "StandardProfile", 0).known().unwrap().items, all);
    let odd = office().set(&format!(r"{POLICY}\PublicProfile"), "AllowLocalPolicyMerge", Registry::Bytes(vec![0]));
    assert_eq!(why(&collected(odd).open_inbound), Some(Reason::Unreadable));
}

#[test]
fn a_management_server_stands_between_the_domain_and_what_is_set_locally() {
    let set = |keys: &[(&str, u64)]| {
        let set = |os: Recorded, &(key, on): &(&str, u64)| {
            os.number(&format!(r"{key}\StandardProfile"), "EnableFirewall", on)
        };
        collected(keys.iter().fold(office(), set)).firewall_active
    };
    assert_eq!(set(&[(MANAGED, 0)]), Fact::Known(false));
    assert_eq!(set(&[(MANAGED, 1), (LOCAL, 0)]), Fact::Known(true));
    assert_eq!(set(&[(POLICY, 1), (MANAGED, 0)]), Fact::Known(true));
}

#[test]
fn wireless_links_are_told_by_their_numbers() {
    let link = |authentication, cipher| security(&WirelessLink { adapter: String::new(), authentication, cipher });
    assert_eq!(link(1, 0), WirelessSecurity::Open);
    assert_eq!([link(1, 0x101), link(2, 1), link(2, 0)], [WirelessSecurity::Wep; 3]);
    assert_eq!([link(4, 4), link(7, 2)], [WirelessSecurity::Wpa; 2]);
    assert_eq!([link(6, 4), link(7, 4)], [WirelessSecurity::Wpa2; 2]);
    assert_eq!([link(8, 8), link(9, 4)], [WirelessSecurity::Wpa3; 2]);
    assert_eq!(link(77, 4), WirelessSecurity::Other);
    let adapter = Adapter { kind: 71, dhcp: false, ..wired() };
    let links = vec![WirelessLink { adapter: "{1}".to_owned(), authentication: 7, cipher: 4 }];
    let lan = collected(Recorded { adapters: Some(vec![adapter]), wireless: Some(links), ..office() });
    let interface = &lan.interfaces.known().unwrap().items[0];
    assert_eq!(
        (interface.kind, interface.wireless.clone()),
        (InterfaceKind::Wireless, Fact::Known(WirelessSecurity::Wpa2))
    );
    assert_eq!(interface.addressing, Fact::Known(Addressing::Static));
}

#[test]
fn names_are_asked_of_nobody_where_it_was_switched_off() {
    let llmnr = office().number(r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient", "EnableMulticast", 0);
    assert_eq!(collected(llmnr).llmnr, Fact::Known(false));
    assert_eq!(collected(office().number(NETBT, "NetbiosOptions", 2)).netbios, Fact::Known(false));
    let by_dhcp =
        |option| collected(office().number(NETBT, "NetbiosOptions", 0).number(NETBT, "DhcpNetbiosOptions", option));
    assert_eq!((by_dhcp(2).netbios, by_dhcp(1).netbios), (Fact::Known(false), Fact::Known(true)));
    let disabled = office().number(r"HKLM\SYSTEM\CurrentControlSet\Services\NetBT", "Start", 4);
    assert_eq!(collected(disabled).netbios, Fact::Known(false));
}

#[test]
fn the_hosts_file_is_read_where_the_registry_says() {
    let text = "\u{FEFF}# Copyright\r\n127.0.0.1 localhost\r\n10.1.1.1 dichvucong.gov.vn XA-MT-01\r\n";
    let os = office().file(r"C:\Windows\System32\drivers\etc\hosts", text);
    let found = collected(os.clone()).host_overrides;
    assert_eq!(found.known().unwrap().items[0].name, "dichvucong.gov.vn");
    assert_eq!(found.known().unwrap().items.len(), 1);
    let moved = os
        .text(VERSION, "SystemRoot", r"D:\Win")
        .text(TCPIP, "DataBasePath", r"%systemroot%\evil")
        .file(r"D:\Win\evil\hosts", "6.6.6.6 vneid.gov.vn\n");
    assert_eq!(collected(moved).host_overrides.known().unwrap().items[0].address, "6.6.6.6");
}

#[test]
fn a_hosts_file_of_megabytes_is_judged_by_the_part_that_was_read() {
    let path = r"C:\Windows\System32\drivers\etc\hosts";
    let long = |start: &str| format!("{start}{}", "0.0.0.0 ads.example\r\n# filler\r\n".repeat(CAP / 31 + 1));
    let blocked = collected(office().file(path, long("10.1.1.1 dichvucong.gov.vn\r\n"))).host_overrides;
    let list = blocked.known().unwrap();
    assert_eq!((list.items.len(), list.left_out), (2, 1));
    let harmless = collected(office().file(path, "# filler\r\n".repeat(CAP / 10 + 1))).host_overrides;
    assert_eq!(why(&harmless), Some(Reason::Unreadable));
    // A name counts by the address it is given.
    let text = "10.0.0.5 XA-MT-01.xa.gov.vn\r\n203.0.113.5 xa-mt-01.dichvucong.gov.vn\r\n203.0.113.5 localhost\r\n";
    let names: Vec<String> = collected(office().file(path, text))
        .host_overrides
        .known()
        .unwrap()
        .items
        .iter()
        .map(|entry| entry.name.clone())
        .collect();
    assert_eq!(names, ["localhost", "xa-mt-01.dichvucong.gov.vn"]);
    // Where the file is stored is unknown.
    let elsewhere = office().text(TCPIP, "DataBasePath", r"%Ngoai%\etc");
    assert_eq!(why(&collected(elsewhere).host_overrides), Some(Reason::Unreadable));
}

#[test]
fn netbios_on_one_adapter_decides_whatever_cannot_be_read_of_another() {
    let other = Adapter { guid: "{2}".to_owned(), metric: 50, ..wired() };
    let two = Recorded { adapters: Some(vec![wired(), other]), ..office() }.denying(NETBT);
    assert_eq!(collected(two.clone()).netbios, Fact::Known(true));
    let off = two.number(&NETBT.replace("{1}", "{2}"), "NetbiosOptions", 2);
    assert_eq!(why(&collected(off).netbios), Some(Reason::NeedsAdministrator));
}

#[test]
fn nothing_is_invented_on_an_empty_machine() {
    let lan = collected(Recorded::new());
    assert!(lan.interfaces.known().is_none() && lan.gateways.known().is_none() && lan.netbios.known().is_none());
    assert!(lan.firewalls.known().is_none() && lan.firewall_active.known().is_none());
    let lonely = collected(Recorded { adapters: Some(Vec::new()), ..office() });
    assert_eq!(lonely.interfaces, Fact::Known(List::default()));
    assert_eq!(why(&lonely.gateway_mac), Some(Reason::SourceMissing));
}
