//! Policy exceptions in the format of Windows XP, which later versions still obey: below a domain policy profile
//! `Services\RemoteDesktop`, `Services\FileAndPrint`, `RemoteAdminSettings`, each with `Enabled` and `RemoteAddresses`, and
//! `GloballyOpenPorts\List` (`WindowsFirewall.admx`). They are converted to rules.

use policies::fact::FirewallProfile;

use super::super::firewall::{ALL, POLICY, policy_key};
use crate::windows::context::{CheckContext, Setting};
use os::windows::Registry;
use os::{Answer, OsError};

/// The relevant ports that each one opens.
const SERVICES: [(&str, u16); 3] =
    [(r"Services\RemoteDesktop", 3_389), (r"Services\FileAndPrint", 445), ("RemoteAdminSettings", 445)];

/// All exceptions as rule texts.
///
/// # Errors
/// When a policy exists but cannot be read.
pub(super) fn exceptions(context: &CheckContext) -> Answer<Vec<String>> {
    let mut rules = Vec::new();
    for profile in ALL {
        let key = format!(r"{POLICY}\{}", policy_key(context, profile)?);
        let word = match profile {
            FirewallProfile::Domain => "Domain",
            FirewallProfile::Private => "Private",
            _ => "Public",
        };
        for (below, port) in SERVICES {
            let key = format!(r"{key}\{below}");
            match context.number(&key, "Enabled") {
                Setting::Set(0) | Setting::Absent => {}
                Setting::Set(_) => rules.push(rule(word, &port.to_string(), &addresses(context, &key)?)),
                Setting::Unreadable(error) => return Err(error),
            }
        }
        for text in ports(context, &format!(r"{key}\GloballyOpenPorts"))? {
            rules.extend(port(word, &text));
        }
    }
    Ok(rules)
}

fn addresses(context: &CheckContext, key: &str) -> Answer<String> {
    match context.text(key, "RemoteAddresses") {
        Setting::Set(addresses) => Ok(addresses),
        Setting::Absent => Ok("*".to_owned()),
        Setting::Unreadable(error) => Err(error),
    }
}

fn ports(context: &CheckContext, key: &str) -> Answer<Vec<String>> {
    if context.number(key, "Enabled") == Setting::Set(0) {
        return Ok(Vec::new());
    }
    match context.os.values(&format!(r"{key}\List")) {
        Ok(values) => Ok(values
            .into_iter()
            .map(|(_, value)| match value {
                Registry::Text(text) => text,
                Registry::Number(_) | Registry::Texts(_) | Registry::Bytes(_) => String::new(),
            })
            .collect()),
        Err(OsError::Missing(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// `3389:TCP:10.0.0.0/24,localsubnet:enabled:Name`; a malformed text becomes a rule of unknown meaning.
fn port(profile: &str, text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let read = || {
        let (port, rest) = lower.split_once(':')?;
        let (transport, rest) = rest.split_once(':')?;
        let (addresses, on) = match (rest.split_once(":enabled"), rest.split_once(":disabled")) {
            (Some((addresses, _)), None) => (addresses, true),
            (None, Some((addresses, _))) => (addresses, false),
            _ => return None,
        };
        Some((port, transport, addresses, on))
    };
    match read() {
        Some((_, _, _, false)) | Some((_, "udp", ..)) => None,
        Some((port, "tcp", addresses, true)) => Some(rule(profile, port, addresses)),
        _ => Some(format!("v2.0|Active=TRUE|Dir=In|Profile={profile}|")),
    }
}

fn rule(profile: &str, port: &str, addresses: &str) -> String {
    let mut rule = format!("v2.0|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile={profile}|LPort={port}|");
    for address in addresses.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        let words: &[&str] = match address {
            address if address.contains(':') => &["RA6"],
            address if address.contains('.') => &["RA4"],
            _ => &["RA4", "RA6"],
        };
        rule.extend(words.iter().map(|word| format!("{word}={address}|")));
    }
    rule
}
