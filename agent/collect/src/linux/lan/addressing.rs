//! Where an interface's IPv4 address comes from: leases first, because they record what happened, then configuration.

use policies::fact::{Addressing, Fact, Reason};

use crate::linux::context::CheckContext;
use crate::linux::text::{assigned, ini_value, lines, unquoted};
use os::OsError;

/// DHCP or static; unknown when no configuration that the agent reads set the address.
pub(super) fn addressing(context: &CheckContext, interface: &str, addresses: &[String]) -> Fact<Addressing> {
    if addresses.is_empty() {
        return Fact::unknown(Reason::SourceMissing, "it has no IPv4 address");
    }
    let index = context.line(&format!("/sys/class/net/{interface}/ifindex"));
    let mut denied = None;
    let found = leased(context, interface, index.as_deref(), addresses)
        .then_some(Addressing::Dhcp)
        .or_else(|| networkd(context, index.as_deref()))
        .or_else(|| network_manager(context, index.as_deref(), &mut denied))
        .or_else(|| ifupdown(context, interface));
    match (found, denied) {
        (Some(found), _) => Fact::Known(found),
        (None, Some(path)) => Fact::unknown(Reason::NeedsAdministrator, path),
        (None, None) => {
            Fact::unknown(Reason::SourceMissing, "no network service that the product reads set the address")
        }
    }
}

/// A lease of systemd-networkd, dhclient or dhcpcd for this interface.
fn leased(context: &CheckContext, interface: &str, index: Option<&str>, addresses: &[String]) -> bool {
    if index.is_some_and(|index| context.os.exists(&format!("/run/systemd/netif/leases/{index}"))) {
        return true;
    }
    let dhclient = ["/var/lib/dhcp", "/var/lib/dhclient", "/var/lib/NetworkManager"].iter().any(|folder| {
        let names = context.os.list(folder).unwrap_or_default();
        let leases = names.iter().filter(|name| name.starts_with("dhclient") && name.contains(".lease"));
        leases
            .filter_map(|name| context.text(&format!("{folder}/{name}")).ok())
            .any(|text| dhclient(&text, interface, addresses))
    });
    let dhcpcd = ["/var/lib/dhcpcd", "/var/lib/dhcpcd5"]
        .iter()
        .any(|folder| context.os.exists(&format!("{folder}/{interface}.lease")) && context.runs("dhcpcd"));
    dhclient || dhcpcd
}

/// True when the file's newest lease for the interface is for an address it has.
fn dhclient(text: &str, interface: &str, addresses: &[String]) -> bool {
    let (mut of, mut last) = (false, None);
    for line in lines(text) {
        let line = line.trim_end_matches(';');
        if let Some(name) = line.strip_prefix("interface ") {
            of = unquoted(name.trim()) == interface;
        } else if let Some(address) = line.strip_prefix("fixed-address ")
            && of
        {
            last = Some(address.trim());
        }
    }
    last.is_some_and(|address| addresses.iter().any(|own| own.split('/').next() == Some(address)))
}

/// The `.network` file that systemd-networkd reports. Leases were checked before.
fn networkd(context: &CheckContext, index: Option<&str>) -> Option<Addressing> {
    let state = context.text(&format!("/run/systemd/netif/links/{}", index?)).ok()?;
    let file = assigned(&state, "NETWORK_FILE")?.to_owned();
    let dropped = assigned(&state, "NETWORK_FILE_DROPINS").unwrap_or_default();
    let mut text = context.text(&file).ok()?;
    // Drop-ins are applied on top, in order.
    for path in dropped.split_whitespace() {
        text.push('\n');
        text.push_str(&context.text(path).ok()?);
    }
    let fixed = ini_value(&text, "network", "address").or_else(|| ini_value(&text, "address", "address"));
    let dhcp = ini_value(&text, "network", "dhcp")
        .is_some_and(|word| ["yes", "true", "ipv4", "both"].contains(&word.as_str()));
    (fixed.is_some() && !dhcp).then_some(Addressing::Static)
}

/// The active NetworkManager connection of the interface, from its profile. Profiles may be readable by root only.
fn network_manager(context: &CheckContext, index: Option<&str>, denied: &mut Option<String>) -> Option<Addressing> {
    // What a stopped one left behind is outdated.
    if !context.runs("NetworkManager") {
        return None;
    }
    let state = context.text(&format!("/run/NetworkManager/devices/{}", index?)).ok()?;
    let uuid = ini_value(&state, "device", "connection-uuid")?;
    for folder in ["/run/NetworkManager/system-connections", "/etc/NetworkManager/system-connections"] {
        match context.texts(folder, ".nmconnection") {
            Ok(profiles) => {
                let own =
                    profiles.iter().find(|(_, text)| ini_value(text, "connection", "uuid").as_ref() == Some(&uuid));
                if let Some((_, text)) = own {
                    return method(ini_value(text, "ipv4", "method").as_deref());
                }
            }
            Err(OsError::Denied(path)) => *denied = Some(path),
            Err(_) => {}
        }
    }
    ifcfg(context, &uuid, denied)
}

fn method(method: Option<&str>) -> Option<Addressing> {
    match method {
        Some("auto") => Some(Addressing::Dhcp),
        Some("manual") => Some(Addressing::Static),
        _ => None,
    }
}

