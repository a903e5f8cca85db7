//! A condition in words: the "wanted" (mức cần đạt) of an outcome, made once when a policy is read.

use super::{Bound, Condition, CountBound, Matcher, Operand, Subject, Test};
use crate::fact::{Instant, Kind, Unit, Value};
use crate::phrase;
use crate::text;
use crate::text::{Text, visible};

/// The most values of a `one_of` that a sentence names.
const MOST_VALUES: usize = 8;

/// What `condition` requires, as a sentence.
pub(crate) fn wanted(condition: &Condition) -> Text {
    phrase_of(condition, Target::Machine)
}

/// Where a condition stands: it changes how a "yes" is said.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    /// On the facts of the machine.
    Machine,
    /// On the items of a list.
    Item,
}

fn phrase_of(condition: &Condition, target: Target) -> Text {
    if let Some(opposite) = opposite(condition) {
        return test_phrase(&opposite, target);
    }
    // Several comparisons of one fact share its label: `thời gian khoá: 0 hoặc từ 12 giờ đến 30 ngày`.
    if let Some(subject) = only_subject(condition) {
        return match condition {
            Condition::Test(test) => test_phrase(test, target),
            _ => join(&[label(subject), bare(condition)], "", ""),
        };
    }
    match condition {
        Condition::All(parts) if target == Target::Machine => joined(parts, target, "; ", "; "),
        Condition::All(parts) => joined(parts, target, " và ", " and "),
        Condition::Any(parts) => joined(parts, target, " hoặc ", " or "),
        Condition::Not(part) => negated(&phrase_of(part, target)),
        Condition::Test(test) => test_phrase(test, target),
    }
}

/// `not` of a yes or no, turned into its opposite.
fn opposite(condition: &Condition) -> Option<Test> {
    let Condition::Not(part) = condition else { return None };
    let Condition::Test(Test { subject, matcher: Matcher::Is(Operand::Bool(value)) }) = part.as_ref() else {
        return None;
    };
    Some(Test { subject: *subject, matcher: Matcher::Is(Operand::Bool(!value)) })
}

fn negated(text: &Text) -> Text {
    Text::new(format!("không phải ({})", text.vi), format!("not ({})", text.en))
}

/// The parts with a word between them; a part that is itself joined is put in brackets.
fn joined(parts: &[Condition], target: Target, vi: &str, en: &str) -> Text {
    let phrases: Vec<Text> = parts
        .iter()
        .map(|part| {
            let text = phrase_of(part, target);
            match part {
                Condition::All(inner) | Condition::Any(inner)
                    if inner.len() > 1 && parts.len() > 1 && only_subject(part).is_none() =>
                {
                    Text::new(format!("({})", text.vi), format!("({})", text.en))
                }
                _ => text,
            }
        })
        .collect();
    join(&phrases, vi, en)
}

fn join(texts: &[Text], vi: &str, en: &str) -> Text {
    let mut whole = Text::default();
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            whole.push(vi, en);
        }
        whole.append(text);
    }
    whole
}

/// The subject of all comparisons in `condition`, when it is one fact or field that is not a list.
fn only_subject(condition: &Condition) -> Option<&Subject> {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            let first = only_subject(parts.first()?)?;
            parts.iter().all(|part| only_subject(part).is_some_and(|subject| subject.same(first))).then_some(first)
        }
        Condition::Not(part) => only_subject(part),
        Condition::Test(Test { subject, .. }) if matches!(subject.kind(), Kind::List(_)) => None,
        Condition::Test(test) => Some(&test.subject),
    }
}

