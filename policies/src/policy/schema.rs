//! The JSON Schema of the source of the controls and of a control file, for editors: made from the same tables as the reader, so that
//! the two cannot drift. It helps while writing; what it cannot express (unique ids, cycles of causes, the content of a list by role)
//! the reader checks.

use serde_json::{Map, Value, json};

use super::operator::{Operator, Takes};
use super::part::Whom;
use super::{Duty, FORMAT, LiftedBy, MOST_CONTROLS, MOST_STEPS, Role, Severity};
use crate::fact::{ChoiceItem, Field, Kind, OfficeFacts, Section};

/// The schema, ready to be written to `schema.json`.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    definitions.insert("sentence".to_owned(), sentence());
    let mut items = Definitions::default();
    definitions.insert("condition".to_owned(), condition(&mut items, None));
    definitions.extend(items.made);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Trạm An: controls",
        "type": "object",
        "additionalProperties": false,
        "required": ["format", "id", "title", "control"],
        "properties": {
            "format": { "const": FORMAT, "description": "Version of the language." },
            "id": by_role(identifier("Name of the controls of a role.")),
            "title": by_role(json!({ "$ref": "#/$defs/sentence" })),
            "for": { "enum": codes(Role::ALL.iter().map(|role| role.code())), "description": "The machines it is meant for; absent from the source of all controls." },
            "control": { "type": "array", "minItems": 1, "maxItems": MOST_CONTROLS, "items": control() },
        },
        "$defs": definitions,
    })
}

/// The value, or a list with one for each role.
fn by_role(value: Value) -> Value {
    let one =
        json!({ "type": "object", "required": ["for"], "properties": { "for": whom("The role it is meant for.") } });
    json!({ "anyOf": [value, { "type": "array", "minItems": 1, "items": one }] })
}

fn whom(description: &str) -> Value {
    json!({ "enum": codes(Whom::ALL.iter().map(|whom| whom.code())), "description": description })
}

fn codes<'c>(codes: impl Iterator<Item = &'c str>) -> Value {
    Value::Array(codes.map(Value::from).collect())
}

fn identifier(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[a-z][a-z0-9-]{0,63}$", "description": description })
}

fn sentence() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["vi", "en"],
        "properties": { "vi": { "type": "string", "minLength": 1 }, "en": { "type": "string", "minLength": 1 } },
    })
}

fn control() -> Value {
    let steps = json!({
        "type": "array", "minItems": 1, "maxItems": MOST_STEPS, "items": { "type": "string", "minLength": 1, "maxLength": 400 },
    });
    let clause = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["standard", "clause"],
        "properties": { "standard": { "type": "string" }, "clause": { "type": "string" }, "for": whom("The role it is meant for; all without it.") },
    });
    let fix = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["vi", "en"],
        "properties": {
            "when": { "$ref": "#/$defs/condition", "description": "The machines these steps are meant for; the last entry has none." },
            "vi": steps, "en": steps, "for": whom("The role they are meant for; all without it."),
        },
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "title", "clauses", "severity", "duty", "lifted_by", "minutes", "require", "fix"],
        "properties": {
            "id": identifier("Unique in this file; never changed once published."),
            "for": whom("The machines it is meant for, or an office as a whole; workstations and servers without it."),
            "title": by_role(json!({ "$ref": "#/$defs/sentence" })),
            "clauses": { "type": "array", "minItems": 1, "maxItems": 20, "items": clause, "description": "The clauses that ask for it." },
            "severity": by_role(json!({ "enum": codes(Severity::ALL.iter().map(|item| item.code())), "description": "Critical only for a duty that can be fixed on the spot." })),
            "duty": by_role(json!({ "enum": codes(Duty::ALL.iter().map(|item| item.code())), "description": "Where the wanted value comes from." })),
            "lifted_by": by_role(json!({ "enum": codes(LiftedBy::ALL.iter().map(|item| item.code())), "description": "Who can lift a failure." })),
            "minutes": by_role(json!({ "type": "integer", "minimum": 0, "maximum": 100_000, "description": "Minutes the remedy takes on one machine." })),
            "applies": by_role(json!({ "$ref": "#/$defs/condition", "description": "The machines it is meant for; all without it." })),
            "require": by_role(json!({ "$ref": "#/$defs/condition", "description": "What should hold." })),
            "implied_by": identifier("The control whose failure explains this one's."),
            "fix": { "type": "array", "minItems": 1, "maxItems": 20, "items": fix },
        },
    })
}

/// The definitions that are referred to by name: conditions on the items of lists, and operands.
#[derive(Default)]
struct Definitions {
    made: Map<String, Value>,
}

impl Definitions {
    /// A reference to the operand of `operator`, if it is the same for every subject of `kind`.
    fn shared(&mut self, operator: Operator, kind: Kind, operand: Value) -> Value {
        let kind = match (operator.takes(), kind) {
            (Takes::Condition | Takes::Counting, _) | (_, Kind::Choice(_) | Kind::List(_) | Kind::Record(_)) => {
                return operand;
            }
            (_, Kind::Bool) => "bool",
            (_, Kind::Integer(_)) => "number",
            (_, Kind::Text) => "text",
            (_, Kind::Instant) => "instant",
        };
        let name = format!("{}.{kind}", operator.code());
        let reference = json!({ "$ref": format!("#/$defs/{name}") });
        self.made.insert(name, operand);
        reference
    }
}

