//! Reads a condition: resolves names, checks that every operator suits its fact and every operand has its kind.

use toml::de::DeValue;

use super::{Bound, Condition, CountBound, Matcher, Operand, Subject, Test};
use crate::fact::{self, Field, Kind};
use crate::policy::operator::{Operator, kind_text};
use crate::policy::source::Source;
use crate::policy::table::{Node, Table, boolean, items, number, text, unknown_name, unknown_value};
use crate::text;
use crate::text::Text;

/// The most parts of one `all` or `any`, and the most values of one `one_of`.
const MOST_PARTS: usize = 500;
/// What the names of an office's facts begin with.
const OFFICE: &str = "office.";
/// Days an operand may name: a century.
const MOST_DAYS: i64 = 36_500;

/// What a condition may refer to.
#[derive(Clone, Copy)]
pub(crate) enum Scope {
    /// The facts of a machine.
    Facts,
    /// The facts of an office, `office.name`: the fields of one record.
    Office(&'static [Field]),
    /// The records of a list.
    Record(&'static [Field]),
    /// The plain values of a list.
    Plain(Kind),
}

/// Reads a condition on facts.
pub(crate) fn read<'s>(source: &'s Source<'s>, node: &'s Node<'s>, scope: Scope) -> Option<Condition> {
    let table = Table::of(source, node)?;
    let subject = subject_key(&table, scope)?;
    if let Some((key, name)) = subject {
        let subject = resolve(source, key, name, scope);
        return test(table, subject, Some(key));
    }
    let joined = table.present(["all", "any", "not"]);
    match joined.as_slice() {
        [] => match scope {
            Scope::Plain(kind) => test(table, Some(Subject::Item(kind)), None),
            Scope::Facts | Scope::Office(_) | Scope::Record(_) => {
                let key = if matches!(scope, Scope::Record(_)) { "field" } else { "fact" };
                source.error(
                    &table.span,
                    text!(
                        "điều kiện cần `{key}`, `all`, `any` hoặc `not`",
                        "a condition needs `{key}`, `all`, `any` or `not`"
                    ),
                );
                table.allow(Operator::ALL.iter().map(|operator| operator.code()));
                table.end();
                None
            }
        },
        [(key, node)] => {
            let joined = match *key {
                "not" => read(source, node, scope).map(|part| Condition::Not(Box::new(part))),
                "all" => parts(source, node, scope).map(Condition::All),
                _ => parts(source, node, scope).map(Condition::Any),
            };
            table.allow(["all", "any", "not"]);
            table.end();
            joined
        }
        _ => {
            source.error(
                &table.span,
                Text::new(
                    "một điều kiện chỉ có một trong `all`, `any`, `not`; hãy lồng chúng vào nhau",
                    "a condition has one of `all`, `any`, `not`; put one inside the other",
                ),
            );
            None
        }
    }
}

/// The key that names the subject, with its value; `Some(None)` when the table names none.
#[expect(clippy::option_option, reason = "the outer one says that an error was noted")]
fn subject_key<'s>(table: &Table<'s, 's>, scope: Scope) -> Option<Option<(&'static str, &'s Node<'s>)>> {
    let wanted = match scope {
        Scope::Facts | Scope::Office(_) => "fact",
        Scope::Record(_) => "field",
        Scope::Plain(_) => "",
    };
    for key in ["fact", "field"] {
        let Some(node) = table.get(key) else { continue };
        if key == wanted {
            return Some(Some((key, node)));
        }
        let message = match scope {
            Scope::Facts | Scope::Office(_) => Text::new(
                "`field` chỉ dùng trong điều kiện trên các mục của danh sách; ở đây dùng `fact`",
                "`field` is for conditions on the items of a list; use `fact` here",
            ),
            Scope::Record(_) => Text::new(
                "trong điều kiện trên các mục của danh sách dùng `field`, không dùng `fact`",
                "conditions on the items of a list use `field`, not `fact`",
            ),
            Scope::Plain(_) => text!(
                "mục của danh sách này không có trường; bỏ `{key}` và so sánh trực tiếp",
                "the items of this list have no fields; leave `{key}` out and compare directly"
            ),
        };
        table.source.error(&node.span(), message);
        return None;
    }
    Some(None)
}

