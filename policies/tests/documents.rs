//! The documentation of the language stays true: the schema for editors is fresh and every example of the README is accepted.

use std::fs;
use std::path::Path;

use policies::policy::{ControlSource, Operator, Policy, schema};
use policies::text::Language;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_default()
}

/// With `UPDATE_EXPECTED=1` the schema is rewritten.
#[test]
fn the_schema_is_fresh() {
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.json"), &made).unwrap();
    }
    assert!(file("schema.json") == made, "policies/schema.json is stale: run this test with UPDATE_EXPECTED=1");
}

/// A control around `require`, which may bring other keys with it.
fn control(require: &str) -> String {
    format!(
        "[[control]]\nid = \"x\"\ntitle = {{ vi = \"a\", en = \"a\" }}\nclauses = [{{ standard = \"s\", clause = \"c\" }}]\n\
         severity = \"low\"\nduty = \"standard\"\nlifted_by = \"on_spot\"\nminutes = 1\nfix = [{{ vi = [\"a\"], en = [\"a\"] }}]\n{require}\n"
    )
}

fn read(controls: &str) {
    let text =
        format!("format = 1\nid = \"readme\"\ntitle = {{ vi = \"a\", en = \"a\" }}\nfor = \"server\"\n{controls}");
    if let Err(errors) = Policy::read("README.md", &text) {
        panic!("{}\n{text}", errors.show(Language::En));
    }
}

fn read_source(controls: &str) {
    let names = "[{ for = \"workstation\", is = \"w\" }, { for = \"server\", is = \"s\" }]";
    let text = format!("format = 1\nid = {names}\ntitle = {{ vi = \"a\", en = \"a\" }}\n{controls}");
    if let Err(errors) = ControlSource::read("README.md", &text) {
        panic!("{}\n{text}", errors.show(Language::En));
    }
}

#[test]
fn every_example_of_the_readme_is_accepted() {
    let readme = file("README.md");
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        if block.contains("for = ") {
            read_source(block);
        } else if block.starts_with("[[control]]") {
            read(block);
        } else {
            read(&control(block));
        }
    }
    let rows: Vec<(&str, &str)> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            (cells.next().unwrap().trim_matches('`'), cells.nth(2).unwrap().trim_matches('`'))
        })
        .collect();
    for (operator, example) in &rows {
        assert!(example.contains(&format!(" {operator} = ")), "the example of {operator} does not use it: {example}");
        read(&control(&format!("require = {example}")));
    }
    let documented: Vec<&str> = rows.iter().map(|(operator, _)| *operator).collect();
    let all: Vec<&str> = Operator::ALL.iter().map(|operator| operator.code()).collect();
    assert_eq!(documented, all, "the README lists every operator in the order of the table");
}
