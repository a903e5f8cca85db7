//! Made conditions and machines: everything the tables of facts and operators allow, by their kinds.

use policies::fact::{Facts, Field, Instant, Kind, Section};
use policies::policy::{Operator, Takes};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use serde_json::{Map, Value, json};

use crate::machines::{good, windows_good};

const REASONS: [&str; 8] = [
    "not_collected",
    "no_reader",
    "needs_administrator",
    "source_missing",
    "timed_out",
    "unreadable",
    "contradictory",
    "agent_too_old",
];

/// Any instant the judge may be called with, most of them in our time.
pub(crate) fn instant() -> impl Strategy<Value = Instant> {
    prop_oneof![
        8 => (1_700_000_000_i64..1_900_000_000).prop_map(|second| Instant::from_second(second).unwrap()),
        1 => Just(Instant::MIN),
        1 => Just(Instant::MAX),
    ]
}

/// A condition in TOML on one line.
pub(crate) fn condition() -> BoxedStrategy<String> {
    let facts: Vec<(String, Kind)> = Section::ALL
        .iter()
        .flat_map(|section| {
            section.fields().iter().map(|field| (format!("fact = \"{}.{}\", ", section.name(), field.name), field.kind))
        })
        .collect();
    joined(facts)
}

/// Comparisons of the subjects, alone and joined.
fn joined(subjects: Vec<(String, Kind)>) -> BoxedStrategy<String> {
    let test = proptest::sample::select(subjects).prop_flat_map(|(subject, kind)| {
        comparison(kind).prop_map(move |comparison| format!("{{ {subject}{comparison} }}"))
    });
    test.prop_recursive(3, 12, 3, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.join(", "));
        prop_oneof![
            several().prop_map(|parts| format!("{{ all = [{parts}] }}")),
            several().prop_map(|parts| format!("{{ any = [{parts}] }}")),
            inner.clone().prop_map(|part| format!("{{ not = {part} }}")),
        ]
    })
    .boxed()
}

/// One operator that suits `kind`, with an operand.
fn comparison(kind: Kind) -> BoxedStrategy<String> {
    let operators: Vec<Operator> = Operator::ALL.iter().copied().filter(|operator| operator.suits(kind)).collect();
    proptest::sample::select(operators)
        .prop_flat_map(move |operator| {
            let code = operator.code();
            operand(operator.takes(), kind).prop_map(move |operand| format!("{code} = {operand}"))
        })
        .boxed()
}

fn operand(takes: Takes, kind: Kind) -> BoxedStrategy<String> {
    match takes {
        Takes::Value => value(kind),
        Takes::Values => {
            proptest::collection::vec(value(kind), 1..5).prop_map(|values| format!("[{}]", values.join(", "))).boxed()
        }
        Takes::Number => number().prop_map(|number| number.to_string()).boxed(),
        Takes::Text => "[a-zA-Z]{1,3}".prop_map(|text| format!("\"{text}\"")).boxed(),
        Takes::Days => (0_i64..=36_500).prop_map(|days| days.to_string()).boxed(),
        Takes::Condition => item(kind),
        Takes::Counting => {
            (proptest::option::of(item(kind)), proptest::sample::select(vec!["at_most", "at_least", "is"]), 0_i64..6)
                .prop_map(|(filter, bound, number)| match filter {
                    Some(filter) => format!("{{ where = {filter}, {bound} = {number} }}"),
                    None => format!("{{ {bound} = {number} }}"),
                })
                .boxed()
        }
    }
}

/// A condition on the items of a list of `kind`.
fn item(kind: Kind) -> BoxedStrategy<String> {
    let Kind::List(item) = kind else { unreachable!("only lists have items") };
    match item {
        Kind::Record(fields) => {
            joined(fields.iter().map(|field| (format!("field = \"{}\", ", field.name), field.kind)).collect::<Vec<_>>())
        }
        plain => joined(vec![(String::new(), *plain)]),
    }
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -3_i64..20, 1 => 0_i64..100_000, 1 => any::<i64>()]
}

fn value(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        Kind::Integer(_) => number().prop_map(|number| number.to_string()).boxed(),
        Kind::Choice(items) => proptest::sample::select(items).prop_map(|item| format!("\"{}\"", item.code)).boxed(),
        _ => proptest::sample::select(vec!["\"\"", "\"debian\"", "\"10.0.0.1\"", "\"x\""])
            .prop_map(str::to_owned)
            .boxed(),
    }
}

/// A machine: any value of its kind for every fact, known or not.
pub(crate) fn machine() -> BoxedStrategy<Facts> {
    facts(2).prop_map(|json| decode(&json)).boxed()
}

