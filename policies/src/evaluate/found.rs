//! What decided a condition, in words: the "found" (hiện trạng) of an outcome. Names the facts that decided, not those that did not
//! matter, with labels and units; an unknown says its reason.

use super::Truth;
use super::judge::{self, Scene};
use super::readers::Blame;
use crate::fact::{Field, Kind, Value};
use crate::phrase::{self, MOST_NAMED};
use crate::policy::{Condition, Matcher, Subject, Test};
use crate::text::Text;

/// The most characters of a whole sentence: what a table cell and a document line can bear.
const LONGEST_FOUND: usize = 600;

/// What decided, in words, and the parts that are unknown.
#[derive(Debug, Default)]
pub(super) struct Explained {
    pub(super) text: Text,
    pub(super) unknown: Vec<Blame>,
}

/// Explains what `condition` is worth on `scene`.
pub(super) fn explain(condition: &Condition, scene: &Scene<'_, '_>) -> Explained {
    let mut tale = Tale::default();
    tale.tell(condition, judge::truth(condition, scene), scene);
    let mut text = Text::default();
    for (index, Part { text: part, .. }) in tale.parts.iter().enumerate() {
        if index > 0 {
            text.push("; ", "; ");
        }
        text.append(part);
    }
    Explained { text: Text::new(cut(text.vi), cut(text.en)), unknown: tale.unknown }
}

/// The parts are harmless already; only their number can make the whole too long.
fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_FOUND) {
        let last = text[..end].char_indices().next_back().map_or(0, |(start, _)| start);
        text.truncate(last);
        text.push('…');
    }
    text
}

/// One fact that decided, in words.
#[derive(PartialEq)]
struct Part {
    text: Text,
    /// True for a known yes or no, which on an item of a list only repeats what was asked for.
    plain: bool,
}

#[derive(Default)]
struct Tale {
    parts: Vec<Part>,
    unknown: Vec<Blame>,
    /// The list at hand and the fields that name its items, inside a condition on a list.
    list: Option<(String, Vec<usize>)>,
}

impl Tale {
    /// Tells which parts of `condition` made it worth `whole`.
    fn tell(&mut self, condition: &Condition, whole: Truth, scene: &Scene<'_, '_>) {
        match condition {
            // Of parts joined by `all`, every one made it true; those that are false made it false; those unknown, unknown.
            Condition::All(parts) | Condition::Any(parts) => {
                for part in parts {
                    let worth = judge::truth(part, scene);
                    if worth == whole {
                        self.tell(part, worth, scene);
                    }
                }
            }
            Condition::Not(part) => self.tell(part, !whole, scene),
            Condition::Test(test) => {
                if let Some(value) = scene.value(&test.subject) {
                    self.tell_test(test, &value, whole, scene);
                }
            }
        }
    }