/// A condition on one subject without its label.
fn bare(condition: &Condition) -> Text {
    match condition {
        Condition::All(parts) => match parts.as_slice() {
            [Condition::Test(least), Condition::Test(most)] => range(least, most)
                .or_else(|| range(most, least))
                .unwrap_or_else(|| join(&[bare(&parts[0]), bare(&parts[1])], " và ", " and ")),
            _ => join(&parts.iter().map(bare).collect::<Vec<_>>(), " và ", " and "),
        },
        Condition::Any(parts) => join(&parts.iter().map(bare).collect::<Vec<_>>(), " hoặc ", " or "),
        Condition::Not(part) => negated(&bare(part)),
        Condition::Test(test) => matcher_phrase(&test.matcher, &test.subject),
    }
}

/// `từ 12 giờ đến 30 ngày`. A lower bound of 1 that only keeps a "never" (0) out is not mentioned.
fn range(least: &Test, most: &Test) -> Option<Text> {
    let (Matcher::Number(Bound::AtLeast, low), Matcher::Number(Bound::AtMost, _)) = (&least.matcher, &most.matcher)
    else {
        return None;
    };
    let zero_is_a_word = matches!(least.subject, Subject::Fact { field, .. } | Subject::Field { field, .. }
        if phrase::word_for_number(field, 0).is_some());
    if *low == 1 && zero_is_a_word {
        return Some(matcher_phrase(&most.matcher, &most.subject));
    }
    let Matcher::Number(_, high) = most.matcher else { return None };
    let low = operand_phrase(&Operand::Integer(*low), &least.subject);
    let high = operand_phrase(&Operand::Integer(high), &most.subject);
    Some(Text::new(format!("từ {} đến {}", low.vi, high.vi), format!("from {} to {}", low.en, high.en)))
}

/// `thời gian khoá: `; nothing for the item of a list itself.
fn label(subject: &Subject) -> Text {
    match subject {
        Subject::Fact { field, .. } | Subject::Field { field, .. } => {
            Text::new(format!("{}: ", field.vi), format!("{}: ", field.en))
        }
        Subject::Item(_) => Text::default(),
    }
}

fn test_phrase(test: &Test, target: Target) -> Text {
    if let Subject::Fact { field, .. } | Subject::Field { field, .. } = &test.subject {
        if target == Target::Item && matches!(&test.matcher, Matcher::Is(Operand::Bool(true))) {
            return Text::new(field.vi, field.en);
        }
        if let Some(text) = list_phrase(&test.matcher, &test.subject, field.vi, field.en) {
            return text;
        }
    }
    join(&[label(&test.subject), matcher_phrase(&test.matcher, &test.subject)], "", "")
}

/// `không có tài khoản nào: mật khẩu trống`.
fn list_phrase(matcher: &Matcher, subject: &Subject, vi: &str, en: &str) -> Option<Text> {
    let (vi, en, inner) = match matcher {
        Matcher::AnyItem(inner) => (format!("có ít nhất một {vi}"), format!("{en}: at least one"), Some(inner)),
        Matcher::AllItems(inner) => (format!("mọi {vi}"), format!("{en}: each"), Some(inner)),
        Matcher::NoItem(inner) => (format!("không có {vi} nào"), format!("{en}: none"), Some(inner)),
        Matcher::Count { filter, bound, number } => {
            let none = *number == 0 && matches!(bound, CountBound::Is | CountBound::AtMost);
            let (vi, en) = match bound {
                _ if none && filter.is_none() => (format!("không có {vi}"), format!("{en}: none")),
                _ if none => (format!("không có {vi} nào"), format!("{en}: none")),
                CountBound::AtMost => (format!("không quá {number} {vi}"), format!("{en}: at most {number}")),
                CountBound::AtLeast => (format!("ít nhất {number} {vi}"), format!("{en}: at least {number}")),
                CountBound::Is => (format!("đúng {number} {vi}"), format!("{en}: exactly {number}")),
            };
            (vi, en, filter.as_ref())
        }
        _ => return None,
    };
    let Some(inner) = inner else { return Some(Text::new(vi, en)) };
    let with = if matches!(subject.kind(), Kind::List(Kind::Record(_))) { "with" } else { "that is" };
    let inner = phrase_of(inner, Target::Item);
    Some(Text::new(format!("{vi}: {}", inner.vi), format!("{en} {with}: {}", inner.en)))
}

