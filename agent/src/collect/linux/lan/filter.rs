//! Packet filters in one form, whichever tool made them, and what becomes of a stranger's packet in them.
//!
//! A stranger's packet begins a connection to this machine, comes in by one of its interfaces and matches no rule that
//! speaks of anything but interface, protocol family or connection state. What the filters then do with it is their
//! default.

use std::collections::BTreeMap;

/// The protocol families a chain can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// One table: chains that can jump to each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// True when it sees IPv4.
    pub(super) ipv4: bool,
    /// True when it sees IPv6.
    pub(super) ipv6: bool,
    /// Its chains by name.
    pub(super) chains: BTreeMap<String, Chain>,
}

/// One chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chain {
    /// For a chain that sees packets on their way in: true when its policy is to drop.
    pub(super) inbound: Option<bool>,
    /// Its rules in order.
    pub(super) rules: Vec<Rule>,
}

/// One rule: what must hold, and what happens then.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// All of these must hold.
    pub(super) conditions: Vec<Condition>,
    /// What happens then.
    pub(super) action: Action,
}

/// What a rule asks of a packet, as far as a stranger's packet decides it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// It came in by one of these interfaces (a final `*` or `+` stands for any ending), or by none of them.
    Interface(Vec<String>, Is),
    /// It is of this family.
    Family(Protocol),
    /// Whether it may begin a connection.
    Begins(bool),
    /// Anything else: a stranger's packet does not match.
    Other,
}

/// Whether a condition asks for a member or for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// One of them.
    In,
    /// None of them.
    NotIn,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Lets it through this table.
    Accept,
    /// Drops or rejects it.
    Drop,
    /// Goes on in another chain and comes back.
    Jump(String),
    /// Goes on in another chain for good.
    Goto(String),
    /// Back to the calling chain.
    Return,
}

/// What a chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Accept,
    Drop,
    Nothing,
}

impl Table {
    /// True when it looks at packets on their way in.
    pub(super) fn filters_inbound(&self) -> bool {
        self.chains.values().any(|chain| chain.inbound.is_some())
    }

    /// True when it drops a stranger's packet of `protocol` that comes in by `interface`.
    pub(super) fn drops(&self, protocol: Protocol, interface: &str) -> bool {
        let sees = match protocol {
            Protocol::Ipv4 => self.ipv4,
            Protocol::Ipv6 => self.ipv6,
        };
        sees && self.chains.values().any(|chain| {
            chain.inbound.is_some_and(|policy_drops| match self.walk(chain, protocol, interface, 16) {
                Said::Accept => false,
                Said::Drop => true,
                Said::Nothing => policy_drops,
            })
        })
    }

    fn walk(&self, chain: &Chain, protocol: Protocol, interface: &str, depth: u8) -> Said {
        let go_on = |name: &String| match self.chains.get(name) {
            Some(next) if depth > 0 => self.walk(next, protocol, interface, depth - 1),
            _ => Said::Nothing,
        };
        for rule in &chain.rules {
            if !rule.conditions.iter().all(|condition| condition.holds(protocol, interface)) {
                continue;
            }
            match &rule.action {
                Action::Accept => return Said::Accept,
                Action::Drop => return Said::Drop,
                Action::Return => return Said::Nothing,
                Action::Goto(name) => return go_on(name),
                Action::Jump(name) => match go_on(name) {
                    Said::Nothing => {}
                    said => return said,
                },
            }
        }
        Said::Nothing
    }
}

impl Condition {
    fn holds(&self, protocol: Protocol, interface: &str) -> bool {
        match self {
            Self::Interface(names, is) => {
                let member = names.iter().any(|name| match name.strip_suffix(['*', '+']) {
                    Some(start) => interface.starts_with(start),
                    None => name == interface,
                });
                member == (*is == Is::In)
            }
            Self::Family(family) => *family == protocol,
            Self::Begins(begins) => *begins,
            Self::Other => false,
        }
    }
}
