//! Rules from real machines, with details replaced, on the recorded door; and the results of single fields.

use policies::fact::{Fact, InboundService, List, Reason};

use super::super::collect;
use super::super::firewall::{LOCAL, POLICY};
use crate::windows::context::CheckContext;
use os::windows::recorded::Recorded;
use os::windows::{Adapter, NetworkCategory, Registry};

use InboundService::{Rdp, Smb, Winrm};

const PUBLIC: u32 = 0;
const PRIVATE: u32 = 1;
const DOMAIN: u32 = 2;
const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";

/// A machine of this build in a network of this category, with the default firewall.
fn machine(build: u64, category: u32) -> Recorded {
    let adapter = Adapter {
        guid: "{1}".to_owned(),
        kind: 6,
        up: true,
        addresses: vec!["192.168.1.20/24".to_owned(), "fe80::20/64".to_owned()],
        hardware: true,
        ..Adapter::default()
    };
    Recorded {
        adapters: Some(vec![adapter]),
        network_categories: Some(vec![NetworkCategory { adapter: "{1}".to_owned(), category }]),
        ..Recorded::new()
            .service("MpsSvc", true)
            .service("wscsvc", true)
            .rows(r"ROOT\SecurityCenter2", "FirewallProduct", Vec::new())
            .number(VERSION, "CurrentBuildNumber", build)
    }
}

fn with(os: Recorded, rules: &[impl AsRef<str>]) -> Recorded {
    let add = |os: Recorded, (at, rule): (usize, &str)| {
        os.text(&format!(r"{LOCAL}\FirewallRules"), &format!("{at:03}"), rule)
    };
    rules.iter().map(AsRef::as_ref).enumerate().fold(os, add)
}

fn answer(os: Recorded) -> Fact<List<InboundService>> {
    collect(&CheckContext::of(os)).open_inbound
}

fn open(os: Recorded) -> Vec<InboundService> {
    let list = answer(os).known().expect("it is known").clone();
    assert_eq!(list.left_out, 0);
    list.items
}

/// What these rules alone open on Windows 10 in a public network.
fn opened(rules: &[impl AsRef<str>]) -> Vec<InboundService> {
    open(with(machine(19_045, PUBLIC), rules))
}

fn untold(rules: &[impl AsRef<str>]) -> bool {
    matches!(answer(with(machine(19_045, PUBLIC), rules)), Fact::Unknown(unknown) if unknown.reason == Reason::Unreadable)
}

const RDP: &str = r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|App=%SystemRoot%\system32\svchost.exe|Svc=termservice|Name=@FirewallAPI.dll,-28775|Desc=@FirewallAPI.dll,-28756|EmbedCtxt=@FirewallAPI.dll,-28752|";
const RDP_UDP: &str = r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=3389|App=%SystemRoot%\system32\svchost.exe|Svc=termservice|Name=@FirewallAPI.dll,-28776|Desc=@FirewallAPI.dll,-28777|EmbedCtxt=@FirewallAPI.dll,-28752|";
const RDP_SHADOW: &str = r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=%SystemRoot%\system32\RdpSa.exe|Name=@FirewallAPI.dll,-28778|Desc=@FirewallAPI.dll,-28779|EmbedCtxt=@FirewallAPI.dll,-28752|Edge=TRUE|Defer=App|";
const WINRM: &str = r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Private|LPort=5985|App=System|Name=@FirewallAPI.dll,-30253|Desc=@FirewallAPI.dll,-30256|EmbedCtxt=@FirewallAPI.dll,-30267|";
const SMB: &str = r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=445|App=System|Name=x|";