    fn tell_test<'f>(&mut self, test: &Test, value: &Value<'f>, whole: Truth, scene: &Scene<'f, '_>) {
        let (name, field) = match &test.subject {
            Subject::Fact { section, field, .. } => (format!("{}.{}", section.name(), field.name), Some(*field)),
            Subject::Field { index, field } => {
                let (list, named_by) = self.list.clone().unwrap_or_default();
                let name = format!("{list}.{}", field.name);
                if named_by.contains(index) && whole != Truth::Unknown {
                    // The item is called by this field; saying it again would only be noise.
                    return;
                }
                (name, Some(*field))
            }
            Subject::Item(_) => (self.list.clone().unwrap_or_default().0, None),
        };
        match value {
            Value::Unknown(unknown) => self.unknown.push(Blame { fact: name.clone(), reason: Some(unknown.reason) }),
            Value::List(items, left_out) => {
                let text = self.list_text(test, &name, items, *left_out, whole, scene);
                self.add(labelled(field, &text), false);
                return;
            }
            Value::Instant(at) if whole == Truth::Unknown => {
                self.unknown.push(Blame { fact: name, reason: None });
                let date = phrase::date(*at);
                let text = Text::new(
                    format!("chưa xác định (ghi ngày {}, là ngày trong tương lai)", date.vi),
                    format!("unknown (it says {}, which is in the future)", date.en),
                );
                self.add(labelled(field, &text), false);
                return;
            }
            _ => {}
        }
        // An item that is a plain value is named as a whole.
        let Some(field) = field else { return };
        self.add(labelled(Some(field), &phrase::field_value(field, value, scene.now)), matches!(value, Value::Bool(_)));
    }

    fn add(&mut self, text: Text, plain: bool) {
        let part = Part { text, plain };
        if !self.parts.contains(&part) {
            self.parts.push(part);
        }
    }

    /// The items of a list that decided.
    fn list_text<'f>(
        &mut self,
        test: &Test,
        name: &str,
        items: &[Value<'f>],
        left_out: u32,
        whole: Truth,
        scene: &Scene<'f, '_>,
    ) -> Text {
        let total = items.len() as u64 + u64::from(left_out);
        let (inner, telling) = match &test.matcher {
            Matcher::AnyItem(inner) => (inner, if whole == Truth::False { None } else { Some(whole) }),
            Matcher::NoItem(inner) => (inner, if whole == Truth::True { None } else { Some(!whole) }),
            Matcher::AllItems(inner) => (inner, if whole == Truth::True { None } else { Some(whole) }),
            Matcher::Count { filter: Some(inner), .. } => (inner, Some(Truth::True)),
            _ => return phrase::plain_value(test.subject.kind(), &Value::List(items.to_vec(), left_out), scene.now),
        };
        let counted = matches!(test.matcher, Matcher::Count { .. });
        if total == 0 {
            return Text::new("không có", "none");
        }
        let mut text = Text::default();
        if counted {
            let (least, most) = judge::count(Some(inner), items, left_out, scene);
            text = if least == most {
                Text::new(format!("{least} trong {total} mục"), format!("{least} of {total}"))
            } else {
                Text::new(format!("{least} đến {most} trong {total} mục"), format!("{least} to {most} of {total}"))
            };
        }
        let Some(telling) = telling else {
            return if matches!(test.matcher, Matcher::AllItems(_)) {
                Text::new(format!("cả {total} mục đều đạt"), format!("all {total} meet it"))
            } else {
                Text::new(format!("không mục nào như vậy trong {total} mục"), format!("none such among {total}"))
            };
        };
        let names = self.items_text(inner, name, items, telling, test, scene);
        let unknown_names = if counted && whole == Truth::Unknown {
            self.items_text(inner, name, items, Truth::Unknown, test, scene)
        } else {
            Text::default()
        };
        for (part, between) in [(names, ": "), (unknown_names, "; ")] {
            if !part.vi.is_empty() {
                let between = if text.vi.is_empty() { "" } else { between };
                text.push(between, between);
                text.append(&part);
            }
        }
        if left_out > 0 && whole == Truth::Unknown {
            self.unknown.push(Blame { fact: name.to_owned(), reason: None });
            let between = if text.vi.is_empty() { "" } else { "; " };
            text.push(between, between);
            text.push(
                &format!("chưa xác định (danh sách bị cắt, còn {left_out} mục chưa xem)"),
                &format!("unknown (the list was cut, {left_out} more were not seen)"),
            );
        }
        text
    }

    /// The items on which `inner` is worth `telling`, by name, with what decided on each.
    fn items_text<'f>(
        &mut self,
        inner: &Condition,
        name: &str,
        items: &[Value<'f>],
        telling: Truth,
        test: &Test,
        scene: &Scene<'f, '_>,
    ) -> Text {
        let mut text = Text::default();
        let mut told = 0;
        for item in items {
            let scene = scene.with(item);
            if judge::truth(inner, &scene) != telling {
                continue;
            }
            told += 1;
            // Unknown parts are all needed, to know whether every one of them can be excused.
            if told > MOST_NAMED && telling != Truth::Unknown {
                continue;
            }
            let details = self.item_details(inner, name, item, telling, &scene);
            if told > MOST_NAMED {
                continue;
            }
            if told > 1 {
                text.push(", ", ", ");
            }
            text.append(&item_name(item, test.subject.kind(), &scene));
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

    /// What decided on one item; a plain yes or no is already in what was wanted and is left out.
    fn item_details<'f>(
        &mut self,
        inner: &Condition,
        name: &str,
        item: &Value<'f>,
        telling: Truth,
        scene: &Scene<'f, '_>,
    ) -> Text {
        let named_by = match item {
            Value::Record(record) => phrase::identity_fields(record.fields()),
            _ => Vec::new(),
        };
        let mut tale = Self { list: Some((name.to_owned(), named_by)), ..Self::default() };
        tale.tell(inner, telling, scene);
        self.unknown.append(&mut tale.unknown);
        let mut text = Text::default();
        for (index, part) in tale.parts.iter().filter(|part| !part.plain).enumerate() {
            if index > 0 {
                text.push(", ", ", ");
            }
            text.append(&part.text);
        }
        text
    }
}

fn item_name(item: &Value<'_>, list: Kind, scene: &Scene<'_, '_>) -> Text {
    match (item, list) {
        (Value::Record(record), _) => phrase::identity(*record, scene.now),
        (_, Kind::List(kind)) => phrase::plain_value(*kind, item, scene.now),
        (_, kind) => phrase::plain_value(kind, item, scene.now),
    }
}

fn labelled(field: Option<&'static Field>, text: &Text) -> Text {
    match field {
        Some(field) => Text::new(format!("{}: {}", field.vi, text.vi), format!("{}: {}", field.en, text.en)),
        None => text.clone(),
    }
}
