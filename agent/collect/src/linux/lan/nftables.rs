//! Parses the output of `nft -j list ruleset` into [`Table`]s.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::filter::{Base, Chain, Family, Hook, Set, Step, Table};

mod expression;
mod statement;

/// The parsed rule set.
#[derive(Clone, Debug, Default)]
pub(super) struct Ruleset {
    /// The tables that are, or may be, in force.
    pub(super) tables: Vec<Table>,
    /// True when the output was cut: what the tables contain is right, but more may follow.
    pub(super) cut: bool,
    /// iptables rules that nft does not show in full: index of the table, chain, index of the rule.
    pub(super) opaque: Vec<(usize, String, usize)>,
}

/// Parses the output object by object, because it may be long. Of `cut` output everything before the cut counts.
///
/// # Errors
/// When the text is not the JSON that nft prints.
pub(super) fn ruleset(json: &str, cut: bool) -> Result<Ruleset, String> {
    let mut ruleset = Ruleset { cut, ..Ruleset::default() };
    let mut reader = serde_json::Deserializer::from_str(json);
    match Answer(&mut ruleset).deserialize(&mut reader) {
        Ok(true) => {}
        Ok(false) => return Err("nft: no list of objects".to_owned()),
        Err(error) if cut && error.is_eof() => {}
        Err(error) => return Err(format!("nft: {error}")),
    }
    // Its tables come one after the other.
    if cut && let Some(last) = ruleset.tables.last_mut() {
        last.whole = false;
    }
    Ok(ruleset)
}

/// An object of the output; those of other kinds are skipped.
#[derive(Deserialize)]
struct Object {
    table: Option<Value>,
    chain: Option<Value>,
    set: Option<Value>,
    map: Option<Value>,
    rule: Option<Value>,
}

/// The whole answer: an object that holds the list.
struct Answer<'a>(&'a mut Ruleset);

impl<'de> DeserializeSeed<'de> for Answer<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Answer<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the list of nftables' objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "nftables" {
                map.next_value_seed(Objects(self.0))?;
                found = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The list.
struct Objects<'a>(&'a mut Ruleset);

impl<'de> DeserializeSeed<'de> for Objects<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(object) = items.next_element::<Object>()? {
            self.0.add(&object);
        }
        Ok(())
    }
}

impl Ruleset {
    fn add(&mut self, object: &Object) {
        if let Some(table) = &object.table {
            self.add_table(table);
        }
        if let Some(chain) = &object.chain
            && let Some(table) = self.table_of(chain)
        {
            self.tables[table]
                .chains
                .insert(text(chain, "name").to_owned(), Chain { base: base(chain), rules: Vec::new() });
        }
        if let Some(set) = object.set.as_ref().or(object.map.as_ref())
            && let Some(table) = self.table_of(set)
        {
            let elements = set.get("elem").map_or_else(Set::default, |elements| match object.map {
                Some(_) => statement::verdict_map(elements),
                None => expression::set(elements),
            });
            self.tables[table].sets.insert(text(set, "name").to_owned(), elements);
        }
        if let Some(rule) = &object.rule
            && let Some(index) = self.table_of(rule)
        {
            self.add_rule(index, rule);
        }
    }

    fn add_table(&mut self, object: &Value) {
        let family = match text(object, "family") {
            "ip" => Family::Ip,
            "ip6" => Family::Ip6,
            "inet" => Family::Inet,
            "netdev" => Family::Netdev,
            "bridge" => Family::Bridge,
            // ARP only.
            _ => return,
        };
        let flags = match object.get("flags") {
            None => Vec::new(),
            Some(Value::Array(flags)) => flags.iter().map(|flag| flag.as_str().unwrap_or_default()).collect(),
            Some(flag) => vec![flag.as_str().unwrap_or_default()],
        };
        let mut table = Table::new(family, text(object, "name"));
        table.in_force = flags.iter().all(|flag| ["owner", "persist"].contains(flag));
        // A dormant table stays in the list: its chains and rules follow.
        if flags.contains(&"dormant") {
            table.name = String::new();
        }
        self.tables.push(table);
    }

    fn table_of(&self, object: &Value) -> Option<usize> {
        let (family, name) = (text(object, "family"), text(object, "table"));
        let of = |table: &Table| {
            let own = match table.family {
                Family::Ip => "ip",
                Family::Ip6 => "ip6",
                Family::Inet => "inet",
                Family::Netdev => "netdev",
                Family::Bridge => "bridge",
            };
            own == family && table.name == name
        };
        self.tables.iter().position(of)
    }

    fn add_rule(&mut self, index: usize, rule: &Value) {
        let table = &mut self.tables[index];
        let Some(chain) = table.chains.get_mut(text(rule, "chain")) else { return };
        let statements = rule.get("expr").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let steps: Vec<Step> = statements.iter().filter_map(statement::step).collect();
        if statements.iter().any(|statement| statement.get("xt").is_some()) {
            self.opaque.push((index, text(rule, "chain").to_owned(), chain.rules.len()));
        }
        chain.rules.push(steps);
        let changed = |statement: &Value| {
            let name = ["set", "map"].iter().find_map(|kind| statement.get(kind)?.get(kind)?.as_str());
            name.map(|name| name.trim_start_matches('@').to_owned())
        };
        table.changing.extend(statements.iter().filter_map(changed));
    }
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn base(chain: &Value) -> Option<Base> {
    let hook = match text(chain, "hook") {
        "ingress" => Hook::Ingress,
        "prerouting" => Hook::Prerouting,
        "input" => Hook::Input,
        "forward" => Hook::Forward,
        _ => return None,
    };
    let devices = match chain.get("dev") {
        Some(Value::String(device)) => vec![device.clone()],
        Some(Value::Array(devices)) => devices.iter().filter_map(|device| device.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let priority = chain.get("prio").and_then(Value::as_i64).unwrap_or_default();
    Some(Base { hook, priority, policy_drops: text(chain, "policy") == "drop", devices })
}