/// The rules of Windows 10 that are switched on as it is delivered, of those that touch TCP, and others for their shape; with file
/// sharing and WinRM switched on.
const WINDOWS_10: &[&str] = &[
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=System|Name=@wlansvc.dll,-37378|Desc=@wlansvc.dll,-37890|EmbedCtxt=@wlansvc.dll,-36865|TTK2_27=WFDKmDriver|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|App=System|Name=@wlansvc.dll,-37380|Desc=@wlansvc.dll,-37892|EmbedCtxt=@wlansvc.dll,-36865|TTK2_27=WFDKmDriver|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|App=System|Name=@FirewallAPI.dll,-32762|EmbedCtxt=@FirewallAPI.dll,-32752|TTK2_27=UPnP|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|App=%SystemRoot%\system32\svchost.exe|Svc=CDPSvc|Name=@FirewallAPI.dll,-37409|TTK2_28=WFDCDPSvc|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=%SystemRoot%\system32\proximityuxhost.exe|Name=@FirewallAPI.dll,-36252|TTK=ProxSharing|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Profile=Public|App=%SystemRoot%\system32\dashost.exe|Name=@FirewallAPI.dll,-36852|LUAuth=O:LSD:(A;;CC;;;S-1-5-92-3339056971-1291069075-3798698925-2882100687-0)|TTK2_22=WFDPrint|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|LPort=7250|App=%systemroot%\system32\WUDFHost.exe|Name=@wlansvc.dll,-8|LUAuth=O:LSD:(A;;CC;;;S-1-5-84-0-0-0-0-0)|TTK2_22=WFDDisplay|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|Profile=Domain|LPort=445|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-28511|EmbedCtxt=@FirewallAPI.dll,-28502|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|LPort=445|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-28511|EmbedCtxt=@FirewallAPI.dll,-28502|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=139|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-28503|EmbedCtxt=@FirewallAPI.dll,-28502|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=RPC|RA4=LocalSubnet|RA6=LocalSubnet|App=%SystemRoot%\system32\spoolsv.exe|Svc=Spooler|Name=@FirewallAPI.dll,-28535|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=RPC-EPMap|RA4=LocalSubnet|RA6=LocalSubnet|Svc=Rpcss|Name=@FirewallAPI.dll,-28539|",
    r"v2.30|Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=445|App=System|Name=@firewallapi.dll,-37682|EmbedCtxt=@firewallapi.dll,-37681|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|LPort=5985|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-30253|EmbedCtxt=@FirewallAPI.dll,-30267|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=7680|App=%SystemRoot%\system32\svchost.exe|Svc=dosvc|Name=@%systemroot%\system32\dosvc.dll,-102|EmbedCtxt=@%systemroot%\system32\dosvc.dll,-100|Edge=TRUE|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=7680|App=%SystemRoot%\system32\svchost.exe|Svc=dosvc|Name=@%systemroot%\system32\dosvc.dll,-103|Edge=TRUE|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|Profile=Private|LPort=5353|RA4=LocalSubnet|RA6=LocalSubnet|App=%SystemRoot%\system32\svchost.exe|Svc=dnscache|Name=@%SystemRoot%\system32\firewallapi.dll,-37303|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|LPort=10246|App=System|Name=@FirewallAPI.dll,-36006|EmbedCtxt=@FirewallAPI.dll,-36001|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|Profile=Public|LPort=10246|RA42=Ply2Renders|RA62=Ply2Renders|App=System|Name=@FirewallAPI.dll,-36006|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=10246|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-36006|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort2_20=Ply2Disc|RA42=Ply2Renders|RA62=Ply2Renders|App=%SystemRoot%\system32\svchost.exe|Svc=SSDPSRV|Name=@FirewallAPI.dll,-36104|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort2_10=IPTLSIn|LPort2_10=IPHTTPSIn|App=System|Name=@FirewallAPI.dll,-25426|EmbedCtxt=@FirewallAPI.dll,-25000|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=Teredo|App=%SystemRoot%\system32\svchost.exe|Svc=iphlpsvc|Name=@FirewallAPI.dll,-25326|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=58|ICMP6=134:*|RA6=fe80::/64|App=System|Name=@FirewallAPI.dll,-25012|Edge=TRUE|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=1|ICMP4=3:4|App=System|Name=@FirewallAPI.dll,-25251|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=2|App=System|Name=@FirewallAPI.dll,-25376|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=41|App=System|Name=@FirewallAPI.dll,-25351|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Private|LPort=9955|App=%SystemRoot%\system32\svchost.exe|Svc=AJRouter|Name=@FirewallAPI.dll,-37003|",
    r"v2.30|Action=Block|Active=TRUE|Dir=In|Protocol=6|Profile=Public|App=C:\Users\can-bo\AppData\Local\Programs\Zalo\Zalo.exe|Name=Zalo|Defer=User|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|App=C:\Program Files\Google\Chrome\Application\chrome.exe|Name=Trình duyệt|",
    r"v2.30|Action=Allow|Active=TRUE|Dir=Out|Protocol=6|Name=Out|",
];

