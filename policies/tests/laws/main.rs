//! Laws that hold for every policy and every machine: the reader never panics, the judge never panics, Kleene's logic holds, and
//! more knowledge never turns a pass into a fail or a fail into a pass.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../machines/made.rs"]
mod machines;
mod made;

use policies::evaluate::{Truth, evaluate};
use policies::fact::{Facts, Instant};
use policies::outcome::Verdict;
use policies::policy::{
    Condition, ControlSource, DEEPEST_NESTING, Office, Policy, PolicyErrors, PolicySet, Role, SHIPPED,
};
use policies::text::Language;
use proptest::prelude::*;

use made::{condition, forgotten, instant, machine};

/// A control file with these conditions, one control each.
fn policy(conditions: &[String]) -> String {
    let mut text = "format = 1\nid = \"made\"\ntitle = { vi = \"a\", en = \"a\" }\nfor = \"server\"\n".to_owned();
    for (index, condition) in conditions.iter().enumerate() {
        text.push_str(&format!(
            "[[control]]\nid = \"c{index}\"\ntitle = {{ vi = \"a\", en = \"a\" }}\nclauses = [{{ standard = \"s\", clause = \"c\" }}]\n\
             severity = \"low\"\nduty = \"standard\"\nlifted_by = \"on_spot\"\nminutes = 1\nrequire = {condition}\n\
             fix = [{{ vi = [\"a\"], en = [\"a\"] }}]\n"
        ));
    }
    text
}

fn read(conditions: &[String]) -> Policy {
    let text = policy(conditions);
    Policy::read("made.toml", &text).unwrap_or_else(|errors| panic!("{}\n{text}", errors.show(Language::En)))
}

fn truth(condition: &Condition, facts: &Facts, now: Instant) -> Truth {
    policies::evaluate::truth(condition, facts, now)
}

/// The limits every refusal keeps.
fn is_bounded(errors: &PolicyErrors, bytes: &[u8]) {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!((1..=PolicyErrors::SHOWN).contains(&errors.errors.len()));
    for error in &errors.errors {
        assert!(error.line <= lines, "{error:?}");
        assert!(error.message.vi.chars().count() < 2_000, "{error:?}");
        assert!(!error.message.vi.is_empty() && !error.message.en.is_empty());
    }
}

/// One change of a text: cut out a range and put something in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..8),
        "[\\[\\]{}=,.\"'#\n a-z0-9_-]{0,12}".prop_map(String::into_bytes),
        Just(b"nan".to_vec()),
        Just(b"[[control]]".to_vec()),
        Just("\u{202e}".as_bytes().to_vec()),
    ];
    let change = (any::<prop::sample::Index>(), 0_usize..40, pieces);
    (0..SHIPPED.len(), proptest::collection::vec(change, 1..4)).prop_map(|(file, changes)| {
        let mut bytes = SHIPPED[file].1.as_bytes().to_vec();
        for (at, length, piece) in changes {
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, piece);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_a_damaged_file_never_panics(bytes in mutated()) {
        for result in [
            Policy::read("a.toml", &bytes).map(drop),
            Office::read("a.toml", &bytes).map(drop),
            ControlSource::read("a.toml", &bytes).map(drop),
        ] {
            if let Err(errors) = result {
                is_bounded(&errors, &bytes);
            }
        }
    }

    #[test]
    fn reading_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Err(errors) = Policy::read("a.toml", &bytes) {
            is_bounded(&errors, &bytes);
        }
    }

    #[test]
    fn nesting_never_overflows(open in "[\\[{]{0,2000}", key in "(a\\.){0,300}") {
        let text = format!("{key}a = {open}");
        prop_assert!(Policy::read("a.toml", &text).is_err());
    }

    /// Every condition that the tables allow is read, judged and put into words, on every machine at every time.
    #[test]
    fn judging_never_panics(conditions in proptest::collection::vec(condition(), 1..6), facts in machine(), now in instant()) {
        let policy = read(&conditions);
        for outcome in evaluate(&policy, &facts, now) {
            for text in [&outcome.found.vi, &outcome.found.en] {
                prop_assert!(!text.is_empty() && text.chars().count() <= 600, "{text}");
                prop_assert!(!text.chars().any(char::is_control), "{text:?}");
            }
            prop_assert!(!outcome.wanted.vi.is_empty() && !outcome.wanted.en.is_empty());
        }
    }

    #[test]
    fn more_knowledge_never_turns_a_verdict_round(
        conditions in proptest::collection::vec(condition(), 1..6),
        (less, more) in forgotten(),
        now in instant(),
    ) {
        let mut policies = vec![read(&conditions)];
        let shipped = PolicySet::shipped().unwrap();
        policies.extend(Role::ALL.iter().map(|&role| shipped.controls(role).clone()));
        for policy in policies {
            for (before, after) in evaluate(&policy, &less, now).iter().zip(&evaluate(&policy, &more, now)) {
                prop_assert!(
                    before.verdict == Verdict::Unknown || before.verdict == after.verdict,
                    "{}: {:?} ({}) became {:?} ({})",
                    before.control, before.verdict, before.found.vi, after.verdict, after.found.vi
                );
            }
        }
    }

    #[test]
    fn conditions_follow_kleene(left in condition(), right in condition(), facts in machine(), now in instant()) {
        let joined = [
            left.clone(),
            right.clone(),
            format!("{{ all = [{left}, {right}] }}"),
            format!("{{ all = [{right}, {left}] }}"),
            format!("{{ any = [{left}, {right}] }}"),
            format!("{{ not = {{ all = [{left}, {right}] }} }}"),
            format!("{{ any = [{{ not = {left} }}, {{ not = {right} }}] }}"),
            format!("{{ not = {{ not = {left} }} }}"),
        ];
        let policy = read(&joined);
        let worth: Vec<Truth> = policy.controls().iter().map(|control| truth(control.require(), &facts, now)).collect();
        prop_assert_eq!(worth[2], worth[0].and(worth[1]));
        prop_assert_eq!(worth[2], worth[3]);
        prop_assert_eq!(worth[4], worth[0].or(worth[1]));
        prop_assert_eq!(worth[5], worth[6]);
        prop_assert_eq!(worth[7], worth[0]);
    }
}

#[test]
fn the_deepest_nesting_is_accepted_and_one_more_is_not() {
    // The array of controls, its table and the condition's own table are levels as well.
    let nested = |depth: usize| {
        format!("{}{{ fact = \"lan.forwards\", is = true }}{}", "{ not = ".repeat(depth), " }".repeat(depth))
    };
    let deepest = (0..DEEPEST_NESTING).rev().find(|depth| Policy::read("a.toml", policy(&[nested(*depth)])).is_ok());
    assert_eq!(deepest, Some(DEEPEST_NESTING - 3));
    assert!(Policy::read("a.toml", policy(&[nested(DEEPEST_NESTING)])).is_err());
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_parsed() {
    let text = "#".repeat(policies::policy::LARGEST_FILE + 1);
    let errors = Policy::read("a.toml", &text).unwrap_err();
    assert_eq!(errors.errors.len(), 1);
    assert!(errors.show(Language::Vi).contains("1000001 byte"), "{}", errors.show(Language::Vi));
}
