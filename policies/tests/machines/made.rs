//! The made machines of `linux.toml` and `windows.toml`, as the wire form of their facts.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// A machine of Linux on which everything is right.
pub(crate) fn good() -> &'static str {
    static MADE: LazyLock<String> = LazyLock::new(|| made(include_str!("linux.toml"), "good"));
    &MADE
}

/// A machine of Linux on which nothing is right.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn bad() -> &'static str {
    static MADE: LazyLock<String> = LazyLock::new(|| made(include_str!("linux.toml"), "bad"));
    &MADE
}

/// A machine of Windows on which everything is right.
pub(crate) fn windows_good() -> &'static str {
    static MADE: LazyLock<String> = LazyLock::new(|| made(include_str!("windows.toml"), "good"));
    &MADE
}

/// A machine of Windows on which nothing is right.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn windows_bad() -> &'static str {
    static MADE: LazyLock<String> = LazyLock::new(|| made(include_str!("windows.toml"), "bad"));
    &MADE
}

fn made(file: &str, which: &str) -> String {
    let sections: Map<String, Value> = toml::from_str(file).unwrap();
    let facts = sections.into_iter().map(|(section, facts)| {
        let Value::Object(facts) = facts else { panic!("{section} is no section") };
        let own = |(name, of): (String, Value)| Some((name, fact(of.get(which).or(of.get("both"))?)));
        (section, Value::Object(facts.into_iter().filter_map(own).collect()))
    });
    serde_json::to_string_pretty(&Value::Object(facts.collect())).unwrap()
}

fn fact(value: &Value) -> Value {
    match value {
        Value::Object(object) if object.contains_key("unknown") => value.clone(),
        Value::Array(items) => json!({ "known": { "items": items } }),
        _ => json!({ "known": value }),
    }
}