/// Rules of app packages: for all profiles, for some, or without a profile field; most are for any address and every port.
fn packages() -> Vec<String> {
    let profiles =
        ["Profile=Domain|Profile=Private|Profile=Public|", "", "Profile=Domain|Profile=Private|", "Profile=Public|"];
    let rule = |at: usize| {
        format!(
            "v2.30|Action=Allow|Active=TRUE|Dir=In|{}Name=@{{App{at}_1.0_x64__8wekyb3d8bbwe?ms-resource://App{at}/Name}}|Desc=App|\
             LUOwn=S-1-5-21-1004336348-1177238915-682003330-100{}|AppPkgId=S-1-15-2-{at}-2-3-4-5-6-7|EmbedCtxt=App|Platform=2:6:2|Platform2=GTEQ|{}",
            profiles[at % profiles.len()],
            at % 3,
            if at.is_multiple_of(2) { "Edge=TRUE|" } else { "" },
        )
    };
    (0..12).map(rule).collect()
}

fn windows_10(more: &[&str]) -> Vec<String> {
    WINDOWS_10.iter().chain(more).map(|&rule| rule.to_owned()).chain(packages()).collect()
}

#[test]
fn windows_10_as_it_is_opens_nothing_to_every_address() {
    for category in [PUBLIC, PRIVATE, DOMAIN] {
        for build in [10_240, 19_045, 22_631, 26_100] {
            assert_eq!(open(with(machine(build, category), &windows_10(&[]))), [], "{category} {build}");
        }
    }
}

#[test]
fn remote_desktop_on_windows_10_is_open_until_its_rules_name_the_administrators() {
    let rules = |more: &str| {
        windows_10(&[RDP, RDP_UDP, RDP_SHADOW].map(|rule| format!("{rule}{more}")).each_ref().map(String::as_str))
    };
    let at = |rules: &[String]| open(with(machine(19_045, PUBLIC), rules));
    assert_eq!(at(&rules("")), [Rdp]);
    // What the steps of the control say.
    assert_eq!(at(&rules("RA4=10.0.0.9|")), []);
    assert_eq!(at(&rules("RA4=LocalSubnet|RA6=LocalSubnet|")), []);
    let off: Vec<String> = rules("").iter().map(|rule| rule.replace("Active=TRUE", "Active=FALSE")).collect();
    assert_eq!(at(&off), []);
}

const WSMAN: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN";
const NETBT: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\NetBT";

fn of_system(port: u16) -> String {
    format!("v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort={port}|App=System|Name=x|")
}

