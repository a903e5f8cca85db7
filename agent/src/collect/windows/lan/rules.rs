//! Remote Desktop, WinRM and file sharing: which of them the Windows firewall leaves open to strangers.
//!
//! The question is whether a new connection over TCP from any address would be let in, in the networks the machine is in. It would be
//! where the firewall is off, or where some rule (or what holds without a rule) allows it and none blocks it: what is blocked stays
//! blocked, whatever is allowed. Rules that are set locally, those of the domain's policies and those of a management server lie in three
//! keys and hold together, unless a policy has local ones left out. What one rule says: [`rule`]. What policies allow besides:
//! [`exceptions`].

use std::collections::BTreeSet;

use policies::evaluate::Truth;
use policies::fact::{Fact, FirewallProfile, InboundService, List, Reason};

use super::firewall::{Firewalls, LOCAL, MANAGED, Networks, POLICY, State, local_rules_count};
use crate::collect::windows::remote::rdp_port;
use crate::collect::windows::scene::{Scene, unknown};
use crate::os::windows::{Adapter, Registry};
use crate::os::{Answer, OsError};

mod exceptions;
mod machine;
mod ranges;
mod rule;

use machine::Machine;
use ranges::{Family, Ranges};
use rule::{Attempt, Rule};

const WINRM: [u16; 2] = [5_985, 5_986];
const SMB: u16 = 445;

/// The rules of one key.
struct Source {
    texts: Vec<Registry>,
    /// Where they count; `None` for all networks.
    profiles: Option<BTreeSet<FirewallProfile>>,
}

/// The services that every address may reach in the networks at hand. Where only some of them can be told, those that are open are
/// listed and the list is marked as cut.
pub(super) fn open(
    scene: &Scene,
    firewalls: &Firewalls,
    networks: &Networks,
    adapters: &Answer<Vec<Adapter>>,
) -> Fact<List<InboundService>> {
    let states = match firewalls.states() {
        Fact::Known(states) => states,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let sources = match sources(scene) {
        Fact::Known(sources) => sources,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let machine = Machine::read(scene, adapters);
    let rules: Vec<(Rule<'_>, Option<&BTreeSet<FirewallProfile>>)> = sources
        .iter()
        .flat_map(|source| source.texts.iter().map(|value| (value, source.profiles.as_ref())))
        .filter_map(|(value, profiles)| match value {
            Registry::Text(text) => Some((Rule::read(text)?, profiles)),
            // Windows writes rules as text.
            Registry::Number(_) | Registry::Texts(_) | Registry::Bytes(_) => Some((Rule::odd(), profiles)),
        })
        .collect();
    let rdp = rdp_port(scene).known().and_then(|&port| u16::try_from(port).ok());
    let services: [(InboundService, &[Option<u16>]); 3] =
        [(InboundService::Rdp, &[rdp]), (InboundService::Winrm, &WINRM.map(Some)), (InboundService::Smb, &[Some(SMB)])];
    let open = services.map(|(service, ports)| {
        let in_one = |&(profile, state): &(FirewallProfile, State)| match state {
            State::Off => Truth::True,
            State::Shielded => Truth::False,
            State::On { lets_in } => {
                let ways = ports.iter().flat_map(|&port| [Family::Four, Family::Six].map(|family| (port, family)));
                ways.map(|(port, family)| {
                    let rules = rules.iter().filter(|(_, profiles)| profiles.is_none_or(|all| all.contains(&profile)));
                    let attempt = Attempt { service, port, profile, family };
                    lets_strangers_in(rules.map(|(rule, _)| rule), &attempt, &machine, lets_in)
                })
                .fold(Truth::False, Truth::or)
            }
        };
        (service, networks.over(states.iter().map(in_one)))
    });
    let items: Vec<InboundService> =
        open.iter().filter(|(_, open)| *open == Truth::True).map(|(service, _)| *service).collect();
    let untold = open.iter().filter(|(_, open)| *open == Truth::Unknown).count();
    if items.is_empty() && untold > 0 {
        return Fact::unknown(Reason::Unreadable, "a rule of the firewall, or what it depends on, is not understood");
    }
    Fact::Known(List { items, left_out: u32::try_from(untold).unwrap_or(u32::MAX) })
}

fn sources(scene: &Scene) -> Fact<Vec<Source>> {
    let local_count = match local_rules_count(scene) {
        Fact::Known(profiles) => profiles,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let mut sources = Vec::new();
    for key in [POLICY, MANAGED, LOCAL] {
        match scene.os.values(&format!(r"{key}\FirewallRules")) {
            Ok(values) => sources.push(Source {
                texts: values.into_iter().map(|(_, value)| value).collect(),
                profiles: (key == LOCAL).then(|| local_count.clone()),
            }),
            Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    match exceptions::exceptions(scene) {
        Ok(rules) => {
            sources.push(Source { texts: rules.into_iter().map(Registry::Text).collect(), profiles: None });
        }
        Err(error) => return unknown(&error),
    }
    Fact::Known(sources)
}

/// Whether the attempt succeeds from all addresses but some: what is allowed less what is blocked, of both the sure part.
fn lets_strangers_in<'r, 't: 'r>(
    rules: impl Iterator<Item = &'r Rule<'t>>,
    attempt: &Attempt,
    machine: &Machine,
    without_rule: bool,
) -> Truth {
    let family = attempt.family;
    let start = if without_rule { Ranges::all(family) } else { Ranges::default() };
    let (mut allowed, mut maybe_allowed) = (start.clone(), start);
    let (mut blocked, mut maybe_blocked) = (Ranges::default(), Ranges::default());
    for rule in rules {
        let allows = rule.allows(attempt, machine);
        allowed.add(&allows.sure);
        maybe_allowed.add(&allows.perhaps);
        let blocks = rule.blocks(attempt, machine);
        blocked.add(&blocks.sure);
        maybe_blocked.add(&blocks.perhaps);
    }
    if allowed.without(&maybe_blocked).everybody(family) {
        Truth::True
    } else if maybe_allowed.without(&blocked).everybody(family) {
        Truth::Unknown
    } else {
        Truth::False
    }
}

#[cfg(test)]
mod tests;
