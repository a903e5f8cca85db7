//! Parses the options of one iptables rule into [`Step`]s.

use std::net::IpAddr;

use super::{target, unknown};
use crate::linux::lan::filter::{Condition, Field, Item, Rule, Set, Step, Values, Verdict, Version, prefix};
use crate::linux::lan::truth::{Can, Truth};

/// All steps of a rule, from the words after the chain's name.
pub(super) fn rule(words: &[String]) -> Rule {
    let mut steps = Rule::new();
    let mut at = 0;
    let (mut negated, mut target_at) = (false, None);
    while let Some(word) = words.get(at) {
        let word = word.as_str();
        at += 1;
        if word == "!" {
            negated = true;
            continue;
        }
        if !word.starts_with('-') {
            return unknown();
        }
        let arguments = words[at..].iter().take_while(|word| *word != "!" && !is_option(word)).count();
        let values: Vec<&str> = words[at..at + arguments].iter().map(String::as_str).collect();
        at += arguments;
        match word {
            "-j" | "-g" => {
                target_at = Some((word, values.first().copied().unwrap_or_default(), at));
                break;
            }
            "--comment" => {}
            // The opposite of the module's own condition.
            "--invert" => match steps.last_mut() {
                Some(Step::If(Condition::Among { negated, .. })) => *negated = !*negated,
                _ => return unknown(),
            },
            "-m" => steps.extend(module(values.first().copied().unwrap_or_default()).map(Step::If)),
            _ => match condition(word, &values) {
                Condition::Fixed(Truth::YES) if !negated => {}
                Condition::Fixed(truth) if negated => steps.push(Step::If(Condition::Fixed(truth.not()))),
                Condition::Among { fields, values, .. } => {
                    steps.push(Step::If(Condition::Among { fields, values, negated }))
                }
                fixed @ Condition::Fixed(_) => steps.push(Step::If(fixed)),
            },
        }
        negated = false;
    }
    if let Some((how, name, rest)) = target_at {
        steps.extend(decision(how, name, &words[rest..]));
    }
    steps
}

/// Options begin with a dash and a letter, or two dashes; a negative number does not.
fn is_option(word: &str) -> bool {
    let letters = word.trim_start_matches('-');
    letters.len() < word.len() && letters.starts_with(|letter: char| letter.is_ascii_alphabetic())
}

fn decision(how: &str, name: &str, options: &[String]) -> Option<Step> {
    let built_in = target(name);
    match (how, name) {
        ("-g", _) => Some(Step::Then(Verdict::Goto(name.to_owned()))),
        // Only a helper or a zone.
        (_, "CT") if !options.iter().any(|option| option == "--notrack") => None,
        // Not a known target: a chain, or a target that the walk will not find among the chains.
        _ if matches!(built_in, Some(Step::Then(Verdict::Unknown))) => Some(Step::Then(Verdict::Jump(name.to_owned()))),
        _ => built_in,
    }
}

/// The condition that a module adds by itself, without options.
fn module(name: &str) -> Option<Condition> {
    let truth = match name {
        "limit" | "hashlimit" | "connlimit" | "statistic" | "quota" | "rt" | "frag" | "hbh" | "ipv6header" => {
            Truth::EITHER
        }
        "comment" | "tcp" | "conntrack" | "state" | "multiport" | "addrtype" | "iprange" | "mark" | "connmark"
        | "pkttype" | "set" | "recent" | "policy" | "time" | "mac" | "physdev" | "owner" | "length" | "ttl" | "hl"
        | "dscp" | "tos" | "tcpmss" | "ecn" => return None,
        "udp" | "udplite" | "icmp" | "icmp6" | "ipv6-icmp" | "sctp" | "dccp" | "esp" | "ah" | "igmp" => Truth::NO,
        "rpfilter" => return Some(among(Field::ReversePath, vec![Item::number(1)])),
        _ => Truth::UNKNOWN,
    };
    Some(Condition::Fixed(truth))
}

