//! What decided a condition, in words: the "found" (hiện trạng) of an outcome. Names the facts that decided, with labels and units,
//! not those that did not matter; an unknown fact gives its reason.

use super::Truth;
use super::judge::{self, Context};
use crate::fact::{Field, Kind, Value};
use crate::phrase::{self, MOST_NAMED};
use crate::policy::{Condition, Matcher, Subject, Test};
use crate::text;
use crate::text::Text;

/// The most characters of a whole sentence: as much as a table cell and a document line can hold.
const LONGEST_FOUND: usize = 600;

/// Describes the facts that decided `condition` on `context`.
pub(super) fn found(condition: &Condition, context: &Context<'_, '_>) -> Text {
    let mut tale = Tale::default();
    tale.tell(condition, judge::truth(condition, context), context);
    let Text { vi, en } = join(tale.parts.iter().map(|part| &part.text), "; ");
    Text { vi: cut(vi), en: cut(en) }
}

/// The parts are already safe to show; only their number can make the whole too long.
fn cut(mut text: String) -> String {
    // Bytes are never fewer than characters.
    if text.len() > LONGEST_FOUND
        && let Some((end, _)) = text.char_indices().nth(LONGEST_FOUND)
    {
        let last = text[..end].char_indices().next_back().map_or(0, |(start, _)| start);
        text.truncate(last);
        text.push('…');
    }
    text
}

fn join<'t>(texts: impl Iterator<Item = &'t Text>, between: &str) -> Text {
    let mut whole = Text::default();
    for text in texts {
        if !whole.vi.is_empty() {
            whole.push(between, between);
        }
        whole.append(text);
    }
    whole
}

/// One fact that decided, in words.
#[derive(PartialEq)]
struct Part {
    text: Text,
    /// True for a known yes or no, which on an item of a list only repeats the condition.
    plain: bool,
}

#[derive(Default)]
struct Tale {
    parts: Vec<Part>,
    /// The fields that name the item at hand, inside a condition on a list.
    named_by: Vec<usize>,
}

impl Tale {
    /// Collects the parts of `condition` that gave it the value `whole`.
    fn tell(&mut self, condition: &Condition, whole: Truth, context: &Context<'_, '_>) {
        match condition {
            // The parts with the same value as the whole decided it: all of them when `all` is true, the false ones when it is false.
            Condition::All(parts) | Condition::Any(parts) => {
                for part in parts.iter().filter(|part| judge::truth(part, context) == whole) {
                    self.tell(part, whole, context);
                }
            }
            Condition::Not(part) => self.tell(part, !whole, context),
            Condition::Test(test) => {
                if let Some(value) = context.value(&test.subject) {
                    self.tell_test(test, &value, whole, context);
                }
            }
        }
    }

    fn tell_test<'f>(&mut self, test: &Test, value: &Value<'f>, whole: Truth, context: &Context<'f, '_>) {
        let field = match &test.subject {
            // The item is named by this field; repeating it would only be noise.
            Subject::Field { index, .. } if whole != Truth::Unknown && self.named_by.contains(index) => return,
            Subject::Fact { field, .. } | Subject::Field { field, .. } => *field,
            // An item that is a plain value is named as a whole.
            Subject::Item(_) => return,
        };
        let text = match value {
            Value::List(items, left_out) => list_text(test, items, *left_out, whole, context),
            Value::Instant(at) if whole == Truth::Unknown => {
                let date = phrase::date(*at);
                Text::new(
                    format!("chưa xác định (ghi ngày {}, là ngày trong tương lai)", date.vi),
                    format!("unknown (it says {}, which is in the future)", date.en),
                )
            }
            _ => phrase::field_value(field, value, context.now),
        };
        let part = Part { text: labelled(field, &text), plain: matches!(value, Value::Bool(_)) };
        if !self.parts.contains(&part) {
            self.parts.push(part);
        }
    }
}

fn labelled(field: &Field, text: &Text) -> Text {
    let mut whole = Text {
        vi: String::with_capacity(field.vi.len() + 2 + text.vi.len()),
        en: String::with_capacity(field.en.len() + 2 + text.en.len()),
    };
    whole.push(field.vi, field.en);
    whole.push(": ", ": ");
    whole.append(text);
    whole
}

