//! The truth value of a condition: the meaning of every matcher.

use super::Truth;
use crate::fact::{Facts, Instant, OfficeFacts, Record as _, Value};
use crate::phrase::days_ago;
use crate::policy::{Bound, Condition, CountBound, Matcher, Operand, Subject, Test};

/// How far ahead of the judge's clock an instant of the past may lie before it is not believed, in days: a machine with a wrong
/// clock must not look freshly updated for years.
pub(super) const CLOCK_TOLERANCE_DAYS: i64 = 1;

/// What a condition is judged on.
#[derive(Clone, Copy)]
pub(super) struct Context<'f, 'i> {
    pub(super) facts: FactsOf<'f>,
    pub(super) now: Instant,
    /// The item at hand, inside a condition on a list.
    pub(super) item: Option<&'i Value<'f>>,
}

/// Whose facts they are.
#[derive(Clone, Copy)]
pub(super) enum FactsOf<'f> {
    Machine(&'f Facts),
    Office(&'f OfficeFacts),
}

impl<'f, 'i> Context<'f, 'i> {
    pub(super) fn machine(facts: &'f Facts, now: Instant) -> Self {
        Self { facts: FactsOf::Machine(facts), now, item: None }
    }

    pub(super) fn office(facts: &'f OfficeFacts, now: Instant) -> Self {
        Self { facts: FactsOf::Office(facts), now, item: None }
    }

    /// The same with another item at hand.
    pub(super) fn with<'j>(&self, item: &'j Value<'f>) -> Context<'f, 'j> {
        Context { facts: self.facts, now: self.now, item: Some(item) }
    }

    /// The value of `subject`; `None` for subjects that a policy once read cannot contain.
    pub(super) fn value(&self, subject: &Subject) -> Option<Value<'f>> {
        match (subject, self.item, self.facts) {
            (Subject::Fact { section, index, .. }, _, FactsOf::Machine(facts)) => {
                Some(facts.section(*section).value(*index))
            }
            (Subject::Field { index, .. }, Some(Value::Record(record)), _) => Some(record.value(*index)),
            (Subject::Field { index, .. }, None, FactsOf::Office(facts)) => Some(facts.value(*index)),
            (Subject::Item(_), item, _) => item.cloned(),
            _ => None,
        }
    }
}

/// The truth value of `condition`.
pub(super) fn truth(condition: &Condition, context: &Context<'_, '_>) -> Truth {
    match condition {
        Condition::All(parts) => {
            fold(Truth::True, parts, |whole, part| whole.and(truth(part, context)), |whole| whole == Truth::False)
        }
        Condition::Any(parts) => {
            fold(Truth::False, parts, |whole, part| whole.or(truth(part, context)), |whole| whole == Truth::True)
        }
        Condition::Not(part) => !truth(part, context),
        Condition::Test(test) => match context.value(&test.subject) {
            Some(value) => test_truth(test, &value, context),
            None => Truth::Unknown,
        },
    }
}

/// Joins `parts` until one of them decides.
fn fold<T>(
    start: Truth,
    parts: &[T],
    mut join: impl FnMut(Truth, &T) -> Truth,
    decided: impl Fn(Truth) -> bool,
) -> Truth {
    let mut whole = start;
    for part in parts {
        whole = join(whole, part);
        if decided(whole) {
            break;
        }
    }
    whole
}