fn condition(option: &str, values: &[&str]) -> Condition {
    let value = values.first().copied().unwrap_or_default();
    let numbers = |text: &str| text.split(',').map(|part| range(part, ':', number)).collect();
    match option {
        "-i" => among(Field::Interface, vec![Item::Word(interface(value).into())]),
        "-o" => among(Field::OutInterface, vec![Item::Word(interface(value).into())]),
        "-s" => address(value, Field::SourceAddress),
        "-d" => address(value, Field::DestinationAddress),
        "--src-range" => addresses(value, Field::SourceAddress),
        "--dst-range" => addresses(value, Field::DestinationAddress),
        "-p" => protocol(value),
        "--dport" | "--dports" => among(Field::DestinationPort, numbers(value)),
        "--sport" | "--sports" => among(Field::SourcePort, numbers(value)),
        "--tcp-flags" => match (flags(value), values.get(1).copied().and_then(flags)) {
            (Some(mask), Some(bits)) => among(Field::TcpFlags(mask), vec![Item::number(bits)]),
            _ => Condition::Fixed(Truth::UNKNOWN),
        },
        "--ctstate" | "--state" => among(Field::State, value.split(',').map(lowered).collect()),
        "--pkt-type" => among(Field::PacketType, vec![Item::Word(value.into())]),
        "--src-type" => among(Field::SourceType, value.split(',').map(lowered).collect()),
        "--dst-type" => among(Field::DestinationType, value.split(',').map(lowered).collect()),
        "--mark" => mark(value),
        "--pol" => Condition::Fixed(Truth::of(value == "none")),
        // Address sets kept outside the rules, or filled by them: a stranger may not be in them.
        "--match-set" | "--rcheck" | "--update" | "--remove" => {
            Condition::Fixed(Truth { holds: Can::Perhaps, fails: Can::Yes })
        }
        "--length" | "--ttl" | "--ttl-eq" | "--ttl-lt" | "--ttl-gt" | "--hl-eq" | "--hl-lt" | "--hl-gt" | "--dscp"
        | "--tos" => Condition::Fixed(Truth::EITHER),
        // How a limit counts, and what a module does in addition.
        other
            if INNER.split(' ').any(|inner| inner == other)
                || COUNTING.iter().any(|start| other.starts_with(start)) =>
        {
            Condition::Fixed(Truth::YES)
        }
        _ => Condition::Fixed(Truth::UNKNOWN),
    }
}

/// Options that add no condition to that of their module or another option.
const INNER: &str = "--set --name --rsource --rdest --mask --seconds --hitcount --reap --rttl --dir --mode --probability --every \
    --packet --return-nomatch --validmark --loose --kerneltz";
/// Prefixes of options that say how a module counts.
const COUNTING: [&str; 9] =
    ["--limit", "--hashlimit", "--connlimit", "--quota", "--rt", "--frag", "--hbh", "--header", "--soft"];

fn among(field: Field, items: Vec<Item>) -> Condition {
    let values = Values::Own(Set { items, verdicts: Vec::new() });
    Condition::Among { fields: vec![field], values, negated: false }
}

fn interface(name: &str) -> String {
    name.strip_suffix('+').map_or_else(|| name.to_owned(), |start| format!("{start}*"))
}

fn lowered(word: &str) -> Item {
    Item::Word(word.to_lowercase().into())
}

fn protocol(name: &str) -> Condition {
    match name {
        "all" | "0" => Condition::Fixed(Truth::YES),
        _ => among(Field::Protocol(None), vec![number(name).map_or_else(|| Item::Word(name.into()), Item::number)]),
    }
}

/// An address with a prefix or a mask.
fn address(text: &str, field: fn(Version) -> Field) -> Condition {
    let (address, mask) = text.split_once('/').unwrap_or((text, ""));
    let Ok(address) = address.parse::<IpAddr>() else { return Condition::Fixed(Truth::UNKNOWN) };
    let full = if address.is_ipv4() { 32 } else { 128 };
    let length = match (mask.parse::<u32>(), mask.parse::<IpAddr>()) {
        _ if mask.is_empty() => Some(full),
        (Ok(length), _) => Some(length),
        (_, Ok(IpAddr::V4(mask))) if u32::from(mask).count_ones() == u32::from(mask).leading_ones() => {
            Some(u32::from(mask).leading_ones())
        }
        _ => None,
    };
    let item = length.and_then(|length| prefix(address, length)).unwrap_or(Item::Unknown);
    among(field(version(address)), vec![item])
}

fn addresses(text: &str, field: fn(Version) -> Field) -> Condition {
    let address = |text: &str| text.parse::<IpAddr>().ok();
    let item = range(text, '-', |text| match address(text)? {
        IpAddr::V4(address) => Some(u128::from(u32::from(address))),
        IpAddr::V6(address) => Some(u128::from(address)),
    });
    match text.split('-').next().and_then(address) {
        Some(first) => among(field(version(first)), vec![item]),
        None => Condition::Fixed(Truth::UNKNOWN),
    }
}

fn version(address: IpAddr) -> Version {
    if address.is_ipv4() { Version::V4 } else { Version::V6 }
}

/// One value, or the first and last of a range.
fn range(text: &str, between: char, one: impl Fn(&str) -> Option<u128>) -> Item {
    let (first, last) = text.split_once(between).unwrap_or((text, text));
    match (one(first), one(last)) {
        (Some(first), Some(last)) => Item::Span(first, last),
        _ => Item::Unknown,
    }
}

fn number(text: &str) -> Option<u128> {
    match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn mark(text: &str) -> Condition {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    match (number(value), number(mask)) {
        (Some(value), Some(mask)) => among(Field::Mark(mask), vec![Item::number(value)]),
        _ => Condition::Fixed(Truth::UNKNOWN),
    }
}

fn flags(names: &str) -> Option<u128> {
    let known = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
    names.split(',').try_fold(0, |bits, name| match name {
        "NONE" => Some(bits),
        "ALL" => Some(0x3f),
        name => known.iter().position(|flag| *flag == name).map(|bit| bits | 1 << bit),
    })
}