/// Red Hat's older profile format.
fn ifcfg(context: &CheckContext, uuid: &str, denied: &mut Option<String>) -> Option<Addressing> {
    let folder = "/etc/sysconfig/network-scripts";
    for name in context.os.list(folder).unwrap_or_default().iter().filter(|name| name.starts_with("ifcfg-")) {
        match context.text(&format!("{folder}/{name}")) {
            Ok(text) if assigned(&text, "UUID") == Some(uuid) => {
                return match assigned(&text, "BOOTPROTO").unwrap_or("none") {
                    "dhcp" => Some(Addressing::Dhcp),
                    "none" | "static" => Some(Addressing::Static),
                    _ => None,
                };
            }
            Err(OsError::Denied(path)) => *denied = Some(path),
            _ => {}
        }
    }
    None
}

/// `iface NAME inet static` of ifupdown. Its `dhcp` alone proves nothing: only a lease does.
fn ifupdown(context: &CheckContext, interface: &str) -> Option<Addressing> {
    let texts = context.gathered(&["/etc/network/interfaces", "/etc/network/interfaces.d/*"]).ok()?;
    let fixed = texts.iter().flat_map(|text| lines(text)).any(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        matches!(words[..], ["iface", name, "inet", "static", ..] if name == interface)
    });
    fixed.then_some(Addressing::Static)
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    fn of(os: Recorded) -> Fact<Addressing> {
        let os = os.file("/sys/class/net/eth0/ifindex", "2\n");
        addressing(&CheckContext::of(os), "eth0", &["10.0.0.5/24".to_owned()])
    }

    fn managed() -> Recorded {
        Recorded::new().process(620, "NetworkManager", "/usr/sbin/NetworkManager")
    }

    const NM: &str = "[device]\nmanaged=full\nconnection-uuid=5b2a\nroute-metric-default-aspired=100\n";

    #[test]
    fn a_lease_of_the_very_address_is_dhcp() {
        let lease = "lease {\n  interface \"eth0\";\n  fixed-address 10.0.0.9;\n}\nlease {\n  interface \"eth0\";\n  fixed-address 10.0.0.5;\n}\n";
        assert_eq!(
            of(Recorded::new().file("/var/lib/dhcp/dhclient.eth0.leases", lease)),
            Fact::Known(Addressing::Dhcp)
        );
        let old = "lease {\n  interface \"eth0\";\n  fixed-address 10.0.0.9;\n}\n";
        assert!(of(Recorded::new().file("/var/lib/dhcp/dhclient.eth0.leases", old)).known().is_none());
    }

    #[test]
    fn network_manager_profiles_are_found_by_their_uuid() {
        let os = |method: &str| {
            managed().file("/run/NetworkManager/devices/2", NM).file(
                "/etc/NetworkManager/system-connections/Dây.nmconnection",
                format!("[connection]\nuuid=5b2a\n[ipv4]\nmethod={method}\n"),
            )
        };
        assert_eq!(of(os("auto")), Fact::Known(Addressing::Dhcp));
        assert_eq!(of(os("manual")), Fact::Known(Addressing::Static));
        assert!(of(os("shared")).known().is_none());
        let stopped =
            Recorded { links: std::collections::BTreeMap::new(), ..os("auto") }.file("/proc/620/comm", "other\n");
        assert!(of(stopped).known().is_none(), "what it left behind");
        let denied = managed()
            .unprivileged()
            .file("/run/NetworkManager/devices/2", NM)
            .denying("/etc/NetworkManager/system-connections/x.nmconnection");
        assert!(matches!(of(denied), Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
        let red_hat = managed()
            .file("/run/NetworkManager/devices/2", NM)
            .file("/etc/sysconfig/network-scripts/ifcfg-eth0", "BOOTPROTO=\"none\"\nUUID=5b2a\nIPADDR=10.0.0.5\n");
        assert_eq!(of(red_hat), Fact::Known(Addressing::Static));
    }

    #[test]
    fn networkd_and_ifupdown_say_what_is_static() {
        let networkd = Recorded::new()
            .file(
                "/run/systemd/netif/links/2",
                "ADMIN_STATE=configured\nNETWORK_FILE=/run/systemd/network/10-netplan-eth0.network\n",
            )
            .file(
                "/run/systemd/network/10-netplan-eth0.network",
                "[Match]\nName=eth0\n[Network]\nAddress=10.0.0.5/24\n",
            );
        assert_eq!(of(networkd), Fact::Known(Addressing::Static));
        let dropped = Recorded::new()
            .file(
                "/run/systemd/netif/links/2",
                "NETWORK_FILE=/etc/systemd/network/1.network\nNETWORK_FILE_DROPINS=\"/etc/systemd/network/1.network.d/a.conf\"\n",
            )
            .file("/etc/systemd/network/1.network", "[Match]\nName=eth0\n")
            .file("/etc/systemd/network/1.network.d/a.conf", "[Network]\nAddress=10.0.0.5/24\n");
        assert_eq!(of(dropped), Fact::Known(Addressing::Static));
        let ifupdown = Recorded::new()
            .file("/etc/network/interfaces", "source /etc/network/interfaces.d/*\n")
            .file("/etc/network/interfaces.d/eth0", "auto eth0\niface eth0 inet static\n  address 10.0.0.5/24\n");
        assert_eq!(of(ifupdown), Fact::Known(Addressing::Static));
        let claims = Recorded::new().file("/etc/network/interfaces", "iface eth0 inet dhcp\n");
        assert!(of(claims).known().is_none());
    }
}
