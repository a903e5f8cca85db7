//! What a rule looks at, and the values it compares that with.

use std::net::IpAddr;

use serde_json::Value;

use super::text;
use crate::linux::lan::filter::{Field, Item, Set, Values, Version};

/// The fields of an expression: several for a concatenation.
pub(super) fn fields(expression: &Value) -> Vec<Field> {
    match expression.get("concat").and_then(Value::as_array) {
        Some(parts) => parts.iter().map(field).collect(),
        None => vec![field(expression)],
    }
}

fn field(expression: &Value) -> Field {
    let Some((kind, body)) = expression.as_object().and_then(|object| object.iter().next()) else {
        return Field::Unknown;
    };
    let key = text(body, "key");
    match kind.as_str() {
        "meta" => meta(key),
        "ct" => match key {
            "state" => Field::State,
            "status" => Field::Status,
            "direction" => Field::Direction,
            "mark" => Field::Mark(u128::MAX),
            _ => Field::Unknown,
        },
        "payload" => payload(text(body, "protocol"), text(body, "field")),
        "fib" => fib(body),
        "&" => masked(body),
        "exthdr" => Field::Chosen(Some(Version::V6)),
        "ip option" => Field::Chosen(Some(Version::V4)),
        "tcp option" | "osf" | "numgen" | "jhash" | "symhash" => Field::Chosen(None),
        _ => Field::Unknown,
    }
}

fn meta(key: &str) -> Field {
    match key {
        "iif" | "iifname" => Field::Interface,
        "oif" | "oifname" => Field::OutInterface,
        "iifgroup" => Field::InterfaceGroup,
        "l4proto" => Field::Protocol(None),
        "nfproto" => Field::Family,
        "protocol" => Field::EtherType,
        "pkttype" => Field::PacketType,
        "mark" => Field::Mark(u128::MAX),
        "ipsec" | "secpath" => Field::Ipsec,
        "length" | "cpu" | "random" => Field::Chosen(None),
        _ => Field::Unknown,
    }
}

fn payload(protocol: &str, field: &str) -> Field {
    let version = if protocol == "ip6" { Version::V6 } else { Version::V4 };
    match (protocol, field) {
        ("ip" | "ip6", "saddr") => Field::SourceAddress(version),
        ("ip" | "ip6", "daddr") => Field::DestinationAddress(version),
        ("ip", "protocol") | ("ip6", "nexthdr") => Field::Protocol(Some(version)),
        ("ip" | "ip6", _) => Field::Chosen(Some(version)),
        ("tcp" | "th", "sport") => Field::SourcePort,
        ("tcp" | "th", "dport") => Field::DestinationPort,
        ("tcp", "flags") => Field::TcpFlags(0xff),
        ("ether", "type") => Field::EtherType,
        ("tcp", _) => Field::Chosen(None),
        ("udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmpv6" | "igmp" | "arp" | "esp" | "ah" | "comp", _) => {
            Field::OtherProtocol
        }
        _ => Field::Unknown,
    }
}

fn fib(body: &Value) -> Field {
    let flags: Vec<&str> = match body.get("flags") {
        Some(Value::Array(flags)) => flags.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(flag)) => vec![flag],
        _ => Vec::new(),
    };
    match (text(body, "result"), flags.contains(&"daddr"), flags.contains(&"saddr")) {
        ("type", true, false) => Field::DestinationType,
        ("type", false, true) if !flags.contains(&"iif") => Field::SourceType,
        ("oif" | "oifname" | "check", false, true) => Field::ReversePath,
        _ => Field::Unknown,
    }
}

fn masked(operands: &Value) -> Field {
    let (Some(left), Some(right)) = (operands.get(0), operands.get(1)) else { return Field::Unknown };
    match (field(left), &item(right)[..]) {
        (Field::Mark(_), &[Item::Span(mask, last)]) if mask == last => Field::Mark(mask),
        (Field::TcpFlags(_), _) => flags(right).map_or(Field::Unknown, Field::TcpFlags),
        (Field::Chosen(version), _) => Field::Chosen(version),
        _ => Field::Unknown,
    }
}

/// TCP flags on the right side of a comparison.
pub(super) fn flag_values(value: &Value) -> Values {
    let item = |value: &Value| flags(value).map_or(Item::Unknown, Item::number);
    let items = match value.get("set").and_then(Value::as_array) {
        Some(all) => all.iter().map(item).collect(),
        None => vec![item(value)],
    };
    Values::Own(Set { items, verdicts: Vec::new() })
}

/// A flag or a list of TCP flags as bits.
pub(super) fn flags(value: &Value) -> Option<u128> {
    match value {
        Value::Number(number) => number.as_u64().map(u128::from),
        Value::String(name) => {
            let names = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
            names.iter().position(|known| known == name).map(|bit| 1 << bit)
        }
        Value::Array(all) => all.iter().map(flags).try_fold(0, |bits, flag| Some(bits | flag?)),
        Value::Object(object) => object.get("|").and_then(flags),
        _ => None,
    }
}

/// The right side of a comparison.
pub(super) fn items(value: &Value) -> Values {
    match value.as_str().and_then(|text| text.strip_prefix('@')) {
        Some(name) => Values::Named(name.to_owned()),
        None => Values::Own(set(value.get("set").unwrap_or(value))),
    }
}

/// A value, or a list of them.
pub(super) fn set(value: &Value) -> Set {
    let items = match value {
        Value::Array(all) => all.iter().flat_map(item).collect(),
        one => item(one),
    };
    Set { items, verdicts: Vec::new() }
}

/// One value: a single item, or one item per part of a concatenation.
pub(super) fn item(value: &Value) -> Vec<Item> {
    let one = match value {
        Value::String(text) if text == "*" => Item::Any,
        Value::String(text) => number(value).map_or_else(|| Item::Word(text.as_str().into()), Item::number),
        Value::Number(_) => number(value).map_or(Item::Unknown, Item::number),
        Value::Bool(yes) => Item::number(u128::from(*yes)),
        Value::Object(object) => {
            let Some((kind, body)) = object.iter().next() else { return vec![Item::Unknown] };
            match kind.as_str() {
                "concat" => return body.as_array().into_iter().flatten().flat_map(item).collect(),
                "elem" => return body.get("val").map_or_else(|| vec![Item::Unknown], item),
                "prefix" => prefix(body).unwrap_or(Item::Unknown),
                "range" => match (body.get(0).and_then(number), body.get(1).and_then(number)) {
                    (Some(first), Some(last)) => Item::Span(first, last),
                    _ => Item::Unknown,
                },
                _ => Item::Unknown,
            }
        }
        Value::Array(_) | Value::Null => Item::Unknown,
    };
    vec![one]
}

fn number(value: &Value) -> Option<u128> {
    let Value::String(text) = value else { return value.as_u64().map(u128::from) };
    match text.parse() {
        Ok(IpAddr::V4(address)) => Some(u128::from(u32::from(address))),
        Ok(IpAddr::V6(address)) => Some(u128::from(address)),
        Err(_) => text.parse().ok(),
    }
}

fn prefix(body: &Value) -> Option<Item> {
    let length = u32::try_from(body.get("len")?.as_u64()?).ok()?;
    let address = text(body, "addr").parse().ok()?;
    crate::linux::lan::filter::prefix(address, length)
}
