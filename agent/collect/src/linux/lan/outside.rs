//! The ways a stranger's packet can reach this machine: which devices it passes, and which addresses it can be sent to.

use std::net::Ipv6Addr;

use super::filter::Version;
use crate::linux::context::{CheckContext, optional};
use crate::ways_out::WayOut;

/// One way in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outside {
    /// The devices in the order the packet passes them: a bridge's port before the bridge. The last one has the addresses.
    pub(super) devices: Vec<String>,
    /// Which of them is a bridge.
    pub(super) bridge: Option<usize>,
    /// False when filters may see the packet on an interface other than the last device (a VRF).
    pub(super) named: bool,
    /// The group of the last device; 0 unless set.
    pub(super) group: u128,
    ipv4: Vec<u128>,
    ipv6: Vec<u128>,
    /// IP versions in which the machine answers strangers this way: IPv4, IPv6.
    routed: [bool; 2],
    /// IP versions in which it can be reached this way.
    reached: [bool; 2],
}

impl Outside {
    /// The IP versions in which the machine can be reached this way.
    pub(super) fn versions(&self) -> impl Iterator<Item = Version> + use<> {
        let [ipv4, ipv6] = self.reached;
        [(ipv4, Version::V4), (ipv6, Version::V6)]
            .into_iter()
            .filter_map(|(reached, version)| reached.then_some(version))
    }

    /// Its addresses.
    pub(super) fn addresses(&self, version: Version) -> &[u128] {
        match version {
            Version::V4 => &self.ipv4,
            Version::V6 => &self.ipv6,
        }
    }

    /// Whether a way out leaves by it.
    pub(super) fn routed(&self, version: Version) -> bool {
        self.routed[usize::from(version == Version::V6)]
    }
}

/// All ways in: interfaces that have an address, and either hardware below them or a default route. If there are none, all
/// others with an address; on an unreachable machine an invented one, so that "all" is never true of an empty set.
pub(super) fn outsides(context: &CheckContext, ways_out: &[WayOut]) -> Vec<Outside> {
    let addresses = Addresses::read(context);
    let names = context.os.list("/sys/class/net").unwrap_or_default();
    let names = names.iter().filter(|name| is_up(context, name));
    let all: Vec<Outside> = names.flat_map(|name| ways(context, name, &addresses, ways_out)).collect();
    let outer = |outside: &&Outside| outside.routed != [false; 2] || hardware(context, &outside.devices[0]);
    let found: Vec<Outside> = all.iter().filter(outer).cloned().collect();
    match (found.is_empty(), all.is_empty()) {
        (false, _) => found,
        (true, false) => all,
        (true, true) => vec![Outside {
            devices: vec!["eth0".to_owned()],
            named: true,
            routed: [true; 2],
            reached: [true, addresses.ipv6.is_none_or(|ipv6| ipv6.iter().any(|(name, _)| name != "lo"))],
            ..Outside::default()
        }],
    }
}

/// Addresses of the machine with their interfaces; `None` where they cannot be read.
struct Addresses {
    ipv4: Option<Vec<(String, u128)>>,
    ipv6: Option<Vec<(String, u128)>>,
}

impl Addresses {
    fn read(context: &CheckContext) -> Self {
        let ipv4 = context.os.addresses().ok().map(|all| {
            all.iter().filter_map(|(name, text)| Some((name.split(':').next()?.to_owned(), ipv4(text)?))).collect()
        });
        // Without IPv6 the file does not exist.
        let text = optional(context.text("/proc/net/if_inet6")).ok();
        let ipv6 = text.map(|text| text.unwrap_or_default().lines().filter_map(ipv6).collect());
        Self { ipv4, ipv6 }
    }
}

/// The ways that end at the device: one per hardware device below it, or per lowest device if there is no hardware.
fn ways(context: &CheckContext, name: &str, addresses: &Addresses, ways_out: &[WayOut]) -> Vec<Outside> {
    let own = |all: &Option<Vec<(String, u128)>>| -> Option<Vec<u128>> {
        let own = |(of, address): &(String, u128)| (of == name).then_some(*address);
        all.as_ref().map(|all| all.iter().filter_map(own).collect())
    };
    let (ipv4, ipv6) = (own(&addresses.ipv4), own(&addresses.ipv6));
    let reached = [&ipv4, &ipv6].map(|own| own.as_ref().is_none_or(|own| !own.is_empty()));
    if reached == [false; 2] {
        return Vec::new();
    }
    let folder = format!("/sys/class/net/{name}");
    let leaves = |ipv6| ways_out.iter().any(|way| way.interface == name && way.ipv6 == ipv6);
    let last = Outside {
        // Enslaved but with an address: filters see the master.
        named: !context.os.exists(&format!("{folder}/master")),
        group: context.line(&format!("{folder}/netdev_group")).and_then(|text| text.parse().ok()).unwrap_or_default(),
        routed: [leaves(false), leaves(true)],
        reached,
        ipv4: ipv4.unwrap_or_default(),
        ipv6: ipv6.unwrap_or_default(),
        ..Outside::default()
    };
    let mut ways = Vec::new();
    descend(context, vec![name.to_owned()], &mut ways);
    if ways.iter().any(|devices| hardware(context, &devices[0])) {
        ways.retain(|devices| hardware(context, &devices[0]));
    }
    let way = |devices: Vec<String>| {
        let bridge = devices.iter().position(|device| context.os.exists(&format!("/sys/class/net/{device}/bridge")));
        Outside { devices, bridge, ..last.clone() }
    };
    ways.into_iter().map(way).collect()
}

