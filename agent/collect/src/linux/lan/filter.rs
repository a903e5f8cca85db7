//! Packet filters in one form, whichever tool made them: tables, chains, and rules that are steps taken in order.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::truth::Truth;

/// The packets that the chains of a table see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// Everything, as it comes in by a device.
    Netdev,
    /// Everything that passes a bridge.
    Bridge,
}

/// Where on a packet's way a base chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hook {
    /// At the device, before anything else.
    Ingress,
    /// Before it is known whether the packet is for this machine.
    Prerouting,
    /// For this machine.
    Input,
    /// For another machine.
    Forward,
}

/// One table: chains that can jump to each other.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) family: Family,
    pub(super) name: String,
    /// False when it may be dormant: nft 1.0.6 prints the flags of a table as random text.
    pub(super) in_force: bool,
    /// False when the answer was cut within it: any of its chains may hold more rules.
    pub(super) whole: bool,
    pub(super) chains: BTreeMap<String, Chain>,
    /// Named sets and verdict maps.
    pub(super) sets: BTreeMap<String, Set>,
    /// Sets that rules put elements in: what they hold when the packet comes is not known.
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
    /// Its place, for a chain that packets come to by themselves.
    pub(super) base: Option<Base>,
    pub(super) rules: Vec<Rule>,
}

/// The place of a base chain.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Base {
    pub(super) hook: Hook,
    /// Lower ones come first.
    pub(super) priority: i64,
    /// What becomes of a packet that no rule decides.
    pub(super) policy_drops: bool,
    /// For [`Hook::Ingress`], its devices; empty when the tool does not tell them.
    pub(super) devices: Vec<String>,
}

/// One rule: steps in order, until one decides or does not hold.
pub(super) type Rule = Vec<Step>;

/// A part of a rule.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Goes on only where this holds.
    If(Condition),
    /// Decides.
    Then(Verdict),
    /// Decides by the first entry that holds, if one does.
    Map(Vec<(Condition, Verdict)>),
    /// As `Map`, by the elements of a named map.
    NamedMap(Vec<Field>, String),
    /// Marks the packet or its connection.
    Mark,
    /// Takes the packet out of connection tracking.
    Untrack,
    /// Gives the packet another destination: a port of this machine, or anything.
    Redirect,
    /// See [`Step::Redirect`].
    Dnat,
}

/// What a rule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Lets the packet through this base chain.
    Accept,
    /// Drops or rejects it.
    Drop,
    /// Goes on in another chain and comes back.
    Jump(String),
    /// Goes on in another chain for good.
    Goto(String),
    /// Back to the calling chain.
    Return,
    /// On to the next rule.
    Continue,
    /// Something that this model does not know, or another program decides.
    Unknown,
}

/// What must hold of a packet.
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
    /// Written in the rule.
    Own(Set),
    /// A named set of the table.
    Named(String),
}

/// Values, each as wide as the fields compared with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    /// All parts of all values, one value after the other.
    pub(super) items: Vec<Item>,
    /// For a verdict map, one for each value.
    pub(super) verdicts: Vec<Verdict>,
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Whatever no other value holds.
    Any,
    /// From a number or address to another, both included.
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

/// All addresses that begin with the first `length` bits of `address`; `None` when there are not so many.
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

/// What a condition looks at. Masks are applied before comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The interface it came in by.
    Interface,
    /// The group of that interface.
    InterfaceGroup,
    /// The interface it will leave by.
    OutInterface,
    /// The protocol above IP; as told by the header of one version, where it names one.
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
    /// To whom the frame was addressed.
    PacketType,
    /// The packet's or the connection's mark.
    Mark(u128),
    /// What kind of address the destination is.
    DestinationType,
    /// What kind of address the source is.
    SourceType,
    /// The interface that answers would leave by: none, or the one it came in by.
    ReversePath,
    /// Whether it came through IPsec.
    Ipsec,
    /// Belongs to another protocol than TCP, or to another version of IP: no such rule holds.
    OtherProtocol,
    /// The sender may choose it; in the header of one version, where it names one.
    Chosen(Option<Version>),
    /// Anything else.
    Unknown,
}
