//! The answer of `nft -j -t list ruleset` as [`Table`]s.

use serde_json::Value;

use super::filter::{Action, Chain, Condition, Is, Protocol, Rule, Table};

/// All tables that are in force.
///
/// # Errors
/// When the text is not the JSON that nft prints.
pub(super) fn tables(json: &str) -> Result<Vec<Table>, String> {
    let parsed: Value = serde_json::from_str(json).map_err(|error| format!("nft: {error}"))?;
    let items = parsed.get("nftables").and_then(Value::as_array).ok_or("nft: no list of objects")?;
    let mut tables: Vec<(String, Table)> = Vec::new();
    for table in items.iter().filter_map(|item| item.get("table")) {
        let (family, name) = (text(table, "family"), text(table, "name"));
        let dormant = table.get("flags").is_some_and(|flags| flags.to_string().contains("dormant"));
        if !dormant {
            let (ipv4, ipv6) = (["ip", "inet"].contains(&family), ["ip6", "inet"].contains(&family));
            tables.push((family.to_owned(), Table { name: name.to_owned(), ipv4, ipv6, ..Table::default() }));
        }
    }
    let find = |object: &Value| {
        let (family, name) = (text(object, "family").to_owned(), text(object, "table").to_owned());
        tables.iter().position(|(of, table)| *of == family && table.name == name)
    };
    let mut chains = Vec::new();
    for item in items {
        if let Some(chain) = item.get("chain") {
            let inbound = (text(chain, "hook") == "input" && text(chain, "type") == "filter")
                .then(|| text(chain, "policy") == "drop");
            chains.push((find(chain), text(chain, "name"), Chain { inbound, rules: Vec::new() }));
        }
    }
    let rules: Vec<(Option<usize>, &str, Vec<Rule>)> = items
        .iter()
        .filter_map(|item| item.get("rule"))
        .map(|rule| (find(rule), text(rule, "chain"), read_rule(rule)))
        .collect();
    for (table, name, chain) in chains {
        if let Some(table) = table {
            tables[table].1.chains.insert(name.to_owned(), chain);
        }
    }
    for (table, chain, rules) in rules {
        if let Some(chain) = table.and_then(|table| tables[table].1.chains.get_mut(chain)) {
            chain.rules.extend(rules);
        }
    }
    Ok(tables.into_iter().map(|(_, table)| table).collect())
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A rule, or several where it holds a map of verdicts; none when it only counts or logs.
fn read_rule(rule: &Value) -> Vec<Rule> {
    let mut conditions = Vec::new();
    let mut rules = Vec::new();
    for statement in rule.get("expr").and_then(Value::as_array).into_iter().flatten() {
        if let Some(action) = action(statement) {
            rules.push(Rule { conditions: conditions.clone(), action });
            break;
        }
        let Some((kind, body)) = statement.as_object().and_then(|object| object.iter().next()) else { continue };
        match kind.as_str() {
            "match" => conditions.push(condition(body)),
            "vmap" => rules.extend(verdict_map(body, &conditions)),
            "counter" | "log" | "mangle" | "notrack" | "ct helper" => {}
            "xt" if text(body, "name") == "comment" => {}
            _ => conditions.push(Condition::Other),
        }
    }
    rules
}

fn action(statement: &Value) -> Option<Action> {
    let (kind, body) = statement.as_object()?.iter().next()?;
    let target = || text(body, "target").to_owned();
    match kind.as_str() {
        "accept" => Some(Action::Accept),
        "drop" | "reject" => Some(Action::Drop),
        "xt" if text(body, "name") == "REJECT" => Some(Action::Drop),
        "jump" => Some(Action::Jump(target())),
        "goto" => Some(Action::Goto(target())),
        "return" => Some(Action::Return),
        _ => None,
    }
}

fn condition(body: &Value) -> Condition {
    let is = if text(body, "op") == "!=" { Is::NotIn } else { Is::In };
    match (body.get("left"), body.get("right")) {
        (Some(left), Some(right)) => compared(left, &words(right), is),
        _ => Condition::Other,
    }
}

fn compared(left: &Value, words: &[String], is: Is) -> Condition {
    let key = |kind: &str| left.get(kind).map(|body| text(body, "key"));
    match (key("meta"), key("ct")) {
        _ if words.is_empty() => Condition::Other,
        (Some("iifname" | "iif"), _) => Condition::Interface(words.to_vec(), is),
        (Some("nfproto" | "protocol"), _) => match (words, is) {
            ([word], Is::In) if ["ipv4", "ip"].contains(&word.as_str()) => Condition::Family(Protocol::Ipv4),
            ([word], Is::In) if ["ipv6", "ip6"].contains(&word.as_str()) => Condition::Family(Protocol::Ipv6),
            _ => Condition::Other,
        },
        (_, Some("state")) => Condition::Begins(words.iter().any(|word| word == "new") == (is == Is::In)),
        _ => Condition::Other,
    }
}

/// A word, or a list or set of words; empty when it is something else.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(word) => vec![word.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Object(object) => object.get("set").map(words).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// `iifname vmap { "lo" : accept, "eth0" : jump inbound }` as one rule for each entry.
fn verdict_map(body: &Value, conditions: &[Condition]) -> Vec<Rule> {
    let entries = body.get("data").and_then(|data| data.get("set")).and_then(Value::as_array);
    let rule = |entry: &Value| {
        let (key, action) = (entry.get(0)?, action(entry.get(1)?)?);
        let own = body.get("key").map_or(Condition::Other, |left| compared(left, &words(key), Is::In));
        Some(Rule { conditions: conditions.iter().cloned().chain([own]).collect(), action })
    };
    entries.into_iter().flatten().filter_map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(json: &str) -> (bool, bool) {
        let tables = tables(json).unwrap();
        let by = |protocol| tables.iter().any(|table| table.drops(protocol, "eth0"));
        (by(Protocol::Ipv4), by(Protocol::Ipv6))
    }

    fn ruleset(policy: &str, rules: &[&str]) -> String {
        let rules: String = rules
            .iter()
            .map(|expr| format!(r#",{{"rule":{{"family":"inet","table":"filter","chain":"input","expr":{expr}}}}}"#))
            .collect();
        format!(
            r#"{{"nftables":[{{"metainfo":{{"version":"1.0.6"}}}},{{"table":{{"family":"inet","name":"filter","handle":1}}}},
            {{"chain":{{"family":"inet","table":"filter","name":"input","type":"filter","hook":"input","prio":0,"policy":"{policy}"}}}},
            {{"chain":{{"family":"inet","table":"filter","name":"world"}}}},
            {{"rule":{{"family":"inet","table":"filter","chain":"world","expr":[{{"drop":null}}]}}}}{rules}]}}"#
        )
    }

    const LOOPBACK: &str = r#"[{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"lo"}},{"accept":null}]"#;
    const ESTABLISHED: &str =
        r#"[{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}},{"accept":null}]"#;
    const SSH: &str = r#"[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":22}},{"counter":{"packets":1,"bytes":2}},{"accept":null}]"#;

    #[test]
    fn a_policy_of_drop_blocks_and_a_blanket_accept_opens() {
        assert_eq!(drops(&ruleset("drop", &[LOOPBACK, ESTABLISHED, SSH])), (true, true));
        assert_eq!(drops(&ruleset("accept", &[LOOPBACK, ESTABLISHED, SSH])), (false, false));
        assert_eq!(drops(&ruleset("drop", &[SSH, r#"[{"counter":null},{"accept":null}]"#])), (false, false));
        let beginning = r#"[{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":"new"}},{"accept":null}]"#;
        assert_eq!(drops(&ruleset("drop", &[beginning])), (false, false));
    }

    #[test]
    fn a_last_drop_blocks_under_a_policy_of_accept() {
        assert_eq!(
            drops(&ruleset("accept", &[SSH, r#"[{"reject":{"type":"icmpx","expr":"admin-prohibited"}}]"#])),
            (true, true)
        );
        let by_interface = r#"[{"vmap":{"key":{"meta":{"key":"iifname"}},"data":{"set":[["lo",{"accept":null}],["eth0",{"jump":{"target":"world"}}]]}}}]"#;
        assert_eq!(drops(&ruleset("accept", &[by_interface])), (true, true));
        let other = by_interface.replace("eth0", "eth9");
        assert_eq!(drops(&ruleset("accept", &[&other])), (false, false));
        let ipv6 =
            r#"[{"match":{"op":"==","left":{"meta":{"key":"nfproto"}},"right":"ipv6"}},{"goto":{"target":"world"}}]"#;
        assert_eq!(drops(&ruleset("accept", &[ipv6])), (false, true));
    }

    #[test]
    fn a_dormant_table_blocks_nothing_and_a_loop_ends() {
        let dormant = ruleset("drop", &[]).replace(r#""handle":1"#, r#""handle":1,"flags":"dormant""#);
        assert_eq!(drops(&dormant), (false, false));
        assert_eq!(drops(&ruleset("drop", &[r#"[{"jump":{"target":"input"}}]"#])), (true, true));
    }

    #[test]
    fn what_is_no_answer_of_nft_is_an_error() {
        for broken in ["", "{", "[]", "{\"nftables\":1}", &ruleset("drop", &[SSH])[..200]] {
            assert!(tables(broken).is_err(), "{broken}");
        }
        assert_eq!(tables("{\"nftables\":[1,{\"chain\":2},{\"rule\":{\"expr\":[3]}}]}"), Ok(Vec::new()));
    }
}
