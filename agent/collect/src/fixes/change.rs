//! What a remedy changes in a recording, as described in `policies/tests/fixes/`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::machine::Family;
use super::steps::Effect;

/// What the steps of one control change on some machines.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Remedy {
    /// The machines it is for, by the beginning of their names; all when empty.
    pub(super) on: Vec<String>,
    /// Windows: registry changes, in the format of Registry Editor.
    pub(super) registry: String,
    /// Files with their new content.
    pub(super) files: BTreeMap<String, String>,
    /// Linux: files to remove.
    pub(super) remove_files: Vec<String>,
    /// Text replacements in files and texts.
    pub(super) edit: Vec<Edit>,
    /// Changed answers: a path in `os.json` and the new value.
    pub(super) set: BTreeMap<String, Value>,
    /// Paths in `os.json` to remove.
    pub(super) remove: Vec<String>,
    /// Values, services and the like that the steps name but that stay unchanged: they belong to another way that the card offers.
    pub(super) other_way: Vec<String>,
    /// Why nothing in the recording changes although the steps work.
    pub(super) unchanged: Option<String>,
    /// Why no machine of this family can fail the control.
    pub(super) never: Option<String>,
}

/// Replaces one piece of text by another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    /// The file, or `:` and the path in `os.json` of a text.
    pub(super) place: String,
    pub(super) from: String,
    pub(super) to: String,
}

impl Remedy {
    /// The remedies of all controls on one family of systems.
    pub(super) fn all(family: Family) -> BTreeMap<String, Vec<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/tests/fixes");
        let text = std::fs::read_to_string(folder.join(format!("{}.toml", family.name()))).unwrap();
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}.toml: {error}", family.name()))
    }

    pub(super) fn is_for(&self, machine: &str) -> bool {
        self.on.is_empty() || self.on.iter().any(|name| machine.starts_with(name))
    }

    /// True for an effect of the steps that belongs to another way than this remedy.
    pub(super) fn leaves(&self, effect: &Effect) -> bool {
        self.other_way.iter().any(|name| name == effect.name())
    }

    /// Each of its lines, with a description, as a remedy of its own.
    pub(super) fn lines(&self) -> Vec<(String, Self)> {
        let mut found = Vec::new();
        let registry = |text: String| Self { registry: text, ..Self::default() };
        let text: Vec<&str> = self.registry.lines().filter(|line| !line.is_empty()).collect();
        let mut key = "";
        for (at, line) in text.iter().enumerate() {
            let alone = text.get(at + 1).is_none_or(|next| next.starts_with('['));
            match line.strip_prefix('[') {
                Some(_) => key = line,
                None => found.push((format!("{key} {line}"), registry(format!("{key}\n{line}\n")))),
            }
            if alone && line.starts_with('[') {
                found.push(((*line).to_owned(), registry(format!("{line}\n"))));
            }
        }
        for (path, content) in &self.files {
            let files = [(path.clone(), content.clone())].into();
            found.push((path.clone(), Self { files, ..Self::default() }));
        }
        for (path, value) in &self.set {
            let set = [(path.clone(), value.clone())].into();
            found.push((path.clone(), Self { set, ..Self::default() }));
        }
        for path in &self.remove {
            found.push((path.clone(), Self { remove: vec![path.clone()], ..Self::default() }));
        }
        for path in &self.remove_files {
            found.push((path.clone(), Self { remove_files: vec![path.clone()], ..Self::default() }));
        }
        found
    }

    /// Applies the changes to `os.json`.
    pub(super) fn apply(&self, answers: &mut Value) -> anyhow::Result<()> {
        for (path, value) in &self.set {
            visit(answers, path, &mut |place| *place = value.clone())?;
        }
        for path in &self.remove {
            let (above, last) = path.rsplit_once('/').context("a path begins with a slash")?;
            visit(answers, above, &mut |place| match place {
                Value::Object(fields) => drop(fields.remove(&plain(last))),
                Value::Array(items) => items.retain(|item| !fits(item, last)),
                _ => {}
            })?;
        }
        for edit in self.edit.iter().filter(|edit| edit.is_answer()) {
            let mut found = false;
            visit(answers, &edit.place[1..], &mut |place| {
                if let Value::String(text) = place {
                    found |= text.contains(&edit.from);
                    *text = text.replace(&edit.from, &edit.to);
                }
            })?;
            ensure!(found, "{}: does not hold {:?}", edit.place, edit.from);
        }
        Ok(())
    }
}

impl Edit {
    /// True for a text in `os.json`: its path begins with a colon.
    pub(super) fn is_answer(&self) -> bool {
        self.place.starts_with(':')
    }

    /// The text after the edit.
    pub(super) fn apply(&self, text: &str) -> anyhow::Result<String> {
        ensure!(text.contains(&self.from), "{}: does not hold {:?}", self.place, self.from);
        Ok(text.replace(&self.from, &self.to))
    }
}

/// Applies `change` at every place that `path` leads to: a path as in RFC 6901, with additional parts `*` for every item, `field=value`
/// for the items whose field has that value, and `+` for a new item at the end.
fn visit(value: &mut Value, path: &str, change: &mut dyn FnMut(&mut Value)) -> anyhow::Result<()> {
    let mut found = 0;
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    walk(value, &parts, &mut |place| {
        found += 1;
        change(place);
    });
    ensure!(found > 0, "nothing at {path}");
    Ok(())
}

fn walk(value: &mut Value, parts: &[&str], change: &mut dyn FnMut(&mut Value)) {
    let Some((part, rest)) = parts.split_first() else { return change(value) };
    match value {
        Value::Array(items) if *part == "+" => {
            items.push(Value::Null);
            walk(items.last_mut().unwrap(), rest, change);
        }
        Value::Array(items) => {
            for (_, item) in
                items.iter_mut().enumerate().filter(|(at, item)| part.parse() == Ok(*at) || fits(item, part))
            {
                walk(item, rest, change);
            }
        }
        Value::Object(fields) if *part == "*" => fields.values_mut().for_each(|field| walk(field, rest, change)),
        Value::Object(fields) => {
            // The last part of a path may name something that does not exist yet.
            let field = match rest {
                [] => Some(fields.entry(plain(part)).or_insert(Value::Null)),
                _ => fields.get_mut(&plain(part)),
            };
            field.into_iter().for_each(|field| walk(field, rest, change));
        }
        _ => {}
    }
}

/// True when `*` or `field=value` selects the item.
fn fits(item: &Value, part: &str) -> bool {
    let Some((field, wanted)) = part.split_once('=') else { return part == "*" };
    let found = field.parse::<usize>().ok().and_then(|at| item.get(at)).or_else(|| item.get(field));
    match found {
        Some(Value::String(text)) => *text == plain(wanted),
        Some(Value::Number(number)) => wanted.parse().is_ok_and(|wanted| number.as_i64() == Some(wanted)),
        _ => false,
    }
}

fn plain(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}