/// A condition on facts, or on the items of the list called `list.0`.
fn condition(definitions: &mut Definitions, list: Option<(&str, Kind)>) -> Value {
    let name = list.map_or_else(|| "condition".to_owned(), |(list, _)| format!("item.{list}"));
    let own = json!({ "$ref": format!("#/$defs/{name}") });
    let parts = json!({ "type": "array", "minItems": 1, "items": own });
    let mut kinds = vec![
        only("all", parts.clone(), "Every part holds."),
        only("any", parts, "Some part holds."),
        only("not", own, "The part does not hold."),
    ];
    let subjects: Vec<Subject> = match list {
        None => {
            let named = |section: &str, field: &Field| (format!("{section}.{}", field.name), field.kind, field.doc);
            let sections = Section::ALL.iter().map(|section| (section.name(), section.fields()));
            // Which of them a control may use depends on whom it is for, which the reader checks.
            sections
                .chain([("office", OfficeFacts::FIELDS)])
                .flat_map(|(section, fields)| fields.iter().map(move |field| named(section, field)))
                .collect()
        }
        Some((_, Kind::Record(fields))) => {
            fields.iter().map(|field| (field.name.to_owned(), field.kind, field.doc)).collect()
        }
        Some((list, kind)) => {
            kinds.push(comparison(definitions, list, kind));
            Vec::new()
        }
    };
    kinds.extend(comparisons(definitions, list.map(|(list, _)| list), subjects));
    json!({ "anyOf": kinds })
}

/// What can be compared: its name, its kind and what it means.
type Subject = (String, Kind, &'static str);

/// The comparisons of facts, or of the fields of the list called `list`: one for all subjects that have the same operators.
fn comparisons(definitions: &mut Definitions, list: Option<&str>, subjects: Vec<Subject>) -> Vec<Value> {
    let key = if list.is_some() { "field" } else { "fact" };
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (name, kind, doc) in subjects {
        let path = list.map_or_else(|| name.clone(), |list| format!("{list}.{name}"));
        let compared = comparison(definitions, &path, kind);
        let subject = json!({ "const": name, "description": doc.trim() });
        match groups.iter_mut().find(|(other, _)| *other == compared) {
            Some((_, named)) => named.push(subject),
            None => groups.push((compared, vec![subject])),
        }
    }
    let with_subject = |(mut compared, named): (Value, Vec<Value>)| {
        compared["properties"][key] = json!({ "oneOf": named });
        compared["required"] = json!([key]);
        compared["minProperties"] = json!(2);
        compared["maxProperties"] = json!(2);
        compared
    };
    groups.into_iter().map(with_subject).collect()
}

fn only(key: &str, value: Value, description: &str) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": [key],
        "properties": { key: value },
        "description": description,
    })
}

/// A comparison without its subject: exactly one operator that suits `kind`.
fn comparison(definitions: &mut Definitions, path: &str, kind: Kind) -> Value {
    let mut properties = Map::new();
    for operator in Operator::ALL.iter().filter(|operator| operator.suits(kind)) {
        let mut operand = operand(definitions, *operator, path, kind);
        operand["description"] = operator.meaning().into();
        properties.insert(operator.code().to_owned(), definitions.shared(*operator, kind, operand));
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": properties,
    })
}

fn operand(definitions: &mut Definitions, operator: Operator, path: &str, kind: Kind) -> Value {
    match operator.takes() {
        Takes::Value => value(kind),
        Takes::Values => json!({ "type": "array", "minItems": 1, "items": value(kind) }),
        Takes::Number => json!({ "type": "integer" }),
        Takes::Text => json!({ "type": "string", "minLength": 1 }),
        Takes::Days => json!({ "type": "integer", "minimum": 0, "maximum": 36_500 }),
        Takes::Condition => item(definitions, path, kind),
        Takes::Counting => {
            let number = json!({ "type": "integer", "minimum": 0, "maximum": 1_000_000 });
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "where": item(definitions, path, kind),
                    "at_most": number, "at_least": number, "is": number,
                },
                "oneOf": [{ "required": ["at_most"] }, { "required": ["at_least"] }, { "required": ["is"] }],
            })
        }
    }
}

/// A reference to the condition on the items of the list at `path`, which is made once.
fn item(definitions: &mut Definitions, path: &str, kind: Kind) -> Value {
    let name = format!("item.{path}");
    if let Kind::List(item) = kind
        && !definitions.made.contains_key(&name)
    {
        definitions.made.insert(name.clone(), Value::Null);
        let made = condition(definitions, Some((path, *item)));
        definitions.made.insert(name.clone(), made);
    }
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn value(kind: Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer(_) => json!({ "type": "integer" }),
        Kind::Choice(items) => json!({ "enum": codes(items.iter().map(|ChoiceItem { code, .. }| *code)) }),
        // Only kinds with equality take a value: `Operator::suits`.
        Kind::Text | Kind::Instant | Kind::List(_) | Kind::Record(_) => json!({ "type": "string" }),
    }
}
