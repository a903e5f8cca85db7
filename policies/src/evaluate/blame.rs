//! Which unknown facts left a condition undecided, for the table of readers to excuse or not.

use super::Truth;
use super::judge::{self, Scene};
use crate::fact::{Reason, Section, Value};
use crate::policy::{Condition, Matcher, Subject};

/// A fact that could have decided and did not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blame {
    /// The fact, and the field when it is one of a list's records.
    pub(super) section: Section,
    pub(super) index: usize,
    pub(super) field: Option<&'static str>,
    /// Why the fact is not known; `None` when it is known and yet decides nothing (a cut list, an impossible instant).
    pub(super) reason: Option<Reason>,
}

impl Blame {
    /// `section.name`, with `.field` behind it for the field of a record.
    pub(super) fn fact(&self) -> String {
        let name = self.section.fields()[self.index].name;
        match self.field {
            Some(field) => format!("{}.{name}.{field}", self.section.name()),
            None => format!("{}.{name}", self.section.name()),
        }
    }
}

/// The facts that leave `condition`, which is unknown on `scene`, undecided.
pub(super) fn blames(condition: &Condition, scene: &Scene<'_, '_>) -> Vec<Blame> {
    let mut found = Vec::new();
    collect(condition, scene, None, &mut found);
    found
}

fn collect(condition: &Condition, scene: &Scene<'_, '_>, list: Option<(Section, usize)>, found: &mut Vec<Blame>) {
    let test = match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            for part in parts.iter().filter(|part| judge::truth(part, scene) == Truth::Unknown) {
                collect(part, scene, list, found);
            }
            return;
        }
        Condition::Not(part) => return collect(part, scene, list, found),
        Condition::Test(test) => test,
    };
    let (place, field) = match (&test.subject, list) {
        (Subject::Fact { section, index, .. }, _) => ((*section, *index), None),
        (Subject::Field { field, .. }, Some(list)) => (list, Some(field.name)),
        (Subject::Item(_), Some(list)) => (list, None),
        // Fields and items stand inside a condition on a list.
        (_, None) => return,
    };
    let mut blame = |reason| found.push(Blame { section: place.0, index: place.1, field, reason });
    match scene.value(&test.subject) {
        Some(Value::Unknown(unknown)) => blame(Some(unknown.reason)),
        Some(Value::List(items, left_out)) => {
            if left_out > 0 {
                blame(None);
            }
            let (Matcher::AnyItem(inner)
            | Matcher::AllItems(inner)
            | Matcher::NoItem(inner)
            | Matcher::Count { filter: Some(inner), .. }) = &test.matcher
            else {
                return;
            };
            for item in &items {
                let scene = scene.with(item);
                if judge::truth(inner, &scene) == Truth::Unknown {
                    collect(inner, &scene, Some(place), found);
                }
            }
        }
        // A known value that decides nothing: an instant in the future.
        _ => blame(None),
    }
}
