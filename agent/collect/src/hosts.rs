//! The hosts file, which has the same format on every system.

use std::collections::BTreeSet;
use std::net::IpAddr;

use policies::fact::{Fact, HostOverride, Interface, List, Reason};

use super::text::capped;

/// The most bytes read of the hosts file: ad-blocking lists are megabytes long.
pub(super) const CAP: usize = 4 << 20;

/// Names for the machine itself on every system.
const LOOPBACK: [&str; 8] = [
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
];
/// Names of IPv6 address groups that Debian and others write.
const GROUPS: [&str; 5] = ["ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts"];

/// The machine's own names and addresses.
pub(super) struct Own {
    name: String,
    addresses: BTreeSet<IpAddr>,
}

impl Own {
    /// Its name, with or without domain, and its interface addresses, if known.
    pub(super) fn new(name: &str, interfaces: &Fact<List<Interface>>) -> Self {
        let address = |text: &String| text.split('/').next()?.parse().ok();
        let interfaces = interfaces.known().map_or(&[][..], |list| &list.items);
        let addresses = interfaces.iter().flat_map(|interface| interface.addresses.items.iter().filter_map(address));
        Self { name: name.to_lowercase(), addresses: addresses.collect() }
    }

    /// True for entries every system has: its own names at its own addresses. Whether a name is usual depends on its
    /// address.
    fn is_usual(&self, name: &str, address: IpAddr) -> bool {
        if LOOPBACK.contains(&name) {
            return address.to_canonical().is_loopback();
        }
        if GROUPS.contains(&name) {
            return matches!(address, IpAddr::V6(address) if matches!(address.segments()[0], 0xFE00 | 0xFF00 | 0xFF02));
        }
        let short = self.name.split('.').next().unwrap_or_default();
        if short.is_empty() {
            return name == "broadcasthost";
        }
        // With a domain appended the name may be anyone's.
        let full = name.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'));
        name == "broadcasthost"
            || name == self.name
            || name == short
            || full && (address.to_canonical().is_loopback() || self.addresses.contains(&address))
    }
}

/// The names that the file maps to an address, except the usual ones. `head` is the start of the file, at most one byte more than
/// [`CAP`]. For a longer file the overrides in the part that was read are listed, and the list is marked as cut.
pub(super) fn overrides(head: &[u8], own: &Own) -> Fact<List<HostOverride>> {
    let cut = head.len() > CAP;
    // The last line of a partial file may be incomplete.
    let end = if cut { head[..CAP].iter().rposition(|&byte| byte == b'\n').unwrap_or(0) } else { head.len() };
    let text = String::from_utf8_lossy(&head[..end]);
    let mut kept: BTreeSet<(String, String)> = BTreeSet::new();
    let mut left_out = u32::from(cut);
    for line in text.trim_start_matches('\u{FEFF}').lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let Some(written) = words.next() else { continue };
        let (plain, zone) = written.split_once('%').unwrap_or((written, ""));
        let Ok(address) = plain.parse::<IpAddr>() else { continue };
        // Lists made on macOS name the machine itself as `fe80::1%lo0`.
        for name in words.map(str::to_lowercase).filter(|name| !zone.starts_with("lo") && !own.is_usual(name, address))
        {
            kept.insert((capped(&name), capped(written)));
            if kept.len() > List::<HostOverride>::CAP {
                kept.pop_last();
                left_out = left_out.saturating_add(1);
            }
        }
    }
    if cut && kept.is_empty() {
        return Fact::unknown(
            Reason::Unreadable,
            format!("the hosts file is larger than {CAP} bytes, and no name is overridden in these"),
        );
    }
    Fact::Known(List {
        items: kept.into_iter().map(|(name, address)| HostOverride { name, address }).collect(),
        left_out,
    })
}

#[cfg(test)]
mod tests {
    use policies::fact::{Addressing, InterfaceKind};

    use super::*;

    fn own(name: &str) -> Own {
        let interface = Interface {
            name: "eth0".to_owned(),
            kind: InterfaceKind::Wired,
            mac: Fact::default(),
            addresses: ["10.0.0.5/24".to_owned()].into_iter().collect(),
            addressing: Fact::Known(Addressing::Static),
            default_route: true,
            category: Fact::default(),
            wireless: Fact::default(),
        };
        Own::new(name, &Fact::Known([interface].into_iter().collect()))
    }

    fn found(text: &str, name: &str) -> Vec<(String, String)> {
        let list = overrides(text.as_bytes(), &own(name)).known().unwrap().clone();
        assert_eq!(list.left_out, 0);
        list.items.into_iter().map(|entry| (entry.name, entry.address)).collect()
    }

    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
        pairs.map(|(name, address)| (name.to_owned(), address.to_owned())).to_vec()
    }

    #[test]
    fn overridden_names_are_listed_and_the_usual_ones_left_out() {
        let text = "127.0.0.1 localhost\n127.0.1.1\txa-mt-01.lan xa-mt-01\n::1 ip6-localhost ip6-loopback localhost\n\
            fe00::0 ip6-localnet\nff02::1 ip6-allnodes\n255.255.255.255 broadcasthost\nfe80::1%lo0 localhost\n\
            10.0.0.5 xa-mt-01.xa.gov.vn xa-mt-01\n\
            10.1.1.1 dichvucong.gov.vn # chặn\nnot-an-address evil\n0.0.0.0 ADS.example ads.example\n";
        assert_eq!(found(text, "xa-mt-01"), pairs([("ads.example", "0.0.0.0"), ("dichvucong.gov.vn", "10.1.1.1")]));
        assert_eq!(found("", ""), []);
    }

    #[test]
    fn usual_names_count_by_their_address() {
        let text = "203.0.113.5 localhost\n203.0.113.5 localhost.gov.vn\n127.0.0.1 localhost.gov.vn\n\
            203.0.113.5 ward-pc.dichvucong.gov.vn\n203.0.113.6 ip6-loopback ip6-allnodes\nfe80::9%eth0 vneid.gov.vn\n";
        assert_eq!(
            found(text, "ward-pc"),
            pairs([
                ("ip6-allnodes", "203.0.113.6"),
                ("ip6-loopback", "203.0.113.6"),
                ("localhost", "203.0.113.5"),
                ("localhost.gov.vn", "127.0.0.1"),
                ("localhost.gov.vn", "203.0.113.5"),
                ("vneid.gov.vn", "fe80::9%eth0"),
                ("ward-pc.dichvucong.gov.vn", "203.0.113.5"),
            ])
        );
    }

    #[test]
    fn the_part_of_a_long_file_that_was_read_decides_where_it_can() {
        let comments = "# filler\n".repeat(CAP / 9 + 1);
        let long = |start: &str| overrides(format!("{start}{comments}").as_bytes(), &own("pc")).clone();
        let list = long("0.0.0.0 dichvucong.gov.vn\n").known().unwrap().clone();
        assert_eq!((list.items.len(), list.left_out), (1, 1));
        assert!(
            matches!(long("127.0.0.1 localhost\n"), Fact::Unknown(unknown) if unknown.reason == Reason::Unreadable)
        );
        // A truncated line must not be read as a shorter name.
        let half = format!("{}203.0.113.5 vneid.gov.vn", "#".repeat(CAP - 15) + "\n");
        assert!(overrides(half.as_bytes(), &own("pc")).known().is_none());
        let many: String = (0..600).map(|at| format!("0.0.0.0 {at}.example\n")).collect();
        let list = overrides(many.as_bytes(), &own("pc")).known().unwrap().clone();
        assert_eq!((list.items.len(), list.left_out), (500, 100));
    }
}
