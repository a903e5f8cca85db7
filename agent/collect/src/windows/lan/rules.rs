//! Which of Remote Desktop, WinRM and file sharing the Windows firewall leaves open to strangers.
//!
//! The question is whether a new TCP connection from any address would be let in, in the machine's current networks. It would if the
//! firewall is off, or if some rule (or the default) allows it and none blocks it: blocking wins over allowing. Local rules, domain
//! policy rules and management server rules are in three keys and apply together, unless a policy disables local ones. What one rule
//! means: [`rule`]. What policies allow besides: [`exceptions`].

use std::collections::BTreeSet;

use policies::evaluate::Truth;
use policies::fact::{Fact, FirewallProfile, InboundService, List, Reason};

use super::firewall::{Firewalls, LOCAL, MANAGED, Networks, POLICY, State, local_rules_count};
use super::names::netbios;
use crate::windows::context::{CheckContext, unknown};
use crate::windows::remote::{rdp_port, winrm_ports};
use os::windows::{Adapter, Registry};
use os::{Answer, OsError};

mod exceptions;
mod machine;
mod ranges;
mod rule;

use machine::Machine;
use ranges::{Family, Ranges};
use rule::{Attempt, Rule};

const SMB: u16 = 445;
/// The additional port of file sharing while NetBIOS is on.
const NETBIOS: u16 = 139;
const BOTH: &[Family] = &[Family::Four, Family::Six];
/// Ports of no particular service: whatever lets strangers in at all of them lets them in everywhere.
const ORDINARY: [u16; 3] = [12_345, 23_457, 41_239];

/// The rules of one key.
struct Source {
    texts: Vec<Registry>,
    /// Where they apply; `None` for all networks.
    profiles: Option<BTreeSet<FirewallProfile>>,
}

/// The rules of all keys, and the machine state they depend on.
pub(super) struct Rules {
    sources: Vec<Source>,
    machine: Machine,
    doors: [(InboundService, Vec<Door>); 3],
}

/// A port where a service may be reached.
struct Door {
    /// `None` when it is not known.
    port: Option<u16>,
    /// Whether the service is available there.
    served: Truth,
    families: &'static [Family],
}

impl Door {
    const fn at(port: Option<u16>, served: Truth) -> Self {
        Self { port, served, families: BOTH }
    }
}

/// Reads the rules.
pub(super) fn rules(context: &CheckContext, adapters: &Answer<Vec<Adapter>>) -> Fact<Rules> {
    sources(context).map(|sources| Rules {
        sources,
        machine: Machine::read(context, adapters),
        doors: doors(context, adapters),
    })
}

fn doors(context: &CheckContext, adapters: &Answer<Vec<Adapter>>) -> [(InboundService, Vec<Door>); 3] {
    let rdp = rdp_port(context).known().and_then(|&port| u16::try_from(port).ok());
    let winrm = winrm_ports(context).into_iter().map(|(port, served)| Door::at(port, served));
    let old = match adapters.as_ref().map(|adapters| netbios(context, adapters)) {
        Ok(Fact::Known(on)) => Truth::from(on),
        Ok(Fact::Unknown(_)) | Err(_) => Truth::Unknown,
    };
    // NetBIOS does not use IPv6.
    let old = Door { port: Some(NETBIOS), served: old, families: &[Family::Four] };
    [
        (InboundService::Rdp, vec![Door::at(rdp, Truth::True)]),
        (InboundService::Winrm, winrm.collect()),
        (InboundService::Smb, vec![Door::at(Some(SMB), Truth::True), old]),
    ]
}

/// The services that any address can reach in the current networks. If only some are known, the open ones are listed and the list
/// is marked as cut.
pub(super) fn open(rules: &Fact<Rules>, firewalls: &Firewalls, networks: &Networks) -> Fact<List<InboundService>> {
    let (states, rules) = match (firewalls.states(), rules) {
        (Fact::Known(states), Fact::Known(rules)) => (states, rules),
        (Fact::Unknown(why), _) => return Fact::Unknown(why),
        (_, Fact::Unknown(why)) => return Fact::Unknown(why.clone()),
    };
    let read = rules.read();
    let opens = |service: InboundService, doors: &[Door]| {
        networks.over(states.iter().map(|state| rules.opens(&read, *state, Some(service), doors)))
    };
    let open: Vec<_> = rules.doors.iter().map(|(service, doors)| (*service, opens(*service, doors))).collect();
    let items: Vec<InboundService> =
        open.iter().filter(|(_, open)| *open == Truth::True).map(|(service, _)| *service).collect();
    let untold = open.iter().filter(|(_, open)| *open == Truth::Unknown).count();
    if items.is_empty() && untold > 0 {
        return not_understood();
    }
    Fact::Known(List { items, left_out: u32::try_from(untold).unwrap_or(u32::MAX) })
}

