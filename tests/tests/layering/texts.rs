//! One way to write a sentence for people: both languages side by side where it is used (`policies::text`); those of pages are in the
//! catalogue, by key.

use std::path::Path;

use super::modules::without_tests;

/// The files that choose: the type itself, and the catalogue of the templates' sentences.
const CHOOSING: [&str; 2] = ["policies/src/text.rs", "server/src/web/catalogue.rs"];

/// How code would choose a sentence by itself, or fetch one by its key. A log may ask for English.
const OTHER_WAYS: [&str; 6] =
    ["Language::Vi", "Language::En =>", "== Language::", "Language::En {", ".message(\"", ".message1(\""];

#[test]
fn sentences_are_chosen_in_one_way() {
    let mut faults = Vec::new();
    for (path, text) in super::super::sources() {
        let is_test = path.iter().any(|part| part == "tests") && path.iter().next() != Some("tests".as_ref())
            || path.starts_with("tests/tests")
            || path.file_stem() == Some("tests".as_ref());
        if is_test || CHOOSING.iter().any(|choosing| path == Path::new(choosing)) {
            continue;
        }
        let (code, _) = without_tests(&text);
        faults.extend(
            OTHER_WAYS.iter().filter(|way| code.contains(*way)).map(|way| format!("{}: {way}", path.display())),
        );
    }
    assert!(faults.is_empty(), "write both languages where they are used, with text!:\n{}", faults.join("\n"));
}
