//! Writes the source of the controls as the control file of one role, for agents that know only that form. Values are copied as they are written.

use toml::de::{DeTable, DeValue};

use super::Role;
use super::error::PolicyErrors;
use super::part::Whom;
use super::source::Source;
use super::table::Node;

/// The keys of a control except its remedies, in reading order.
const KEYS: [&str; 10] =
    ["id", "title", "clauses", "severity", "duty", "lifted_by", "minutes", "implied_by", "applies", "require"];

/// The control file for `role` in the source `text`. Of the clauses, which agents do not show but require, it holds the first.
///
/// # Errors
/// As reading the source.
pub(super) fn flat(file: &str, text: &str, role: Role) -> Result<String, PolicyErrors> {
    let source = Source::open(file, text.as_bytes())?;
    let flat = source.parsed().map(|whole| {
        let part = Whom::Machines(role).part(&source, &whole);
        document(&source, part.get_ref(), role)
    });
    source.end(flat)
}

fn document(source: &Source<'_>, entries: &DeTable<'_>, role: Role) -> String {
    let mut out = String::new();
    keys(source, entries, &["format", "id", "title"], &mut out);
    out.push_str(&format!("for = \"{}\"\n", role.code()));
    for control in tables(entries, "control") {
        out.push_str("\n[[control]]\n");
        keys(source, control, &KEYS, &mut out);
        for fix in tables(control, "fix") {
            out.push_str("\n[[control.fix]]\n");
            keys(source, fix, &["when", "vi", "en"], &mut out);
        }
    }
    out
}

fn tables<'t>(entries: &'t DeTable<'t>, key: &str) -> impl Iterator<Item = &'t DeTable<'t>> {
    let items = entries.get(key).and_then(|node| node.get_ref().as_array());
    items.into_iter().flat_map(|items| items.iter()).filter_map(|node| node.get_ref().as_table())
}

fn keys(source: &Source<'_>, entries: &DeTable<'_>, keys: &[&str], out: &mut String) {
    for key in keys {
        let Some(node) = entries.get(*key) else { continue };
        out.push_str(&format!("{key} = "));
        match node.get_ref() {
            DeValue::Array(clauses) if *key == "clauses" => list(source, clauses.iter().take(1), out),
            _ => value(source, node, out),
        }
        out.push('\n');
    }
}

fn list<'t>(source: &Source<'_>, items: impl Iterator<Item = &'t Node<'t>>, out: &mut String) {
    out.push('[');
    for item in items {
        value(source, item, out);
        out.push_str(", ");
    }
    out.push(']');
}

fn value(source: &Source<'_>, node: &Node<'_>, out: &mut String) {
    match node.get_ref() {
        DeValue::Table(entries) => {
            out.push('{');
            for (index, (key, node)) in entries.iter().enumerate() {
                out.push_str(&format!("{} {} = ", if index == 0 { "" } else { "," }, key.get_ref()));
                value(source, node, out);
            }
            out.push_str(" }");
        }
        DeValue::Array(items) => list(source, items.iter(), out),
        _ => out.push_str(source.written(&node.span())),
    }
}
