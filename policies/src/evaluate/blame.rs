//! Which unknown facts left a condition undecided, so that `readers` can excuse them or not.

use super::Truth;
use super::judge::{self, Context};
use crate::fact::{Field, Reason, Value};
use crate::policy::{Condition, Matcher, Subject};

/// A fact that could have decided but did not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blame {
    /// The fact, or the field when it is one of a list's records.
    pub(super) fact: &'static Field,
    /// Why the fact is not known; `None` when it is known and yet decides nothing (a cut list, an impossible instant).
    pub(super) reason: Option<Reason>,
}

/// The facts that leave `condition`, which is unknown on `context`, undecided.
pub(super) fn blames(condition: &Condition, context: &Context<'_, '_>) -> Vec<Blame> {
    let mut found = Vec::new();
    collect(condition, context, None, &mut found);
    found
}

fn collect(condition: &Condition, context: &Context<'_, '_>, list: Option<&'static Field>, found: &mut Vec<Blame>) {
    let test = match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            for part in parts.iter().filter(|part| judge::truth(part, context) == Truth::Unknown) {
                collect(part, context, list, found);
            }
            return;
        }
        Condition::Not(part) => return collect(part, context, list, found),
        Condition::Test(test) => test,
    };
    let fact = match (&test.subject, list) {
        (Subject::Fact { field, .. } | Subject::Field { field, .. }, _) => *field,
        (Subject::Item(_), Some(list)) => list,
        // Items occur only inside a condition on a list.
        (Subject::Item(_), None) => return,
    };
    let mut blame = |reason| found.push(Blame { fact, reason });
    match context.value(&test.subject) {
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
                let context = context.with(item);
                if judge::truth(inner, &context) == Truth::Unknown {
                    collect(inner, &context, Some(fact), found);
                }
            }
        }
        // A known value that decides nothing: an instant in the future.
        _ => blame(None),
    }
}