fn matcher_phrase(matcher: &Matcher, subject: &Subject) -> Text {
    match matcher {
        Matcher::Is(operand) => operand_phrase(operand, subject),
        Matcher::IsNot(Operand::Text(text)) if text.is_empty() => Text::new("không để trống", "not empty"),
        Matcher::IsNot(operand) => {
            let operand = operand_phrase(operand, subject);
            Text::new(format!("khác “{}”", operand.vi), format!("not “{}”", operand.en))
        }
        Matcher::OneOf(operands) => operands_phrase(operands, subject),
        Matcher::NoneOf(operands) => before("không phải ", "not ", &operands_phrase(operands, subject)),
        Matcher::Number(bound, number) => {
            let number = operand_phrase(&Operand::Integer(*number), subject);
            match bound {
                Bound::AtMost => before("không quá ", "at most ", &number),
                Bound::AtLeast => before("ít nhất ", "at least ", &number),
            }
        }
        Matcher::StartsWith(prefix) => {
            let prefix = visible(prefix, 80);
            text!("bắt đầu bằng “{prefix}”", "starting with “{prefix}”")
        }
        Matcher::DaysAgo(bound, days) => {
            let days = phrase::quantity(Unit::Days, *days);
            match bound {
                Bound::AtMost => Text::new(format!("không quá {} trước", days.vi), format!("at most {} ago", days.en)),
                Bound::AtLeast => {
                    Text::new(format!("cách đây từ {} trở lên", days.vi), format!("{} ago or longer", days.en))
                }
            }
        }
        Matcher::DaysAhead(Bound::AtLeast, 0) => Text::new("chưa quá hạn", "not yet past"),
        Matcher::DaysAhead(bound, days) => {
            let days = phrase::quantity(Unit::Days, *days);
            match bound {
                Bound::AtMost => Text::new(format!("còn không quá {}", days.vi), format!("at most {} ahead", days.en)),
                Bound::AtLeast => Text::new(format!("còn ít nhất {}", days.vi), format!("at least {} ahead", days.en)),
            }
        }
        Matcher::AnyItem(_) | Matcher::AllItems(_) | Matcher::NoItem(_) | Matcher::Count { .. } => {
            list_phrase(matcher, subject, "mục", "items").unwrap_or_default()
        }
    }
}

fn before(vi: &str, en: &str, text: &Text) -> Text {
    Text::new(format!("{vi}{}", text.vi), format!("{en}{}", text.en))
}

/// `21, 23 hoặc 512`.
fn operands_phrase(operands: &[Operand], subject: &Subject) -> Text {
    let shown = operands.len().min(MOST_VALUES);
    let mut text = Text::default();
    for (index, operand) in operands.iter().take(shown).enumerate() {
        if index > 0 && index + 1 == operands.len() {
            text.push(" hoặc ", " or ");
        } else if index > 0 {
            text.push(", ", ", ");
        }
        text.append(&operand_phrase(operand, subject));
    }
    if operands.len() > shown {
        text.append(&phrase::and_more(operands.len() - shown));
    }
    text
}

fn operand_phrase(operand: &Operand, subject: &Subject) -> Text {
    let value = match operand {
        Operand::Bool(value) => Value::Bool(*value),
        Operand::Integer(number) => Value::Integer(*number),
        Operand::Text(text) => Value::Text(text),
        Operand::Choice(choice) => Value::Choice(choice),
    };
    // No operand is an instant, so no clock is needed for the words.
    let now = Instant::UNIX_EPOCH;
    match subject {
        Subject::Fact { field, .. } | Subject::Field { field, .. } => phrase::field_value(field, &value, now),
        Subject::Item(kind) => phrase::plain_value(*kind, &value, now),
    }
}
