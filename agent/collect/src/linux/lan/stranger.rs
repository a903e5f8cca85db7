//! A stranger's packet: the first one of a TCP connection from an outside address to an ordinary port of this machine.
//!
//! An outside address is a public one that no rule names: a set with less than 1/64 of all public addresses is somebody's
//! list, all of them is everyone, anything in between is unknown. An ordinary port is one that no rule names, alone or in
//! a range of up to [`SERVICE`] ports.

use std::collections::BTreeSet;

use super::filter::{Condition, Field, Item, Set, Table, Values, Version};
use super::outside::Outside;
use super::truth::{Can, Truth};

/// The most consecutive ports that one service is given, such as 60000-61000.
const SERVICE: u128 = 1001;

/// The ordinary port that represents all others, until a rule with a wider range occurs.
pub(super) const PORT: u16 = 12345;

/// The first of the ports 777, 1777 and so on from `start`: every range too wide for a service contains one.
fn ordinary(start: u128) -> Option<u16> {
    let port = start.saturating_sub(777).div_ceil(1000) * 1000 + 777;
    u16::try_from(port).ok()
}

/// How far a packet has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// At a device below the one with the address, perhaps still in a VLAN frame.
    Below,
    /// Before connection tracking.
    Untracked,
    /// After connection tracking.
    Tracked,
}

/// The packet.
#[derive(Clone, Debug)]
pub(super) struct Packet<'a> {
    pub(super) version: Version,
    /// Its destination port; `None` for any, including those that rules name.
    pub(super) port: Option<u16>,
    /// Where it came in.
    pub(super) outside: &'a Outside,
    /// The device it arrived on, as the current chain sees it; `None` when unknown.
    pub(super) interface: Option<&'a str>,
    pub(super) stage: Stage,
    /// A rule may have marked it.
    pub(super) marked: bool,
    /// A rule may have taken it out of connection tracking.
    pub(super) untracked: bool,
    /// A rule may have given it another destination.
    pub(super) redirected: bool,
    /// The port counts exactly, even in a rule for a service.
    pub(super) exact: bool,
    /// It is on its way to another machine.
    pub(super) forwarded: bool,
    /// Ports that may be treated differently from this one: those inside and after the wider port ranges seen.
    pub(super) others: BTreeSet<u16>,
}

impl<'a> Packet<'a> {
    pub(super) fn new(outside: &'a Outside, version: Version, port: Option<u16>) -> Self {
        Self {
            version,
            port,
            outside,
            interface: None,
            stage: Stage::Untracked,
            marked: false,
            untracked: false,
            redirected: false,
            exact: false,
            forwarded: false,
            others: BTreeSet::new(),
        }
    }

    /// What rules may have changed in it.
    pub(super) fn changes(&self) -> [bool; 3] {
        [self.marked, self.untracked, self.redirected]
    }

    /// Whether the condition holds in a chain of `table`.
    pub(super) fn meets(&mut self, condition: &Condition, table: &Table) -> Truth {
        match condition {
            Condition::Fixed(truth) => self.counted(*truth, &[]),
            // For another protocol: not even its negation matches.
            Condition::Among { fields, .. } if fields.iter().any(|field| self.lacks(*field)) => Truth::NO,
            Condition::Among { fields, values, negated } => {
                let found = match values {
                    Values::Own(set) => self.among(fields, set),
                    Values::Named(name) => match table.sets.get(name) {
                        Some(set) if table.changing.contains(name) => {
                            self.among(fields, set).or(Truth { holds: Can::Perhaps, fails: Can::Yes })
                        }
                        Some(set) => self.among(fields, set),
                        None => Truth::UNKNOWN,
                    },
                };
                match negated {
                    _ if self.counted(found, fields) != found => Truth::NO,
                    false => found,
                    // Older kernels end the rule when the interface is not known yet.
                    true if fields.contains(&Field::OutInterface) => Truth::UNKNOWN,
                    true => found.not(),
                }
            }
        }
    }

    /// When looking for what is blocked for a stranger, limits and sender-chosen fields do not count as filters, ports
    /// do.
    fn counted(&self, truth: Truth, fields: &[Field]) -> Truth {
        let filter = truth != Truth::EITHER || self.port.is_some() || fields.contains(&Field::DestinationPort);
        if filter { truth } else { Truth::NO }
    }