/// True when rules let any address reach whatever is listening, at ports that none of them names.
pub(super) fn let_all_in(rules: &Fact<Rules>, firewalls: &Firewalls, networks: &Networks) -> Fact<bool> {
    let (states, rules) = match (firewalls.states(), rules) {
        (Fact::Known(states), Fact::Known(rules)) => (states, rules),
        (Fact::Unknown(why), _) => return Fact::Unknown(why),
        (_, Fact::Unknown(why)) => return Fact::Unknown(why.clone()),
    };
    let read = rules.read();
    let at = |port: u16| {
        let door = [Door::at(Some(port), Truth::True)];
        networks.over(states.iter().map(|state| rules.opens(&read, *state, None, &door)))
    };
    match ORDINARY.map(at).into_iter().fold(Truth::True, Truth::and) {
        Truth::True => Fact::Known(true),
        Truth::False => Fact::Known(false),
        Truth::Unknown => not_understood(),
    }
}

fn not_understood<T>() -> Fact<T> {
    Fact::unknown(Reason::Unreadable, "a rule of the firewall, or what it depends on, is not understood")
}

type Read<'r> = Vec<(Rule<'r>, Option<&'r BTreeSet<FirewallProfile>>)>;

impl Rules {
    fn read(&self) -> Read<'_> {
        let values =
            self.sources.iter().flat_map(|source| source.texts.iter().map(|value| (value, source.profiles.as_ref())));
        values
            .filter_map(|(value, profiles)| match value {
                Registry::Text(text) => Some((Rule::read(text)?, profiles)),
                // Windows writes rules as text.
                Registry::Number(_) | Registry::Texts(_) | Registry::Bytes(_) => Some((Rule::odd(), profiles)),
            })
            .collect()
    }

    /// Whether a stranger can reach the service by one of the doors.
    fn opens(
        &self,
        rules: &Read<'_>,
        (profile, state): (FirewallProfile, State),
        service: Option<InboundService>,
        doors: &[Door],
    ) -> Truth {
        let lets_in = match state {
            State::Off => return Truth::True,
            State::Shielded => return Truth::False,
            State::On { lets_in } => lets_in,
        };
        let ways = doors.iter().flat_map(|door| door.families.iter().map(move |&family| (door, family)));
        ways.map(|(door, family)| {
            let here = rules.iter().filter(|(_, profiles)| profiles.is_none_or(|all| all.contains(&profile)));
            let attempt = Attempt { service, port: door.port, profile, family };
            door.served.and(lets_strangers_in(here.map(|(rule, _)| rule), &attempt, &self.machine, lets_in))
        })
        .fold(Truth::False, Truth::or)
    }
}

fn sources(context: &CheckContext) -> Fact<Vec<Source>> {
    let local_count = match local_rules_count(context) {
        Fact::Known(profiles) => profiles,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let mut sources = Vec::new();
    for key in [POLICY, MANAGED, LOCAL] {
        match context.os.values(&format!(r"{key}\FirewallRules")) {
            Ok(values) => sources.push(Source {
                texts: values.into_iter().map(|(_, value)| value).collect(),
                profiles: (key == LOCAL).then(|| local_count.clone()),
            }),
            Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    match exceptions::exceptions(context) {
        Ok(rules) => {
            sources.push(Source { texts: rules.into_iter().map(Registry::Text).collect(), profiles: None });
        }
        Err(error) => return unknown(&error),
    }
    Fact::Known(sources)
}

/// Whether the attempt succeeds from nearly all addresses: those allowed minus those blocked, counting only what is
/// certain.
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