#[test]
fn winrm_is_looked_for_where_its_listeners_are() {
    let listener = format!(r"{WSMAN}\Listener\*+HTTP");
    let secure = format!(r"{WSMAN}\Listener\*+HTTPS");
    let at =
        |os: &dyn Fn(Recorded) -> Recorded, port: u16| answer(os(with(machine(19_045, PUBLIC), &[of_system(port)])));
    let known = |services: &[InboundService]| Fact::Known(services.iter().copied().collect::<List<_>>());
    let moved = |os: Recorded| os.number(&listener, "Port", 8080).key(&secure);
    assert_eq!([8080, 5985, 5986].map(|port| at(&moved, port)), [known(&[Winrm]), known(&[]), known(&[Winrm])]);
    // One added by policy uses the default port.
    let policy = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WinRM\Service";
    assert_eq!(at(&|os| moved(os).number(policy, "AllowAutoConfig", 1), 5985), known(&[Winrm]));
    // Older programs are served at the web ports.
    assert_eq!([80, 443].map(|port| at(&moved, port)), [known(&[]), known(&[])]);
    for (port, key, name) in [
        (80, format!(r"{WSMAN}\Service"), "http_compat_listener"),
        (80, format!(r"{WSMAN}\Service"), "EnableCompatibilityHttpListener"),
        (443, format!(r"{WSMAN}\Service"), "https_compat_listener"),
        (443, policy.to_owned(), "HttpsCompatibilityListener"),
    ] {
        assert_eq!(at(&|os| os.number(&key, name, 1), port), known(&[Winrm]), "{name}");
        assert!(at(&|os| os.denying(&key), port).known().is_none(), "{name}");
    }
    assert_eq!(
        at(
            &|os| os.number(policy, "HttpCompatibilityListener", 0).number(
                &format!(r"{WSMAN}\Service"),
                "http_compat_listener",
                1
            ),
            80
        ),
        known(&[])
    );
    // Where it is cannot be read.
    for hidden in [&listener, &format!(r"{WSMAN}\Listener")] {
        assert!(at(&|os| os.key(&listener).denying(hidden), 8080).known().is_none(), "{hidden}");
    }
    assert_eq!(at(&|os| os.number(&listener, "Port", 99_999), 1433).known(), None);
}

#[test]
fn file_sharing_is_looked_for_by_netbios_where_that_is_on() {
    let key = format!(r"{NETBT}\Parameters\Interfaces\Tcpip_{{1}}");
    let at = |os: Recorded| answer(with(os, &[of_system(139)]));
    let office = || machine(19_045, PUBLIC);
    assert_eq!(at(office()).known().unwrap().items, [Smb]);
    assert_eq!(at(office().number(&key, "NetbiosOptions", 2)), Fact::Known(List::default()));
    assert!(at(office().denying(&key)).known().is_none());
    // It is there over IPv4 only.
    let six = of_system(139).replace("App=", "RA6=::/0|App=");
    assert_eq!(open(with(office(), &[six])), []);
}

#[test]
fn winrm_as_windows_opens_it_is_open_where_it_is_meant_to_be() {
    let at = |category| open(with(machine(19_045, category), &windows_10(&[WINRM])));
    assert_eq!((at(PUBLIC), at(PRIVATE), at(DOMAIN)), (vec![], vec![Winrm], vec![Winrm]));
}

#[test]
fn windows_7_offers_remote_desktop_by_the_system_itself() {
    let rules = [
        r"v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|App=System|Name=@FirewallAPI.dll,-28753|Desc=@FirewallAPI.dll,-28756|EmbedCtxt=@FirewallAPI.dll,-28752|Edge=FALSE|",
        r"v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=445|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-28511|Edge=FALSE|",
        r"v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Private|LPort=2869|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-32761|Edge=FALSE|",
        r"v2.0|Action=Allow|Active=TRUE|Dir=In|Protocol=17|Profile=Private|App=C:\Program Files\UltraViewer\UltraViewer_Desktop.exe|Name=UltraViewer|Edge=FALSE|",
    ];
    assert_eq!(open(with(machine(7_601, PRIVATE), &rules)), [Rdp]);
    assert_eq!(open(with(machine(7_601, PRIVATE), &rules[1..])), []);
}

