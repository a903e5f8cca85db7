//! A condition in words: the "wanted" (mức cần đạt) of an outcome, made once when a policy is read.

use super::{Bound, Condition, CountBound, Matcher, Operand, Subject, Test};
use crate::fact::{Kind, Unit, Value};
use crate::phrase;
use crate::text::{Text, visible};

/// The most values of a `one_of` that a sentence names.
const MOST_VALUES: usize = 8;

/// What `condition` demands, as a sentence.
pub(crate) fn wanted(condition: &Condition) -> Text {
    phrase_of(condition, Place::Machine)
}

/// Where a condition stands: it changes how a "yes" is said.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// On the facts of the machine.
    Machine,
    /// On the items of a list.
    Item,
}

fn phrase_of(condition: &Condition, place: Place) -> Text {
    match condition {
        Condition::All(parts) => {
            let (vi, en) = if place == Place::Machine { ("; ", "; ") } else { (" và ", " and ") };
            joined(parts, place, vi, en)
        }
        Condition::Any(parts) => joined(parts, place, " hoặc ", " or "),
        Condition::Not(part) => {
            let part = phrase_of(part, place);
            Text::new(format!("không phải ({})", part.vi), format!("not ({})", part.en))
        }
        Condition::Test(test) => test_phrase(test, place),
    }
}

/// The parts with a word between them. Neighbouring tests of one subject share its label; joined parts stand in brackets.
fn joined(parts: &[Condition], place: Place, vi: &str, en: &str) -> Text {
    let mut text = Text::default();
    let mut before: Option<&Subject> = None;
    for (index, part) in parts.iter().enumerate() {
        if let Condition::Test(test) = part {
            if before.is_some_and(|before| before.same(&test.subject)) {
                text.push(vi.trim_end_matches(' '), en.trim_end_matches(' '));
                text.push(" ", " ");
                text.append(&matcher_phrase(&test.matcher, &test.subject));
                continue;
            }
            before = Some(&test.subject);
        } else {
            before = None;
        }
        if index > 0 {
            text.push(vi, en);
        }
        let phrase = phrase_of(part, place);
        match part {
            Condition::All(inner) | Condition::Any(inner) if inner.len() > 1 && parts.len() > 1 => {
                text.push("(", "(");
                text.append(&phrase);
                text.push(")", ")");
            }
            _ => text.append(&phrase),
        }
    }
    text
}

fn test_phrase(test: &Test, place: Place) -> Text {
    let mut text = match &test.subject {
        Subject::Fact { field, .. } | Subject::Field { field, .. } => {
            let label = Text::new(field.vi, field.en);
            if place == Place::Item && matches!(&test.matcher, Matcher::Is(Operand::Bool(true))) {
                return label;
            }
            Text::new(format!("{}: ", label.vi), format!("{}: ", label.en))
        }
        Subject::Item(_) => Text::default(),
    };
    text.append(&matcher_phrase(&test.matcher, &test.subject));
    text
}

fn matcher_phrase(matcher: &Matcher, subject: &Subject) -> Text {
    match matcher {
        Matcher::Is(operand) => operand_phrase(operand, subject),
        Matcher::IsNot(operand) => before("khác ", "not ", &operand_phrase(operand, subject)),
        Matcher::OneOf(operands) => before("một trong: ", "one of: ", &operands_phrase(operands, subject)),
        Matcher::NoneOf(operands) => before("không phải: ", "none of: ", &operands_phrase(operands, subject)),
        Matcher::Number(bound, number) => {
            let number = operand_phrase(&Operand::Integer(*number), subject);
            match bound {
                Bound::AtMost => before("không quá ", "at most ", &number),
                Bound::AtLeast => before("ít nhất ", "at least ", &number),
            }
        }
        Matcher::StartsWith(prefix) => {
            let prefix = visible(prefix, 80);
            Text::new(format!("bắt đầu bằng “{prefix}”"), format!("starting with “{prefix}”"))
        }
        Matcher::DaysAgo(bound, days) => {
            let days = phrase::quantity(Unit::Days, *days);
            match bound {
                Bound::AtMost => Text::new(format!("không quá {} trước", days.vi), format!("at most {} ago", days.en)),
                Bound::AtLeast => {
                    Text::new(format!("từ {} trước trở lên", days.vi), format!("{} ago or longer", days.en))
                }
            }
        }
        Matcher::DaysAhead(Bound::AtLeast, 0) => Text::new("chưa qua ngày này", "not yet past"),
        Matcher::DaysAhead(bound, days) => {
            let days = phrase::quantity(Unit::Days, *days);
            match bound {
                Bound::AtMost => Text::new(format!("còn không quá {}", days.vi), format!("at most {} ahead", days.en)),
                Bound::AtLeast => Text::new(format!("còn ít nhất {}", days.vi), format!("at least {} ahead", days.en)),
            }
        }
        Matcher::AnyItem(inner) => items("ít nhất một mục", "at least one", inner, subject),
        Matcher::AllItems(inner) => items("mọi mục", "each", inner, subject),
        Matcher::NoItem(inner) => items("không mục nào", "none", inner, subject),
        Matcher::Count { filter, bound, number } => {
            let none = *number == 0 && matches!(bound, CountBound::Is | CountBound::AtMost);
            let (vi, en) = match bound {
                _ if none && filter.is_none() => ("không có".to_owned(), "none".to_owned()),
                _ if none => ("không mục nào".to_owned(), "none".to_owned()),
                CountBound::AtMost => (format!("không quá {number} mục"), format!("at most {number}")),
                CountBound::AtLeast => (format!("ít nhất {number} mục"), format!("at least {number}")),
                CountBound::Is => (format!("đúng {number} mục"), format!("exactly {number}")),
            };
            match filter {
                Some(inner) => items(&vi, &en, inner, subject),
                None => Text::new(vi, en),
            }
        }
    }
}

/// `không mục nào có: mật khẩu trống`; plain values are said directly: `không mục nào là: TeamViewer`.
fn items(vi: &str, en: &str, inner: &Condition, subject: &Subject) -> Text {
    let (has_vi, has_en) = match subject.kind() {
        Kind::List(Kind::Record(_)) => ("có", "with"),
        _ => ("là", "that is"),
    };
    let inner = phrase_of(inner, Place::Item);
    Text::new(format!("{vi} {has_vi}: {}", inner.vi), format!("{en} {has_en}: {}", inner.en))
}

fn before(vi: &str, en: &str, text: &Text) -> Text {
    Text::new(format!("{vi}{}", text.vi), format!("{en}{}", text.en))
}

fn operands_phrase(operands: &[Operand], subject: &Subject) -> Text {
    let mut text = Text::default();
    for (index, operand) in operands.iter().take(MOST_VALUES).enumerate() {
        if index > 0 {
            text.push(", ", ", ");
        }
        text.append(&operand_phrase(operand, subject));
    }
    if operands.len() > MOST_VALUES {
        text.append(&phrase::and_more(operands.len() - MOST_VALUES));
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
    // No operand is an instant, so that no clock is needed for its words.
    let now = crate::fact::Instant::UNIX_EPOCH;
    match subject {
        Subject::Fact { field, .. } | Subject::Field { field, .. } => phrase::field_value(field, &value, now),
        Subject::Item(kind) => phrase::plain_value(*kind, &value, now),
    }
}