    /// Whether the fields match one of the set's values.
    pub(super) fn among(&mut self, fields: &[Field], set: &Set) -> Truth {
        if let [Field::SourceAddress(_)] = fields {
            return self.source(&set.items);
        }
        if fields.is_empty() || !set.items.len().is_multiple_of(fields.len()) {
            return Truth::UNKNOWN;
        }
        let mut found = Truth::NO;
        for value in set.items.chunks(fields.len()) {
            let all = fields.iter().zip(value).fold(Truth::YES, |all, (field, item)| all.and(self.is(*field, item)));
            found = found.or(all);
            if found == Truth::YES {
                break;
            }
        }
        found
    }

    fn lacks(&self, field: Field) -> bool {
        match field {
            Field::OtherProtocol => true,
            Field::SourceAddress(version)
            | Field::DestinationAddress(version)
            | Field::Protocol(Some(version))
            | Field::Chosen(Some(version)) => version != self.version,
            _ => false,
        }
    }

    fn is(&mut self, field: Field, item: &Item) -> Truth {
        let four = self.version == Version::V4;
        if *item == Item::Any {
            return Truth::YES;
        }
        match field {
            Field::Interface => self.interface.map_or(Truth::UNKNOWN, |name| known(&[], &[name], item)),
            Field::OutInterface if self.forwarded => Truth::UNKNOWN,
            Field::OutInterface => known(&[], &[""], item),
            // At a lower device, the content of a VLAN frame is not recognised.
            _ if self.stage == Stage::Below => Truth::UNKNOWN,
            Field::InterfaceGroup => {
                known(&[self.outside.group], &["default"][..usize::from(self.outside.group == 0)], item)
            }
            Field::Protocol(_) => known(&[6], &["tcp"], item),
            Field::Family if four => known(&[2], &["ipv4"], item),
            Field::Family => known(&[10], &["ipv6"], item),
            Field::EtherType if four => known(&[0x0800], &["ip"], item),
            Field::EtherType => known(&[0x86dd], &["ip6"], item),
            Field::SourceAddress(_) => self.source(std::slice::from_ref(item)),
            Field::DestinationAddress(_) if self.redirected => Truth::UNKNOWN,
            Field::DestinationAddress(_) => self.destination(item),
            Field::DestinationPort if self.redirected => Truth::UNKNOWN,
            Field::DestinationPort => self.destination_port(item),
            Field::SourcePort | Field::Chosen(_) => chosen(item),
            Field::TcpFlags(mask) if mask & ECN != 0 => Truth::EITHER,
            Field::TcpFlags(mask) => known(&[SYN & mask], &[], item),
            Field::State if self.stage == Stage::Untracked => known(&[1], &["invalid"], item),
            Field::State if self.untracked || self.redirected => Truth::UNKNOWN,
            Field::State => known(&[8], &["new"], item),
            Field::Status | Field::Direction if self.stage != Stage::Tracked || self.redirected => Truth::UNKNOWN,
            Field::Status => known(&[0], &[""], item),
            Field::Direction => known(&[0], &["original"], item),
            Field::PacketType => known(&[0], &["host", "unicast"], item),
            Field::Mark(_) if self.marked => Truth::UNKNOWN,
            Field::Mark(_) => known(&[0], &[], item),
            Field::DestinationType if self.redirected => Truth::UNKNOWN,
            Field::DestinationType => known(&[2], &["local"], item),
            Field::SourceType => known(&[1], &["unicast"], item),
            // The interface it arrived on does not match where another one leads outside.
            Field::ReversePath if !self.outside.routed(self.version) => Truth::UNKNOWN,
            Field::ReversePath => match (item, self.interface) {
                (Item::Span(0, 0), _) => Truth::NO,
                (Item::Span(1, 1), _) => Truth::YES,
                (Item::Word(_), Some(name)) => known(&[], &[name], item),
                _ => Truth::UNKNOWN,
            },
            Field::Ipsec => known(&[0], &[], item),
            Field::OtherProtocol => Truth::NO,
            Field::Unknown => Truth::UNKNOWN,
        }
    }