/// The truth value of one comparison of `value`.
pub(super) fn test_truth<'f>(test: &Test, value: &Value<'f>, context: &Context<'f, '_>) -> Truth {
    if let Value::List(items, left_out) = value {
        return list_truth(&test.matcher, items, *left_out, context);
    }
    match (&test.matcher, value) {
        (_, Value::Unknown(_)) => Truth::Unknown,
        (Matcher::Is(operand), _) => equal(operand, value),
        (Matcher::IsNot(operand), _) => !equal(operand, value),
        (Matcher::OneOf(operands), _) => {
            fold(Truth::False, operands, |whole, operand| whole.or(equal(operand, value)), |whole| whole == Truth::True)
        }
        (Matcher::NoneOf(operands), _) => !fold(
            Truth::False,
            operands,
            |whole, operand| whole.or(equal(operand, value)),
            |whole| whole == Truth::True,
        ),
        (Matcher::Number(bound, operand), Value::Integer(number)) => within(*bound, *number, *operand),
        (Matcher::StartsWith(prefix), Value::Text(text)) => text.starts_with(prefix.as_str()).into(),
        (Matcher::DaysAgo(..), Value::Instant(at)) if is_ahead_of_clock(*at, context.now) => Truth::Unknown,
        // Whole days, as the sentence says them; within the tolerance the future counts as now.
        (Matcher::DaysAgo(bound, days), Value::Instant(at)) => within(*bound, days_ago(*at, context.now).max(0), *days),
        (Matcher::DaysAhead(bound, days), Value::Instant(at)) => within(*bound, days_ago(context.now, *at), *days),
        // A comparison of another kind was refused when the policy was read.
        _ => Truth::Unknown,
    }
}

/// True for an instant so far in the future that the machine's clock must have been wrong.
pub(super) fn is_ahead_of_clock(at: Instant, now: Instant) -> bool {
    days_ago(now, at) >= CLOCK_TOLERANCE_DAYS
}

fn within(bound: Bound, found: i64, wanted: i64) -> Truth {
    match bound {
        Bound::AtMost => (found <= wanted).into(),
        Bound::AtLeast => (found >= wanted).into(),
    }
}

fn equal(operand: &Operand, value: &Value<'_>) -> Truth {
    match (operand, value) {
        (Operand::Bool(wanted), Value::Bool(found)) => (wanted == found).into(),
        (Operand::Integer(wanted), Value::Integer(found)) => (wanted == found).into(),
        (Operand::Text(wanted), Value::Text(found)) => (wanted == found).into(),
        (Operand::Choice(wanted), Value::Choice(found)) => (wanted.code == found.code).into(),
        _ => Truth::Unknown,
    }
}

/// The truth value of a matcher over a list. What was left out of a cut list could be anything.
fn list_truth<'f>(matcher: &Matcher, items: &[Value<'f>], left_out: u32, context: &Context<'f, '_>) -> Truth {
    let rest = if left_out > 0 { Truth::Unknown } else { Truth::True };
    match matcher {
        Matcher::AnyItem(inner) => any(inner, items, !rest, context),
        Matcher::NoItem(inner) => !any(inner, items, !rest, context),
        Matcher::AllItems(inner) => {
            fold(rest, items, |whole, item| whole.and(truth(inner, &context.with(item))), |whole| whole == Truth::False)
        }
        Matcher::Count { filter, bound, number } => {
            let (least, most) = count(filter.as_deref(), items, left_out, context);
            counted(*bound, *number, least, most)
        }
        _ => Truth::Unknown,
    }
}

fn any<'f>(inner: &Condition, items: &[Value<'f>], rest: Truth, context: &Context<'f, '_>) -> Truth {
    fold(rest, items, |whole, item| whole.or(truth(inner, &context.with(item))), |whole| whole == Truth::True)
}

/// The least and the greatest number of items that may meet `filter`.
pub(super) fn count<'f>(
    filter: Option<&Condition>,
    items: &[Value<'f>],
    left_out: u32,
    context: &Context<'f, '_>,
) -> (i64, i64) {
    let Some(filter) = filter else {
        // Without a condition every item counts, those left out as well.
        let all = items.len() as i64 + i64::from(left_out);
        return (all, all);
    };
    let (mut least, mut most) = (0, i64::from(left_out));
    for item in items {
        match truth(filter, &context.with(item)) {
            Truth::True => (least, most) = (least + 1, most + 1),
            Truth::Unknown => most += 1,
            Truth::False => {}
        }
    }
    (least, most)
}

fn counted(bound: CountBound, number: i64, least: i64, most: i64) -> Truth {
    let (certainly, never) = match bound {
        CountBound::AtMost => (most <= number, least > number),
        CountBound::AtLeast => (least >= number, most < number),
        CountBound::Is => (least == number && most == number, number < least || number > most),
    };
    if certainly {
        Truth::True
    } else if never {
        Truth::False
    } else {
        Truth::Unknown
    }
}