#[test]
fn whatever_binds_a_rule_keeps_it_from_opening_anything() {
    let any = "v2.30|Action=Allow|Active=TRUE|Dir=In|";
    assert_eq!(opened(&[any]), [Rdp, Winrm, Smb]);
    for word in [
        "AppPkgId=S-1-15-2-1-2-3-4-5-6-7|",
        "LUOwn=S-1-5-21-1-2-3-1001|",
        "TTK2_27=WFDKmDriver|",
        "TTK=Proximity|",
        r"App=C:\Program Files\Foo\foo.exe|",
        r"App=C:\Users\a\svchost.exe|",
        "Svc=dosvc|",
        "Security=Authenticate|",
        "Security=AuthenticateEncrypt|Security2_9=An-NoEncap|RMauth=O:LSD:(A;;CC;;;S-1-5-21-1-2-3-515)|",
        "LUAuth=O:LSD:(A;;CC;;;S-1-5-84-0-0-0-0-0)|",
        "Platform=2:6:1|",
        "Platform=2:10:1|Platform2=GTEQ|",
        "Platform=1:10:0|",
        "Profile=Domain|",
        "LA4=10.9.9.9|",
        "IF={2}|",
        "IFType=Wireless|",
        "Protocol=17|",
        "RA4=10.0.0.9|",
        "RA4=10.0.0.0/255.0.0.0|RA6=LocalSubnet|",
        "RA42=IntrAnet|RA62=IntrAnet|",
        "RA6=fc00::/7|",
    ] {
        assert_eq!(opened(&[format!("{any}{word}")]), [], "{word}");
        // What does not concern a service does not block it either; what a block means by authentication is
        // undocumented.
        let block = format!("{any}{word}").replace("Allow", "Block");
        if word.starts_with("Security") {
            assert!(untold(&[any.to_owned(), block]));
        } else {
            assert_eq!(opened(&[any.to_owned(), block]), [Rdp, Winrm, Smb], "{word}");
        }
    }
    assert_eq!(opened(&[format!("{any}RMauth=O:LSD:(A;;CC;;;WD)|").replace("Allow", "ByPass")]), []);
}

#[test]
fn what_nobody_here_knows_is_neither_open_nor_closed() {
    for word in [
        "Farbe=Rot|",
        "stray|",
        "TTK2_31=New|TTK=Proximity|",
        "Profile=Office|",
        "Protocol=TCP|",
        "LPort=Neues|Protocol=6|",
        "LPort=99999999|Protocol=6|",
        "LPort=3389|",
        "Protocol=6|Protocol=17|",
        "RA4=Nah|",
        "RA42=IntErnet|RA62=IntErnet|",
        "RADynKey={1}|",
        "RA4=10.0.0.300|",
        "Platform=odd|",
        "Platform=2:6:2|Platform2=LT|",
        "SkipVer=2.20|",
        "NNm=abc|",
        "Security=Sometimes|",
        "AppPkgId=|",
        "App=|",
        r"App=%Ngoai%\svchost.exe|",
        "LUAuth=O:LSD:(A;;CC;;;WD)|",
        "LUAuth2_24=TwA6AEwA|",
        "IF=Ethernet|",
        "LOM=TRUE|",
        "Svc=*|App=System|",
    ] {
        let rule = format!("v2.30|Action=Allow|Active=TRUE|Dir=In|{word}");
        let fact = answer(with(machine(19_045, PUBLIC), &[rule]));
        let open = fact.known().map(|list| list.items.clone()).unwrap_or_default();
        assert!(fact.known().is_none_or(|list| list.left_out > 0) && !open.contains(&Smb), "{word} {fact:?}");
    }
    for rule in [
        "Action=Allow|Active=TRUE|Dir=In|",
        "v2.30|Active=TRUE|Dir=In|",
        "v2.30|Action=Allow|Active=TRUE|",
        "v2.30|Action=Allow|Active=Yes|Dir=In|",
    ] {
        assert!(untold(&[rule]), "{rule}");
    }
    let odd = machine(19_045, PUBLIC).set(&format!(r"{LOCAL}\FirewallRules"), "odd", Registry::Number(1));
    assert!(answer(odd.clone()).known().is_none());
    // The results of other rules stand, and the rest is marked as unknown.
    let list = answer(with(odd, &[RDP])).known().unwrap().clone();
    assert_eq!((list.items, list.left_out), (vec![Rdp], 2));
    // Of other ports it may say what it wants.
    assert_eq!(opened(&["v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=8080|Farbe=Rot|"]), []);
    assert_eq!(opened(&["", "|||", "v2.30", "v2.30|Action=Allow", "Quy tắc=1|v2|Dir=In"]), []);
}