fn parts<'s>(source: &'s Source<'s>, node: &'s Node<'s>, scope: Scope) -> Option<Vec<Condition>> {
    let parts: Vec<Option<Condition>> =
        items(source, node, 1, MOST_PARTS)?.iter().map(|part| read(source, part, scope)).collect();
    parts.into_iter().collect()
}

fn resolve(source: &Source<'_>, key: &str, node: &Node<'_>, scope: Scope) -> Option<Subject> {
    let name = text(source, node, 200)?;
    let among = |fields: &'static [Field], name: &str| {
        let index = fields.iter().position(|field| field.name == name)?;
        Some(Subject::Field { index, field: &fields[index] })
    };
    let found = match scope {
        Scope::Facts => fact::find(name).map(|(section, index, field)| Subject::Fact { section, index, field }),
        Scope::Office(fields) => name.strip_prefix(OFFICE).and_then(|name| among(fields, name)),
        Scope::Record(fields) => among(fields, name),
        Scope::Plain(_) => None,
    };
    if found.is_none() {
        source.error(&node.span(), not_known(key, name, scope));
    }
    found
}

/// The sentence for a name that means nothing in `scope`, with the nearest one that exists.
fn not_known(key: &str, name: &str, scope: Scope) -> Text {
    let names: Vec<String> = match scope {
        Scope::Record(fields) => {
            return unknown_name("trường", key, name, fields.iter().map(|field| field.name));
        }
        Scope::Office(fields) => fields.iter().map(|field| format!("{OFFICE}{}", field.name)).collect(),
        Scope::Facts | Scope::Plain(_) => fact::names().collect(),
    };
    let mut message = unknown_name("thông tin", key, name, names.iter().map(String::as_str));
    let of_office = matches!(scope, Scope::Office(_));
    if of_office && fact::find(name).is_some() {
        message.push(
            " (đó là thông tin của máy; tiêu chí này dành cho cơ quan)",
            " (it is a fact of a machine; this control is for an office)",
        );
    } else if !of_office && name.starts_with(OFFICE) {
        message.push(
            " (thông tin của cơ quan chỉ dùng trong tiêu chí có `for = \"office\"`)",
            " (facts of an office are for controls with `for = \"office\"`)",
        );
    }
    message
}

/// Reads the one comparison of `table`. An unknown subject was already reported; the operator is then not checked.
fn test<'s>(table: Table<'s, 's>, subject: Option<Subject>, subject_key: Option<&'static str>) -> Option<Condition> {
    let source = table.source;
    table.allow(Operator::ALL.iter().map(|operator| operator.code()));
    let present = table.present(Operator::ALL.iter().map(|operator| operator.code()));
    let matcher = match present.as_slice() {
        [(code, node)] => {
            let operator = Operator::ALL.iter().copied().find(|operator| operator.code() == *code)?;
            subject.and_then(|subject| matcher(source, operator, node, subject))
        }
        [] => {
            let operators = subject.map_or_else(String::new, |subject| suiting(subject.kind()));
            source.error(&table.span, text!("thiếu phép so sánh: {operators}", "no comparison: {operators}"));
            None
        }
        _ => {
            source.error(
                &table.span,
                Text::new(
                    "mỗi điều kiện chỉ có một phép so sánh; dùng `all = [ ... ]` để ghép nhiều phép",
                    "a condition has one comparison; join several with `all = [ ... ]`",
                ),
            );
            None
        }
    };
    if subject_key.is_some() || matcher.is_some() || !present.is_empty() {
        table.end();
    }
    Some(Condition::Test(Test { subject: subject?, matcher: matcher? }))
}

/// The operators meant for `kind`, for an error.
fn suiting(kind: Kind) -> String {
    let codes: Vec<String> = Operator::ALL
        .iter()
        .filter(|operator| operator.suits(kind))
        .map(|operator| format!("`{}`", operator.code()))
        .collect();
    codes.join(", ")
}