    fn destination_port(&mut self, item: &Item) -> Truth {
        let Item::Span(first, last) = *item else { return Truth::UNKNOWN };
        let last = last.min(65535);
        if first <= 1 && last == 65535 {
            return Truth::YES;
        }
        let Some(port) = self.port else { return Truth::EITHER };
        if self.exact {
            return Truth::of((first..=last).contains(&u128::from(port)));
        }
        if last < first || last - first < SERVICE {
            return Truth::NO;
        }
        self.others.extend([0, first, last + 1].into_iter().filter_map(ordinary));
        Truth::of((first..=last).contains(&u128::from(port)))
    }

    /// The packet may go to any address of the interface.
    fn destination(&self, item: &Item) -> Truth {
        let Item::Span(first, last) = *item else { return Truth::UNKNOWN };
        let own = self.outside.addresses(self.version);
        if own.is_empty() {
            return Truth::UNKNOWN;
        }
        let inside = own.iter().filter(|address| (first..=last).contains(address)).count();
        match inside {
            0 => Truth::NO,
            all if all == own.len() => Truth::YES,
            _ => Truth::EITHER,
        }
    }

    fn source(&self, items: &[Item]) -> Truth {
        if self.stage == Stage::Below {
            return Truth::UNKNOWN;
        }
        let public: &[(u128, u128)] = if self.version == Version::V4 { &PUBLIC_V4 } else { &PUBLIC_V6 };
        let (mut covered, mut unknown) = (0_u128, false);
        for item in items {
            match *item {
                Item::Any => return Truth::YES,
                Item::Span(first, last) => {
                    let common = |&(from, to): &(u128, u128)| match (first.max(from), last.min(to)) {
                        (first, last) if first <= last => last - first + 1,
                        _ => 0,
                    };
                    covered += public.iter().map(common).sum::<u128>();
                }
                Item::Word(_) | Item::Unknown => unknown = true,
            }
        }
        let all: u128 = public.iter().map(|(from, to)| to - from + 1).sum();
        match covered {
            covered if covered >= all => Truth::YES,
            covered if covered < all / 64 && !unknown => Truth::NO,
            _ => Truth::UNKNOWN,
        }
    }
}

/// The first packet of a connection has this flag; the two ECN flags are up to the sender.
const SYN: u128 = 0x02;
const ECN: u128 = 0xc0;

/// A field whose value is known, as number and by name.
fn known(numbers: &[u128], names: &[&str], item: &Item) -> Truth {
    match item {
        Item::Any => Truth::YES,
        Item::Span(first, last) if !numbers.is_empty() => {
            Truth::of(numbers.iter().any(|number| (first..=last).contains(&number)))
        }
        Item::Word(word) if !names.is_empty() => Truth::of(names.iter().any(|name| match word.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => **word == **name,
        })),
        Item::Span(..) | Item::Word(_) | Item::Unknown => Truth::UNKNOWN,
    }
}

/// A field whose value the sender chooses.
fn chosen(item: &Item) -> Truth {
    match item {
        Item::Span(0 | 1, last) if *last >= 65535 => Truth::YES,
        _ => Truth::EITHER,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u128 {
    u32::from_be_bytes([a, b, c, d]) as u128
}

/// All public addresses: unicast except private networks (RFC 1918, 6598, 3927) and loopback.
const PUBLIC_V4: [(u128, u128); 7] = [
    (v4(1, 0, 0, 0), v4(9, 255, 255, 255)),
    (v4(11, 0, 0, 0), v4(100, 63, 255, 255)),
    (v4(100, 128, 0, 0), v4(126, 255, 255, 255)),
    (v4(128, 0, 0, 0), v4(169, 253, 255, 255)),
    (v4(169, 255, 0, 0), v4(172, 15, 255, 255)),
    (v4(172, 32, 0, 0), v4(192, 167, 255, 255)),
    (v4(192, 169, 0, 0), v4(223, 255, 255, 255)),
];
/// Global unicast (RFC 4291).
const PUBLIC_V6: [(u128, u128); 1] = [(0x2000 << 112, (0x4000 << 112) - 1)];
