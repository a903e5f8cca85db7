//! Parses the statements of a rule into [`Step`]s.

use serde_json::Value;

use super::expression::{fields, flag_values, flags, item, items};
use super::text;
use crate::linux::lan::filter::{Condition, Field, Item, Set, Step, Values, Verdict};
use crate::linux::lan::iptables;
use crate::linux::lan::truth::Truth;

/// The step; `None` for a statement that decides nothing.
pub(super) fn step(statement: &Value) -> Option<Step> {
    if let Some(verdict) = verdict(statement) {
        return Some(Step::Then(verdict));
    }
    let unknown = Some(Step::If(Condition::Fixed(Truth::UNKNOWN)));
    let Some((kind, body)) = statement.as_object().and_then(|object| object.iter().next()) else { return unknown };
    match kind.as_str() {
        "match" => Some(Step::If(comparison(body))),
        "vmap" => Some(map(body)),
        "counter" | "log" | "snat" | "masquerade" | "flow" | "ct helper" | "ct timeout" | "ct expectation"
        | "secmark" | "reset" | "last" => None,
        "notrack" => Some(Step::Untrack),
        "dnat" => Some(Step::Dnat),
        "redirect" => Some(Step::Redirect),
        "mangle" => mangle(body),
        "tproxy" => Some(Step::Mark),
        "dup" => None,
        "limit" | "quota" | "ct count" | "meter" => Some(Step::If(Condition::Fixed(Truth::EITHER))),
        // Adds an element to a set, under its own conditions.
        "set" | "map" => body.get("stmt").map(|_| Step::If(Condition::Fixed(Truth::EITHER))),
        "queue" | "fwd" | "synproxy" => Some(Step::Then(Verdict::Unknown)),
        "xt" if text(body, "type") == "target" => iptables::target(text(body, "name")),
        "xt" if text(body, "name") == "comment" => None,
        _ => unknown,
    }
}

/// A verdict map's elements: pairs of value and verdict.
pub(super) fn verdict_map(elements: &Value) -> Set {
    let mut set = Set::default();
    // The entry for all other values comes last.
    let (others, named): (Vec<_>, Vec<_>) =
        elements.as_array().into_iter().flatten().partition(|entry| entry.get(0).is_some_and(|key| key == "*"));
    for entry in named.into_iter().chain(others) {
        let (Some(key), Some(value)) = (entry.get(0), entry.get(1)) else { continue };
        set.items.extend(item(key));
        set.verdicts.push(verdict(value).unwrap_or(Verdict::Unknown));
    }
    set
}

fn verdict(statement: &Value) -> Option<Verdict> {
    let (kind, body) = statement.as_object()?.iter().next()?;
    let target = || text(body, "target").to_owned();
    match kind.as_str() {
        "accept" => Some(Verdict::Accept),
        "drop" | "reject" => Some(Verdict::Drop),
        "jump" => Some(Verdict::Jump(target())),
        "goto" => Some(Verdict::Goto(target())),
        "return" => Some(Verdict::Return),
        "continue" => Some(Verdict::Continue),
        _ => None,
    }
}

fn map(body: &Value) -> Step {
    let unknown = Step::Then(Verdict::Unknown);
    let (Some(key), Some(data)) = (body.get("key"), body.get("data")) else { return unknown };
    let fields = fields(key);
    match data.as_str().and_then(|name| name.strip_prefix('@')) {
        Some(name) => Step::NamedMap(fields, name.to_owned()),
        None => {
            let set = data.get("set").map(verdict_map).unwrap_or_default();
            if set.items.len() != set.verdicts.len() * fields.len() {
                return unknown;
            }
            let entry = |(value, verdict): (&[Item], &Verdict)| {
                let values = Values::Own(Set { items: value.to_vec(), verdicts: Vec::new() });
                (Condition::Among { fields: fields.clone(), values, negated: false }, verdict.clone())
            };
            Step::Map(set.items.chunks(fields.len().max(1)).zip(&set.verdicts).map(entry).collect())
        }
    }
}

fn mangle(body: &Value) -> Option<Step> {
    let key = body.get("key")?;
    let payload = key.get("payload").map(|payload| text(payload, "field"));
    match (key.get("meta").or(key.get("ct")).map(|body| text(body, "key")), payload) {
        (Some("mark"), _) => Some(Step::Mark),
        // Another destination, without connection tracking.
        (_, Some("daddr" | "dport")) => Some(Step::Dnat),
        _ => None,
    }
}

/// `left op right`.
fn comparison(body: &Value) -> Condition {
    let unknown = Condition::Fixed(Truth::UNKNOWN);
    let (Some(left), Some(right)) = (body.get("left"), body.get("right")) else { return unknown };
    let fields = fields(left);
    let (values, negated) = match (text(body, "op"), &fields[..]) {
        // Flags: any of them, or none of them.
        (op @ ("in" | "!"), &[Field::TcpFlags(mask)]) => {
            let Some(bits) = flags(right) else { return unknown };
            let none = Values::Own(Set { items: vec![Item::number(0)], verdicts: Vec::new() });
            return Condition::Among { fields: vec![Field::TcpFlags(mask & bits)], values: none, negated: op == "in" };
        }
        (op @ ("==" | "!="), &[Field::TcpFlags(_)]) => (flag_values(right), op == "!="),
        ("==" | "in", _) => (items(right), false),
        ("!=", _) => (items(right), true),
        (op @ ("<" | "<=" | ">" | ">="), [_]) => match (&item(right)[..], op) {
            (&[Item::Span(number, _)], "<") if number > 0 => (own(Item::Span(0, number - 1)), false),
            (&[Item::Span(_, number)], "<=") => (own(Item::Span(0, number)), false),
            (&[Item::Span(_, number)], ">") => (own(Item::Span(number.saturating_add(1), u128::MAX)), false),
            (&[Item::Span(number, _)], _) if op == ">=" => (own(Item::Span(number, u128::MAX)), false),
            _ => return unknown,
        },
        _ => return unknown,
    };
    Condition::Among { fields, values, negated }
}

fn own(item: Item) -> Values {
    Values::Own(Set { items: vec![item], verdicts: Vec::new() })
}