fn matcher<'s>(source: &'s Source<'s>, operator: Operator, node: &'s Node<'s>, subject: Subject) -> Option<Matcher> {
    let kind = subject.kind();
    if !operator.suits(kind) {
        let (holds, operators) = (kind_text(kind), suiting(kind));
        source.error(
            &node.span(),
            Text::new(
                format!("`{}` không dùng được cho {}; dùng {operators}", operator.code(), holds.vi),
                format!("`{}` is not meant for {}; use {operators}", operator.code(), holds.en),
            ),
        );
        return None;
    }
    Some(match operator {
        Operator::Is => Matcher::Is(operand(source, node, kind)?),
        Operator::IsNot => Matcher::IsNot(operand(source, node, kind)?),
        Operator::OneOf => Matcher::OneOf(operands(source, node, kind)?),
        Operator::NoneOf => Matcher::NoneOf(operands(source, node, kind)?),
        Operator::AtMost => Matcher::Number(Bound::AtMost, number(source, node, i64::MIN, i64::MAX)?),
        Operator::AtLeast => Matcher::Number(Bound::AtLeast, number(source, node, i64::MIN, i64::MAX)?),
        Operator::StartsWith => Matcher::StartsWith(text(source, node, 200)?.to_owned()),
        Operator::AtMostDaysAgo => Matcher::DaysAgo(Bound::AtMost, number(source, node, 0, MOST_DAYS)?),
        Operator::AtLeastDaysAgo => Matcher::DaysAgo(Bound::AtLeast, number(source, node, 0, MOST_DAYS)?),
        Operator::AtMostDaysAhead => Matcher::DaysAhead(Bound::AtMost, number(source, node, 0, MOST_DAYS)?),
        Operator::AtLeastDaysAhead => Matcher::DaysAhead(Bound::AtLeast, number(source, node, 0, MOST_DAYS)?),
        Operator::Any => Matcher::AnyItem(inner(source, node, kind)?),
        Operator::All => Matcher::AllItems(inner(source, node, kind)?),
        Operator::None => Matcher::NoItem(inner(source, node, kind)?),
        Operator::Count => count(source, node, kind)?,
    })
}

/// A condition on the items of a list of `kind`.
fn inner<'s>(source: &'s Source<'s>, node: &'s Node<'s>, kind: Kind) -> Option<Box<Condition>> {
    let Kind::List(item) = kind else { return None };
    let scope = match item {
        Kind::Record(fields) => Scope::Record(fields),
        plain => Scope::Plain(*plain),
    };
    read(source, node, scope).map(Box::new)
}

fn count<'s>(source: &'s Source<'s>, node: &'s Node<'s>, kind: Kind) -> Option<Matcher> {
    let table = Table::of(source, node)?;
    let filter = match table.get("where") {
        Some(node) => Some(inner(source, node, kind)?),
        None => None,
    };
    let bounds = [("at_most", CountBound::AtMost), ("at_least", CountBound::AtLeast), ("is", CountBound::Is)];
    table.allow(bounds.map(|(code, _)| code));
    let present = table.present(bounds.map(|(code, _)| code));
    let [(code, node)] = present.as_slice() else {
        source.error(
            &table.span,
            Text::new(
                "`count` cần đúng một trong `at_most`, `at_least`, `is`",
                "`count` needs exactly one of `at_most`, `at_least`, `is`",
            ),
        );
        return None;
    };
    let number = number(source, node, 0, 1_000_000);
    let bound = bounds.iter().find(|(known, _)| known == code).map(|(_, bound)| *bound);
    table.end();
    Some(Matcher::Count { filter, bound: bound?, number: number? })
}

fn operands(source: &Source<'_>, node: &Node<'_>, kind: Kind) -> Option<Vec<Operand>> {
    let operands: Vec<Option<Operand>> =
        items(source, node, 1, MOST_PARTS)?.iter().map(|node| operand(source, node, kind)).collect();
    operands.into_iter().collect()
}

/// A value of `kind`.
fn operand(source: &Source<'_>, node: &Node<'_>, kind: Kind) -> Option<Operand> {
    match kind {
        Kind::Bool => boolean(source, node).map(Operand::Bool),
        Kind::Integer(_) => number(source, node, i64::MIN, i64::MAX).map(Operand::Integer),
        // The empty text is a value a fact can have.
        Kind::Text => match node.get_ref() {
            DeValue::String(text) if text.is_empty() => Some(Operand::Text(String::new())),
            _ => text(source, node, 500).map(|text| Operand::Text(text.to_owned())),
        },
        Kind::Choice(choices) => {
            let code = text(source, node, 100)?;
            let found = choices.iter().find(|choice| choice.code == code);
            if found.is_none() {
                let message = unknown_value(code, choices.iter().map(|choice| choice.code));
                source.error(&node.span(), message);
            }
            found.map(Operand::Choice)
        }
        Kind::Instant | Kind::List(_) | Kind::Record(_) => None,
    }
}
