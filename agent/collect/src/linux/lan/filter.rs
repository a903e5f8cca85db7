//! Packet filters in one model, whichever tool made them: tables, chains, and rules made of ordered steps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::truth::Truth;

/// The packets that a table's chains see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// Everything arriving at a device.
    Netdev,
    /// Everything crossing a bridge.
    Bridge,
}

/// Where a base chain is in a packet's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hook {
    /// At the device, before anything else.
    Ingress,
    /// Before it is decided whether the packet is for this machine.
    Prerouting,
    /// For this machine.
    Input,
    /// For another machine.
    Forward,
}

/// A table: chains that can jump to each other.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) family: Family,
    pub(super) name: String,
    /// False when it may be dormant: nft 1.0.6 prints a table's flags as random text.
    pub(super) in_force: bool,
    /// False when the output was cut inside it: any of its chains may have more rules.
    pub(super) whole: bool,
    pub(super) chains: BTreeMap<String, Chain>,
    /// Named sets and verdict maps.
    pub(super) sets: BTreeMap<String, Set>,
    /// Sets to which rules add elements: their content when the packet arrives is unknown.
    pub(super) changing: BTreeSet<String>,
}

impl Table {
    pub(super) fn new(family: Family, name: &str) -> Self {
        Self {
            family,
            name: name.to_owned(),
            in_force: true,
            whole: true,
            chains: BTreeMap::new(),
            sets: BTreeMap::new(),
            changing: BTreeSet::new(),
        }
    }
}

/// One chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// Its hook, for a base chain.
    pub(super) base: Option<Base>,
    pub(super) rules: Vec<Rule>,
}

/// Hook and priority of a base chain.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Base {
    pub(super) hook: Hook,
    /// Lower values come first.
    pub(super) priority: i64,
    /// True when packets that no rule decides are dropped.
    pub(super) policy_drops: bool,
    /// For [`Hook::Ingress`], its devices; empty when the tool does not report them.
    pub(super) devices: Vec<String>,
}

/// A rule: steps in order, until one decides or does not match.
pub(super) type Rule = Vec<Step>;

/// A part of a rule.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Continues only if this holds.
    If(Condition),
    /// Decides.
    Then(Verdict),
    /// Decides by the first matching entry, if any.
    Map(Vec<(Condition, Verdict)>),
    /// Like `Map`, with the elements of a named map.
    NamedMap(Vec<Field>, String),
    /// Marks the packet or its connection.
    Mark,
    /// Takes the packet out of connection tracking.
    Untrack,
    /// Changes the packet's destination: to a port of this machine, or to anything.
    Redirect,
    /// See [`Step::Redirect`].
    Dnat,
}

/// What a rule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Accepts the packet in this base chain.
    Accept,
    /// Drops or rejects it.
    Drop,
    /// Continues in another chain and returns.
    Jump(String),
    /// Continues in another chain without returning.
    Goto(String),
    /// Back to the calling chain.
    Return,
    /// On to the next rule.
    Continue,
    /// Something outside this model, or decided by another program.
    Unknown,
}

/// A condition on a packet.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// The same for every packet.
    Fixed(Truth),
    /// The fields, taken together, are among the values (or, negated, are not).
    Among { fields: Vec<Field>, values: Values, negated: bool },
}

/// The values of a condition.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// Given in the rule.
    Own(Set),
    /// A named set of the table.
    Named(String),
}

/// Values, each with as many parts as the fields compared with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    /// The parts of all values, value after value.
    pub(super) items: Vec<Item>,
    /// For a verdict map: one per value.
    pub(super) verdicts: Vec<Verdict>,
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Matches whatever no other value does.
    Any,
    /// From one number or address to another, inclusive.
    Span(u128, u128),
    /// A name; a final `*` stands for any ending.
    Word(Box<str>),
    /// Something that was not understood.
    Unknown,
}

impl Item {
    pub(super) fn number(number: u128) -> Self {
        Self::Span(number, number)
    }
}

/// All addresses with the first `length` bits of `address`; `None` when it has fewer bits.
pub(super) fn prefix(address: IpAddr, length: u32) -> Option<Item> {
    let (address, bits) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32_u32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let others = 1_u128.checked_shl(bits.checked_sub(length)?).map_or(u128::MAX, |size| size - 1);
    Some(Item::Span(address & !others, address | others))
}

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What a condition looks at. Masks are applied before the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The interface it arrived on.
    Interface,
    /// The group of that interface.
    InterfaceGroup,
    /// The interface it will leave by.
    OutInterface,
    /// The protocol above IP; from the header of one IP version, if it names one.
    Protocol(Option<Version>),
    /// IPv4 or IPv6, by number of the protocol family.
    Family,
    /// The same by the type of the frame.
    EtherType,
    SourceAddress(Version),
    DestinationAddress(Version),
    SourcePort,
    DestinationPort,
    TcpFlags(u128),
    /// State of the connection.
    State,
    /// Bits of the connection's status.
    Status,
    Direction,
    /// The addressee type of the frame.
    PacketType,
    /// The packet's or the connection's mark.
    Mark(u128),
    /// The address type of the destination.
    DestinationType,
    /// The address type of the source.
    SourceType,
    /// The interface that a reply would leave by: none, or the one it arrived on.
    ReversePath,
    /// Whether it came through IPsec.
    Ipsec,
    /// A field of a protocol other than TCP, or of the other IP version: no such rule matches.
    OtherProtocol,
    /// A field the sender may choose; in the header of one IP version, if it names one.
    Chosen(Option<Version>),
    /// Anything else.
    Unknown,
}