/// The items of a list that decided.
fn list_text<'f>(test: &Test, items: &[Value<'f>], left_out: u32, whole: Truth, context: &Context<'f, '_>) -> Text {
    let total = items.len() as u64 + u64::from(left_out);
    let (inner, counted) = match &test.matcher {
        Matcher::AnyItem(inner) | Matcher::NoItem(inner) | Matcher::AllItems(inner) => (inner, false),
        Matcher::Count { filter: Some(inner), .. } => (inner, true),
        _ => return phrase::plain_value(test.subject.kind(), &Value::List(items.to_vec(), left_out), context.now),
    };
    if total == 0 {
        return Text::new("không có", "none");
    }
    let mut text = if counted {
        counted_text(inner, items, left_out, whole, total, context, test)
    } else {
        // The truth value of the deciding items: those that met the condition if `none` failed, those that did not if `all` failed.
        let telling = match (&test.matcher, whole) {
            (_, Truth::Unknown) => Truth::Unknown,
            (Matcher::AllItems(_), Truth::False) => Truth::False,
            (Matcher::AnyItem(_), Truth::True) | (Matcher::NoItem(_), Truth::False) => Truth::True,
            (Matcher::AllItems(_), Truth::True) => {
                return text!("cả {total} mục đều đạt", "all {total} meet it");
            }
            _ => {
                return text!("không mục nào như vậy trong {total} mục", "none such among {total}");
            }
        };
        items_text(inner, items, telling, test, context)
    };
    if left_out > 0 && whole == Truth::Unknown {
        let between = if text.vi.is_empty() { "" } else { "; " };
        text.push(between, between);
        text.push(
            &format!("chưa xác định (danh sách bị cắt, còn {left_out} mục chưa xem)"),
            &format!("unknown (the list was cut, {left_out} more were not seen)"),
        );
    }
    text
}

/// `2 đến 3 trong 4 mục: root, nam`, and those unknown when they matter.
fn counted_text<'f>(
    inner: &Condition,
    items: &[Value<'f>],
    left_out: u32,
    whole: Truth,
    total: u64,
    context: &Context<'f, '_>,
    test: &Test,
) -> Text {
    let (least, most) = judge::count(Some(inner), items, left_out, context);
    let mut text = if least == most {
        text!("{least} trong {total} mục", "{least} of {total}")
    } else {
        text!("{least} đến {most} trong {total} mục", "{least} to {most} of {total}")
    };
    let mut add = |telling, between| {
        let names = items_text(inner, items, telling, test, context);
        if !names.vi.is_empty() {
            text.push(between, between);
            text.append(&names);
        }
    };
    add(Truth::True, ": ");
    if whole == Truth::Unknown {
        add(Truth::Unknown, "; ");
    }
    text
}

/// The items on which `inner` has the value `telling`, by name, with what decided on each.
fn items_text<'f>(
    inner: &Condition,
    items: &[Value<'f>],
    telling: Truth,
    test: &Test,
    context: &Context<'f, '_>,
) -> Text {
    let mut text = Text::default();
    let mut told = 0;
    for item in items {
        let context = context.with(item);
        if judge::truth(inner, &context) != telling {
            continue;
        }
        told += 1;
        if told > MOST_NAMED {
            continue;
        }
        if told > 1 {
            text.push(", ", ", ");
        }
        text.append(&item_name(item, test.subject.kind(), &context));
        let details = item_details(inner, item, telling, &context);
        if !details.vi.is_empty() {
            text.push(" (", " (");
            text.append(&details);
            text.push(")", ")");
        }
    }
    if told > MOST_NAMED {
        text.append(&phrase::and_more(told - MOST_NAMED));
    }
    text
}

/// What decided on one item; a plain yes or no already shows in the wanted state and is left out.
fn item_details<'f>(inner: &Condition, item: &Value<'f>, telling: Truth, context: &Context<'f, '_>) -> Text {
    let named_by = match item {
        Value::Record(record) => phrase::identity_fields(record.fields()),
        _ => Vec::new(),
    };
    let mut tale = Tale { named_by, ..Tale::default() };
    tale.tell(inner, telling, context);
    join(tale.parts.iter().filter(|part| !part.plain).map(|part| &part.text), ", ")
}

fn item_name(item: &Value<'_>, list: Kind, context: &Context<'_, '_>) -> Text {
    match (item, list) {
        (Value::Record(record), _) => phrase::identity(*record, context.now),
        (_, Kind::List(kind)) => phrase::plain_value(*kind, item, context.now),
        (_, kind) => phrase::plain_value(kind, item, context.now),
    }
}