/// A machine with everything known, and the same with some of it forgotten: facts, fields of records and the ends of lists.
pub(crate) fn forgotten() -> BoxedStrategy<(Facts, Facts)> {
    (facts(0), proptest::collection::vec(any::<u8>(), 64))
        .prop_map(|(more, dice)| {
            let mut less = more.clone();
            let mut dice = dice.into_iter().cycle();
            forget(&mut less, &mut dice);
            (decode(&less), decode(&more))
        })
        .boxed()
}

fn decode(json: &Value) -> Facts {
    serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}\n{json:#}"))
}

/// Makes known things unknown and cuts listsat random.
fn forget(value: &mut Value, dice: &mut impl Iterator<Item = u8>) {
    let Value::Object(object) = value else { return };
    if object.contains_key("known") && dice.next().is_some_and(|die| die < 40) {
        *value = json!({ "unknown": { "reason": "timed_out" } });
        return;
    }
    if let Some(Value::Array(items)) = object.get_mut("items") {
        let keep = dice.next().map_or(items.len(), |die| usize::from(die) % 8).min(items.len());
        let lost = items.len() - keep;
        items.truncate(keep);
        items.iter_mut().for_each(|item| forget(item, dice));
        let before = object.get("left_out").and_then(Value::as_u64).unwrap_or(0);
        object.insert("left_out".to_owned(), json!(before + lost as u64));
        return;
    }
    object.values_mut().for_each(|value| forget(value, dice));
}

/// All facts in their wire form. Of every ten facts, `unknown` are unknown.
fn facts(unknown: u32) -> BoxedStrategy<Value> {
    let [sample, windows]: [Value; 2] = [good(), windows_good()].map(|json| serde_json::from_str(json).unwrap());
    let sections: Vec<BoxedStrategy<(String, Value)>> = Section::ALL
        .iter()
        .map(|section| {
            let fields: Vec<BoxedStrategy<(String, Value)>> = section
                .fields()
                .iter()
                .map(|field| {
                    // The Linux sample lacks what only Windows has.
                    let shapes = [&sample, &windows].map(|sample| &sample[section.name()][field.name]);
                    let shape = if shapes[0]["known"].is_null() { shapes[1] } else { shapes[0] };
                    named(field, fact(field.kind, &shape["known"], unknown))
                })
                .collect();
            let name = section.name().to_owned();
            fields.prop_map(move |fields| (name.clone(), object(fields))).boxed()
        })
        .collect();
    sections.prop_map(object).boxed()
}

fn named(field: &Field, value: BoxedStrategy<Value>) -> BoxedStrategy<(String, Value)> {
    let name = field.name.to_owned();
    value.prop_map(move |value| (name.clone(), value)).boxed()
}

fn object(fields: Vec<(String, Value)>) -> Value {
    Value::Object(fields.into_iter().collect::<Map<_, _>>())
}

fn fact(kind: Kind, shape: &Value, unknown: u32) -> BoxedStrategy<Value> {
    let known = wire(kind, shape, unknown).prop_map(|value| json!({ "known": value }));
    let not = proptest::sample::select(&REASONS[..])
        .prop_map(|reason| json!({ "unknown": { "reason": reason, "detail": "made" } }));
    if unknown == 0 { known.boxed() } else { prop_oneof![10 - unknown => known, unknown => not].boxed() }
}

/// A value of `kind`; `shape` is a sample that shows which fields of a record are facts.
fn wire(kind: Kind, shape: &Value, unknown: u32) -> BoxedStrategy<Value> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Integer(_) => number().prop_map(Value::from).boxed(),
        Kind::Text => prop_oneof![
            3 => proptest::sample::select(vec!["", "debian", "12", "10.0.0.1", "TeamViewer", "x"]).prop_map(Value::from),
            1 => any::<String>().prop_map(Value::from),
        ]
        .boxed(),
        Kind::Instant => instant().prop_map(|at| Value::from(at.to_string())).boxed(),
        Kind::Choice(items) => proptest::sample::select(items).prop_map(|item| Value::from(item.code)).boxed(),
        Kind::List(item) => {
            let left_out = if unknown == 0 { Just(0_u32).boxed() } else { prop_oneof![4 => Just(0_u32), 1 => 1_u32..9].boxed() };
            (proptest::collection::vec(wire(*item, &shape["items"][0], unknown), 0..5), left_out)
                .prop_map(|(items, left_out)| json!({ "items": items, "left_out": left_out }))
                .boxed()
        }
        Kind::Record(fields) => {
            let fields: Vec<BoxedStrategy<(String, Value)>> = fields
                .iter()
                .map(|field| {
                    let shape = &shape[field.name];
                    let value = if shape.get("known").or(shape.get("unknown")).is_some() {
                        fact(field.kind, &shape["known"], unknown)
                    } else {
                        wire(field.kind, shape, unknown)
                    };
                    named(field, value)
                })
                .collect();
            fields.prop_map(object).boxed()
        }
    }
}