#[test]
fn a_rule_opens_only_what_its_program_offers() {
    let tcp = "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|";
    assert_eq!(opened(&[format!(r"{tcp}App=C:\WINDOWS\System32\svchost.exe|")]), [Rdp]);
    assert_eq!(opened(&[format!(r"{tcp}App=%windir%\system32\svchost.exe|Svc=TermService|")]), [Rdp]);
    assert_eq!(opened(&[format!("{tcp}Svc=TermService|")]), [Rdp]);
    assert_eq!(opened(&[format!("{tcp}App=SYSTEM|LPort=445|LPort2_10=5000-6000|")]), [Winrm, Smb]);
    assert_eq!(opened(&[format!(r"{tcp}LPort=445|App=C:\Program Files\Foo\foo.exe|")]), []);
    assert_eq!(opened(&[format!("{tcp}LPort=RPC|LPort2_10=IPHTTPSIn|LPort2_20=DHCP|")]), []);
    let moved = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp";
    let rules = [RDP.replace("3389", "3390")];
    assert_eq!(open(with(machine(19_045, PUBLIC), &rules).number(moved, "PortNumber", 3_390)), [Rdp]);
    assert!(answer(with(machine(19_045, PUBLIC), &rules).text(moved, "PortNumber", "ba")).known().is_none());
}

#[test]
fn addresses_are_counted_by_their_kind() {
    let from = |words: &str| opened(&[format!("{SMB}{words}")]);
    assert_eq!(from("RA4=0.0.0.0-127.255.255.255|RA4=128.0.0.0-255.255.255.255|"), [Smb]);
    assert_eq!(from("RA4=1.0.0.0-223.255.255.255|"), [Smb]);
    assert_eq!(from("RA4=0.0.0.0/0.0.0.0|"), [Smb]);
    assert_eq!(from("RA4=10.0.0.9|RA6=::/0|"), [Smb]);
    assert_eq!(from("RA4=*|"), [Smb]);
    assert_eq!(from("RA4=10.0.0.9|RA4=192.168.0.0-192.168.255.255|RA6=fe80::/64|"), []);
    // Two rules together may cover everyone.
    assert_eq!(opened(&[format!("{SMB}RA4=0.0.0.0/1|"), format!("{SMB}RA4=128.0.0.0/1|")]), [Smb]);
    // A stranger chooses the source port.
    assert_eq!(from("RPort=80|"), [Smb]);
    assert_eq!(from("LA4=192.168.1.0/24|"), [Smb]);
    assert_eq!(from("IFType=Lan|IFType=Wireless|IF={1}|IF={2}|"), [Smb]);
}

#[test]
fn a_block_closes_what_it_surely_blocks() {
    let block = |words: &str| opened(&[SMB.to_owned(), format!("v2.30|Action=Block|Active=TRUE|Dir=In|{words}")]);
    assert_eq!(block("Protocol=6|LPort=445|"), []);
    assert_eq!(block(""), []);
    for words in [
        "Protocol=6|LPort=139|",
        "RA4=10.0.0.0/8|",
        "Profile=Domain|",
        "LA4=10.9.9.9|",
        "Protocol=6|RPort=80|",
        "Svc=Spooler|",
    ] {
        assert_eq!(block(words), [Smb], "{words}");
    }
    assert!(untold(&[SMB.to_owned(), "v2.30|Action=Block|Active=TRUE|Dir=In|Farbe=Rot|".to_owned()]));
    assert_eq!(block("RA4=0.0.0.0-223.255.255.255|RA6=2000::/3|"), []);
    assert_eq!(block("Protocol=6|RA4=0.0.0.0-255.255.255.255|RA6=LocalSubnet|"), [Smb], "over IPv6 it is open");
}

