//! Rules of the Windows firewall that open Remote Desktop, WinRM or file sharing to every address.
//!
//! A rule is a text `v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=3389|RA4=LocalSubnet|...` (MS-GPFAS 2.2.2.19);
//! local ones, those of the domain's policies and those of a management server lie in three keys and hold together, unless a policy
//! has local ones left out. A rule without a remote address is for every address, one without a port for every port, one without a
//! profile for every network. Its name, which Windows translates, is not looked at.

use std::collections::BTreeSet;

use policies::fact::{Fact, FirewallProfile, InboundService, List};

use super::firewall::{LOCAL, MANAGED, POLICY, local_rules_count};
use crate::collect::windows::remote::rdp_port;
use crate::collect::windows::scene::{Scene, unknown};
use crate::os::OsError;
use crate::os::windows::Registry;

const TCP: &str = "6";
/// The port of Remote Desktop where none is set.
const RDP: u16 = 3389;

/// An inbound rule that is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rule {
    allows: bool,
    /// `None` for every protocol.
    tcp: Option<bool>,
    /// Ports as first and last; `None` for every port.
    ports: Option<Vec<(u16, u16)>>,
    /// `None` for every network.
    profiles: Option<BTreeSet<FirewallProfile>>,
    /// For every remote address.
    any_address: bool,
    /// For one program or service only.
    bound: bool,
}

impl Rule {
    /// The same rule where only these profiles count.
    fn only_in(self, profiles: &BTreeSet<FirewallProfile>) -> Self {
        let left = match &self.profiles {
            Some(own) => own.intersection(profiles).copied().collect(),
            None => profiles.clone(),
        };
        Self { profiles: Some(left), ..self }
    }
}

