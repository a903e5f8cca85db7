//! The hosts file, which has the same form on every system.

use policies::fact::HostOverride;

use super::text::capped;

/// Names of the hosts file besides the machine's own and those every system has.
pub(super) fn overrides(text: &str, own: &str) -> Vec<HostOverride> {
    let own = own.to_lowercase();
    let short = own.split('.').next().unwrap_or_default().to_owned();
    let standard = |name: &str| {
        name == "localhost"
            || name == "broadcasthost"
            || name.starts_with("localhost.")
            || ["localhost4", "localhost6", "localhost4.localdomain4", "localhost6.localdomain6"].contains(&name)
            || ["ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix"].contains(&name)
            || ["ip6-allnodes", "ip6-allrouters", "ip6-allhosts"].contains(&name)
            || (!own.is_empty() && (name == own || name == short || name.starts_with(&format!("{short}."))))
    };
    let mut overrides = Vec::new();
    for line in text.trim_start_matches('\u{FEFF}').lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let Some(address) = words.next().filter(|address| address.parse::<std::net::IpAddr>().is_ok()) else {
            continue;
        };
        for name in words.map(str::to_lowercase).filter(|name| !standard(name)) {
            overrides.push(HostOverride { name: capped(&name), address: capped(address) });
        }
    }
    overrides.sort_unstable_by(|one, other| (&one.name, &one.address).cmp(&(&other.name, &other.address)));
    overrides.dedup();
    overrides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overridden_names_are_listed_and_the_usual_ones_left_out() {
        let text = "127.0.0.1 localhost\n127.0.1.1\txa-mt-01.lan xa-mt-01\n::1 ip6-localhost ip6-loopback localhost\n\
            10.1.1.1 dichvucong.gov.vn # chặn\nnot-an-address evil\n0.0.0.0 ADS.example ads.example\n";
        let found: Vec<_> = overrides(text, "xa-mt-01").into_iter().map(|entry| (entry.name, entry.address)).collect();
        let expected = [("ads.example", "0.0.0.0"), ("dichvucong.gov.vn", "10.1.1.1")];
        assert_eq!(found, expected.map(|(name, address)| (name.to_owned(), address.to_owned())));
        assert!(overrides("", "").is_empty());
    }
}