#[test]
fn a_firewall_that_is_off_or_lets_in_opens_all_that_nothing_blocks() {
    let profile = format!(r"{LOCAL}\PublicProfile");
    let os = || machine(19_045, PUBLIC);
    assert_eq!(open(os().number(&profile, "EnableFirewall", 0)), [Rdp, Winrm, Smb]);
    assert_eq!(open(os().number(&profile, "DefaultInboundAction", 0)), [Rdp, Winrm, Smb]);
    let block = |port| of_system(port).replace("Allow", "Block");
    let blocked = |rules: &[String]| open(with(os(), rules).number(&profile, "DefaultInboundAction", 0));
    assert_eq!(blocked(&[block(445), block(139)]), [Rdp, Winrm]);
    assert_eq!(blocked(&[block(445)]), [Rdp, Winrm, Smb], "by NetBIOS it is open");
    let shielded = with(os(), &[RDP, SMB]).number(&profile, "DoNotAllowExceptions", 1);
    assert_eq!(open(shielded.number(&profile, "DefaultInboundAction", 0)), []);
    let mut stopped = os();
    stopped.services.as_mut().unwrap()[0].state = 1;
    assert_eq!(open(stopped), [Rdp, Winrm, Smb]);
    // Elsewhere it does not matter.
    assert_eq!(open(os().number(&format!(r"{LOCAL}\StandardProfile"), "EnableFirewall", 0)), []);
}

#[test]
fn where_the_networks_are_not_told_only_what_holds_in_all_is_known() {
    let os = |rules: &[&str]| Recorded { network_categories: None, ..with(machine(19_045, PUBLIC), rules) };
    assert_eq!(open(os(&[RDP])), [Rdp]);
    assert_eq!(open(os(&[])), []);
    assert!(answer(os(&[WINRM])).known().is_none());
    // A second adapter in an unknown network.
    let mut two = with(machine(19_045, PUBLIC), &[WINRM]);
    let other = Adapter { guid: "{2}".to_owned(), ..two.adapters.as_ref().unwrap()[0].clone() };
    two.adapters.as_mut().unwrap().push(other);
    assert!(answer(two).known().is_none());
}

#[test]
fn the_standard_profile_of_a_policy_is_for_both_kinds_of_networks_until_one_has_its_own() {
    let off = |os: Recorded| open(os.number(&format!(r"{POLICY}\StandardProfile"), "EnableFirewall", 0)).len();
    assert_eq!((off(machine(19_045, PUBLIC)), off(machine(19_045, PRIVATE)), off(machine(19_045, DOMAIN))), (3, 3, 0));
    assert_eq!(off(machine(19_045, PUBLIC).key(&format!(r"{POLICY}\PrivateProfile"))), 0);
}

#[test]
fn what_policies_open_in_the_old_way_is_open() {
    let policy = |os: Recorded, below: &str, addresses: &str| {
        let key = format!(r"{POLICY}\StandardProfile\{below}");
        os.number(&key, "Enabled", 1).text(&key, "RemoteAddresses", addresses)
    };
    let os = || machine(19_045, PUBLIC);
    assert_eq!(open(policy(os(), r"Services\RemoteDesktop", "*")), [Rdp]);
    assert_eq!(open(policy(os(), r"Services\RemoteDesktop", "localsubnet,10.0.0.0/24")), []);
    assert_eq!(open(policy(os(), "RemoteAdminSettings", "*")), [Smb]);
    assert_eq!(open(policy(machine(19_045, DOMAIN), r"Services\RemoteDesktop", "*")), []);
    let listed =
        |text: &str| answer(os().text(&format!(r"{POLICY}\StandardProfile\GloballyOpenPorts\List"), "1", text));
    let items = |text: &str| listed(text).known().unwrap().items.clone();
    assert_eq!(items("3389:TCP:*:enabled:RDP"), [Rdp]);
    assert_eq!(items("5985:TCP:10.0.0.9,LocalSubnet:Enabled:WinRM"), []);
    assert_eq!((items("3389:TCP:*:disabled:RDP"), items("3389:UDP:*:enabled:RDP")), (vec![], vec![]));
    assert!(listed("3389").known().is_none());
}