/// The services that every address may reach in the networks of `current`.
pub(super) fn open(scene: &Scene, current: &BTreeSet<FirewallProfile>) -> Fact<List<InboundService>> {
    let rdp = rdp_port(scene).known().and_then(|&port| u16::try_from(port).ok()).unwrap_or(RDP);
    let local_count = match local_rules_count(scene) {
        Fact::Known(profiles) => profiles,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let mut rules = Vec::new();
    for key in [POLICY, MANAGED, LOCAL] {
        match scene.os.values(&format!(r"{key}\FirewallRules")) {
            Ok(values) => rules.extend(values.iter().filter_map(|(_, value)| match value {
                Registry::Text(text) if key == LOCAL => read(text).map(|rule| rule.only_in(&local_count)),
                Registry::Text(text) => read(text),
                _ => None,
            })),
            Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    let services: [(InboundService, &[u16]); 3] =
        [(InboundService::Rdp, &[rdp]), (InboundService::Winrm, &[5985, 5986]), (InboundService::Smb, &[445])];
    let open = |ports: &[u16]| ports.iter().any(|&port| current.iter().any(|profile| opens(&rules, port, *profile)));
    Fact::Known(services.into_iter().filter(|(_, ports)| open(ports)).map(|(service, _)| service).collect())
}

/// True when some rule opens the port to every address in a network of this profile and none closes it. What is blocked stays
/// blocked, whatever is allowed.
fn opens(rules: &[Rule], port: u16, profile: FirewallProfile) -> bool {
    let concerns = |rule: &&Rule| {
        rule.tcp != Some(false)
            && rule.any_address
            && rule.profiles.as_ref().is_none_or(|profiles| profiles.contains(&profile))
            && match &rule.ports {
                Some(ports) => ports.iter().any(|&(first, last)| (first..=last).contains(&port)),
                // A rule for one program opens the ports of that program, whichever they are.
                None => !rule.bound,
            }
    };
    let mut concerned = rules.iter().filter(concerns);
    concerned.clone().any(|rule| rule.allows) && concerned.all(|rule| rule.allows || rule.bound)
}

/// Reads a rule; `None` when it is off, for outgoing packets or damaged.
fn read(text: &str) -> Option<Rule> {
    let mut parts = text.split('|');
    if !parts.next()?.starts_with('v') {
        return None;
    }
    let mut rule = Rule { any_address: true, ..Rule::default() };
    let (mut active, mut inbound, mut action) = (false, false, false);
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        match key {
            "Action" => {
                action = true;
                rule.allows = value.eq_ignore_ascii_case("Allow");
            }
            "Active" => active = value.eq_ignore_ascii_case("TRUE"),
            "Dir" => inbound = value.eq_ignore_ascii_case("In"),
            "Protocol" => rule.tcp = Some(value == TCP),
            "Profile" => {
                let profile = match value {
                    "Domain" => FirewallProfile::Domain,
                    "Private" => FirewallProfile::Private,
                    "Public" => FirewallProfile::Public,
                    _ => continue,
                };
                rule.profiles.get_or_insert_default().insert(profile);
            }
            // Names of ports (`RPC`, `IPHTTPSIn`) are none of those that are looked for.
            "LPort" => rule.ports.get_or_insert_default().extend(value.parse().ok().map(|port: u16| (port, port))),
            _ if key.starts_with("LPort2") => rule.ports.get_or_insert_default().extend(range(value)),
            _ if key.starts_with("RA4") || key.starts_with("RA6") => rule.any_address &= is_any(value),
            "App" if !value.eq_ignore_ascii_case("System") => rule.bound = true,
            "Svc" if value != "*" => rule.bound = true,
            _ => {}
        }
    }
    (action && active && inbound).then_some(rule)
}

fn range(value: &str) -> Option<(u16, u16)> {
    let (first, last) = value.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

fn is_any(value: &str) -> bool {
    ["*", "", "0.0.0.0/0", "0.0.0.0-255.255.255.255", "0.0.0.0/0.0.0.0", "::/0"].contains(&value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RDP_RULE: &str = r"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|App=%SystemRoot%\system32\svchost.exe|Svc=termservice|Name=@FirewallAPI.dll,-28775|Desc=@FirewallAPI.dll,-28756|EmbedCtxt=@FirewallAPI.dll,-28752|";

    fn opened(rules: &[&str], port: u16, profile: FirewallProfile) -> bool {
        let rules: Vec<Rule> = rules.iter().filter_map(|text| read(text)).collect();
        opens(&rules, port, profile)
    }

    #[test]
    fn a_rule_without_an_address_is_for_every_address() {
        assert!(opened(&[RDP_RULE], 3389, FirewallProfile::Public));
        assert!(!opened(&[RDP_RULE], 5985, FirewallProfile::Public));
        for limited in ["RA4=LocalSubnet|", "RA42=IntErnet|", "RA4=10.1.0.0/255.255.0.0|RA6=LocalSubnet|"] {
            assert!(!opened(&[&format!("{RDP_RULE}{limited}")], 3389, FirewallProfile::Public), "{limited}");
        }
        assert!(opened(&[&format!("{RDP_RULE}RA4=0.0.0.0-255.255.255.255|")], 3389, FirewallProfile::Public));
    }

    #[test]
    fn rules_that_are_off_or_go_out_or_are_for_other_networks_open_nothing() {
        for (from, to) in [
            ("Active=TRUE", "Active=FALSE"),
            ("Dir=In", "Dir=Out"),
            ("Action=Allow", "Action=Block"),
            ("Protocol=6", "Protocol=17"),
            ("LPort=3389", "Profile=Domain|LPort=3389"),
            ("LPort=3389", "LPort=RPC"),
            ("LPort=3389|", ""),
            ("v2.30", "2.30"),
        ] {
            assert!(!opened(&[&RDP_RULE.replace(from, to)], 3389, FirewallProfile::Public), "{to}");
        }
    }

    #[test]
    fn ranges_and_rules_for_everything_count() {
        assert!(opened(
            &["v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort2_10=3000-4000|"],
            3389,
            FirewallProfile::Private
        ));
        assert!(opened(&["v2.10|Action=Allow|Active=TRUE|Dir=In|"], 445, FirewallProfile::Domain));
        assert!(opened(
            &["v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=System|LPort=5985|Profile=Private|Profile=Domain|"],
            5985,
            FirewallProfile::Domain
        ));
        let blocked =
            ["v2.10|Action=Allow|Active=TRUE|Dir=In|", "v2.10|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=445|"];
        assert!(!opened(&blocked, 445, FirewallProfile::Domain));
    }

    #[test]
    fn damaged_rules_are_none() {
        for text in
            ["", "|||", "v2.30", "v2.30|Action=Allow", "Quy tắc=1|v2|Dir=In", "v2|Dir=In|Active=TRUE|LPort=99999999|"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        let odd = read("v2|Action=Allow|Dir=In|Active=TRUE|LPort=99999999|LPort2_10=9-x|").unwrap();
        assert_eq!(odd.ports, Some(Vec::new()));
    }
}
