//! Golden cases: `cases/NAME/{policy.toml,facts.json,expected.json}`. With `UPDATE_EXPECTED=1` the expectations are rewritten; review
//! the difference before committing it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::path::{Path, PathBuf};

use policies::evaluate::evaluate;
use policies::fact::{Facts, Instant};
use policies::policy::Policy;
use policies::text::Language;

/// 10:00 on 22/11/2026 in Viet Nam.
const NOW: &str = "2026-11-22T03:00:00Z";

fn folders(under: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(under);
    let mut folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// Compares with the file, or writes it.
fn expect(file: &Path, found: &str) {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(file, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(expected == found, "{} differs; it should now read:\n{found}", file.display());
}

#[test]
fn every_case_is_judged_as_expected() {
    let now: Instant = NOW.parse().unwrap();
    let cases = folders("cases");
    assert!(cases.len() >= 12, "only {} cases", cases.len());
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(case.join("policy.toml")).unwrap();
        let policy =
            Policy::read("policy.toml", &text).unwrap_or_else(|errors| panic!("{name}\n{}", errors.show(Language::En)));
        let facts: Facts = serde_json::from_slice(&fs::read(case.join("facts.json")).unwrap()).unwrap();
        let outcomes = evaluate(&policy, &facts, now);
        let found = serde_json::to_string_pretty(&outcomes).unwrap() + "\n";
        expect(&case.join("expected.json"), &found);
    }
}

#[test]
fn every_bad_policy_is_refused_in_both_languages() {
    let cases = folders("errors");
    let policies: Vec<&PathBuf> =
        cases.iter().filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect();
    assert!(policies.len() >= 12, "only {} bad policies", policies.len());
    for file in policies {
        let name = file.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(file).unwrap();
        let result = if name.starts_with("office-") {
            policies::policy::Office::read(name, &bytes).map(|_| ())
        } else if name.starts_with("controls-") {
            policies::policy::ControlSource::read(name, &bytes).map(|_| ())
        } else {
            Policy::read(name, &bytes).map(|_| ())
        };
        let Err(errors) = result else { panic!("{name} was read") };
        let found = format!("{}\n\n{}\n", errors.show(Language::Vi), errors.show(Language::En));
        expect(&file.with_extension("txt"), &found);
    }
}