/// Adds `upper`, with each chain of devices below its first one.
fn descend(context: &CheckContext, upper: Vec<String>, ways: &mut Vec<Vec<String>>) {
    /// More levels than any machine stacks; and more ports than an office's bridge has.
    const DEEP: usize = 8;
    const WIDE: usize = 64;
    let lowers: Vec<String> = context
        .os
        .list(&format!("/sys/class/net/{}", upper[0]))
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.strip_prefix("lower_"))
        .filter(|lower| is_up(context, lower))
        .map(str::to_owned)
        .collect();
    if lowers.is_empty() || upper.len() >= DEEP || ways.len() >= WIDE {
        ways.push(upper);
        return;
    }
    for lower in lowers {
        descend(context, [vec![lower], upper.clone()].concat(), ways);
    }
}

fn hardware(context: &CheckContext, name: &str) -> bool {
    context.os.exists(&format!("/sys/class/net/{name}/device"))
}

fn is_up(context: &CheckContext, name: &str) -> bool {
    const UP: u32 = 0x1;
    const LOOPBACK: u32 = 0x8;
    let flags = context.line(&format!("/sys/class/net/{name}/flags"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok());
    flags.is_some_and(|flags| flags & UP != 0 && flags & LOOPBACK == 0)
}

fn ipv4(text: &str) -> Option<u128> {
    let address: std::net::Ipv4Addr = text.split('/').next()?.parse().ok()?;
    Some(u128::from(u32::from(address)))
}

/// A line of `/proc/net/if_inet6`: interface and address.
fn ipv6(line: &str) -> Option<(String, u128)> {
    let mut words = line.split_ascii_whitespace();
    let address = u128::from_str_radix(words.next()?, 16).ok()?;
    Some((words.nth(4)?.to_owned(), u128::from(Ipv6Addr::from(address))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    fn with(mut os: Recorded, name: &str, address: Option<&str>, lowers: &[&str]) -> Recorded {
        os = os.file(&format!("/sys/class/net/{name}/flags"), "0x1003\n");
        os.addresses.extend(address.map(|address| (name.to_owned(), address.to_owned())));
        let link = |os: Recorded, lower: &&str| os.symlink(&format!("/sys/class/net/{name}/lower_{lower}"), "x");
        lowers.iter().fold(os, link)
    }

    fn hardware(os: Recorded, name: &str) -> Recorded {
        with(os, name, None, &[]).folder(&format!("/sys/class/net/{name}/device"))
    }

    fn devices(os: Recorded) -> Vec<(String, Option<usize>)> {
        let context = CheckContext::of(os);
        let found = outsides(&context, &[]);
        found.into_iter().map(|outside| (outside.devices.join(" "), outside.bridge)).collect()
    }

    #[test]
    fn bonds_bridges_and_vlans_are_followed_down_to_their_hardware() {
        let two = hardware(hardware(Recorded::new(), "eth0"), "eth1");
        let bond = with(two.clone(), "bond0", Some("10.0.0.5/24"), &["eth0", "eth1"]);
        assert_eq!(devices(bond), [("eth0 bond0".to_owned(), None), ("eth1 bond0".to_owned(), None)]);
        let vlan = with(two.clone(), "eth0.10", Some("10.0.0.5/24"), &["eth0"]);
        assert_eq!(devices(vlan), [("eth0 eth0.10".to_owned(), None)]);
        // A virtual machine's port is no way in from outside.
        let bridge = with(with(two, "vnet0", None, &[]), "br0", Some("10.0.0.5/24"), &["eth0", "vnet0"]);
        let bridge = bridge.folder("/sys/class/net/br0/bridge");
        assert_eq!(devices(bridge.clone()), [("eth0 br0".to_owned(), Some(1))]);
        let containers = with(bridge, "docker0", Some("172.17.0.1/16"), &[]);
        assert_eq!(devices(containers), [("eth0 br0".to_owned(), Some(1))]);
    }

    #[test]
    fn without_hardware_every_address_counts_and_without_any_a_made_up_one() {
        let lease = with(Recorded::new(), "venet0", Some("10.0.0.5/24"), &[]);
        assert_eq!(devices(lease), [("venet0".to_owned(), None)]);
        assert_eq!(devices(Recorded::new()), [("eth0".to_owned(), None)]);
    }

    #[test]
    fn addresses_that_cannot_be_read_are_taken_for_some() {
        let os = hardware(Recorded::new(), "eth0").denying("/proc/net/if_inet6");
        let context = CheckContext::of(os);
        let versions: Vec<Version> = outsides(&context, &[])[0].versions().collect();
        assert_eq!(versions, [Version::V6]);
    }
}
