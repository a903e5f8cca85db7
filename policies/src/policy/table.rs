//! Reads one TOML table key by key: what is missing, of the wrong type, out of range or unknown is reported at its place. Owns
//! the sentences for that; knows no key itself.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::{Source, Span};
use crate::fact::Section;
use crate::text;
use crate::text::{Text, is_visible, visible};

/// A value with its place.
pub(super) type Node<'t> = Spanned<DeValue<'t>>;

/// A table being read.
#[derive(Debug)]
pub(super) struct Table<'s, 't> {
    pub(super) source: &'s Source<'s>,
    pub(super) span: Span,
    entries: &'t DeTable<'t>,
    /// The keys read so far: all others are unknown when reading ends.
    asked: RefCell<Vec<&'static str>>,
}

impl<'s, 't> Table<'s, 't> {
    /// A table that is already known to be one.
    pub(super) fn new(source: &'s Source<'s>, entries: &'t DeTable<'t>, span: Span) -> Self {
        Self { source, span, entries, asked: RefCell::new(Vec::new()) }
    }

    /// The table in `node`; reports an error when it is something else.
    pub(super) fn of(source: &'s Source<'s>, node: &'t Node<'t>) -> Option<Self> {
        match node.get_ref() {
            DeValue::Table(entries) => Some(Self::new(source, entries, node.span())),
            other => {
                wrong_type(source, &node.span(), "một bảng { ... }", "a table { ... }", other);
                None
            }
        }
    }

    /// The value of `key`, if there is one.
    pub(super) fn get(&self, key: &'static str) -> Option<&'t Node<'t>> {
        self.asked.borrow_mut().push(key);
        self.entries.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// The value of `key`; reports an error when there is none.
    pub(super) fn need(&self, key: &'static str) -> Option<&'t Node<'t>> {
        let value = self.get(key);
        if value.is_none() {
            self.source.error(&self.span, text!("thiếu khoá `{key}`", "the key `{key}` is missing"));
        }
        value
    }

    /// Which of `keys` are present, with their values.
    pub(super) fn present<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Vec<(&'k str, &'t Node<'t>)> {
        keys.into_iter()
            .filter_map(|key| {
                self.entries.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| (key, value))
            })
            .collect()
    }

    /// Marks `keys` as known, whether they are present or not.
    pub(super) fn allow(&self, keys: impl IntoIterator<Item = &'static str>) {
        self.asked.borrow_mut().extend(keys);
    }

    /// Reports keys that were not read, with the nearest one that exists.
    pub(super) fn end(self) {
        let asked = self.asked.borrow();
        for name in self.entries.keys() {
            let key: &str = name.get_ref();
            if !asked.contains(&key) {
                self.source.error(&name.span(), unknown_name("khoá", "key", key, asked.iter().copied()));
            }
        }
    }

    /// The text of `key`: not empty and at most `most` characters.
    pub(super) fn text(&self, key: &'static str, most: usize) -> Option<&'t str> {
        text(self.source, self.need(key)?, most)
    }

    /// The whole number of `key` between the bounds, both included.
    pub(super) fn number(&self, key: &'static str, least: i64, most: i64) -> Option<i64> {
        number(self.source, self.need(key)?, least, most)
    }

    /// The two forms of a sentence: `{ vi = "...", en = "..." }`.
    pub(super) fn sentence(&self, key: &'static str, most: usize) -> Option<Text> {
        let table = Table::of(self.source, self.need(key)?)?;
        let (vi, en) = (table.text("vi", most), table.text("en", most));
        table.end();
        Some(Text::new(vi?, en?))
    }

    /// The items of the array at `key`, at least `least` and at most `most`.
    pub(super) fn items(&self, key: &'static str, least: usize, most: usize) -> Option<&'t [Node<'t>]> {
        items(self.source, self.need(key)?, least, most)
    }

    /// One of a set of words; reports the nearest when it is none of them.
    pub(super) fn word<T: Copy>(&self, key: &'static str, all: &[T], code: impl Fn(T) -> &'static str) -> Option<T> {
        let node = self.need(key)?;
        let word = text(self.source, node, 100)?;
        let found = all.iter().copied().find(|item| code(*item) == word);
        if found.is_none() {
            self.source.error(&node.span(), unknown_value(word, all.iter().map(|item| code(*item))));
        }
        found
    }
}

/// A text: not empty and at most `most` characters, without control characters.
pub(super) fn text<'t>(source: &Source<'_>, node: &'t Node<'t>, most: usize) -> Option<&'t str> {
    let DeValue::String(text) = node.get_ref() else {
        wrong_type(source, &node.span(), "một chuỗi \"...\"", "a text \"...\"", node.get_ref());
        return None;
    };
    let text: &str = text;
    let length = text.chars().count();
    if text.trim().is_empty() {
        source.error(&node.span(), Text::new("chuỗi không được để trống", "the text must not be empty"));
        None
    } else if length > most {
        source.error(
            &node.span(),
            text!(
                "chuỗi dài {length} ký tự, nhiều nhất {most}",
                "the text has {length} characters, at most {most} are allowed"
            ),
        );
        None
    } else if !is_visible(text) {
        source.error(
            &node.span(),
            Text::new("chuỗi có ký tự điều khiển hoặc ký tự ẩn", "the text holds control or invisible characters"),
        );
        None
    } else {
        Some(text)
    }
}

/// A whole number between the bounds, both included.
pub(super) fn number(source: &Source<'_>, node: &Node<'_>, least: i64, most: i64) -> Option<i64> {
    let DeValue::Integer(digits) = node.get_ref() else {
        wrong_type(source, &node.span(), "một số nguyên", "a whole number", node.get_ref());
        return None;
    };
    match i64::from_str_radix(digits.as_str(), digits.radix()) {
        Ok(number) if (least..=most).contains(&number) => Some(number),
        _ => {
            source.error(
                &node.span(),
                text!(
                    "số {} nằm ngoài khoảng từ {least} đến {most}",
                    "{} is outside {least} to {most}",
                    visible(digits.as_str(), 40)
                ),
            );
            None
        }
    }
}

/// Yes or no.
pub(super) fn boolean(source: &Source<'_>, node: &Node<'_>) -> Option<bool> {
    if let DeValue::Boolean(value) = node.get_ref() {
        return Some(*value);
    }
    wrong_type(source, &node.span(), "true hoặc false", "true or false", node.get_ref());
    None
}

/// The items of an array, at least `least` and at most `most`.
pub(super) fn items<'t>(source: &Source<'_>, node: &'t Node<'t>, least: usize, most: usize) -> Option<&'t [Node<'t>]> {
    let DeValue::Array(array) = node.get_ref() else {
        wrong_type(source, &node.span(), "một danh sách [ ... ]", "a list [ ... ]", node.get_ref());
        return None;
    };
    if (least..=most).contains(&array.len()) {
        return Some(array);
    }
    source.error(
        &node.span(),
        text!(
            "danh sách có {} mục, phải có từ {least} đến {most}",
            "the list has {} items, {least} to {most} are allowed",
            array.len()
        ),
    );
    None
}

/// Reports that something else was expected here.
pub(super) fn wrong_type(source: &Source<'_>, span: &Span, vi: &str, en: &str, found: &DeValue<'_>) {
    let (found_vi, found_en) = match found {
        DeValue::String(_) => ("một chuỗi", "a text"),
        DeValue::Integer(_) => ("một số nguyên", "a whole number"),
        DeValue::Float(number) if number.as_str().contains("nan") => ("NaN (không phải số)", "NaN (not a number)"),
        DeValue::Float(number) if number.as_str().contains("inf") => ("số vô hạn", "an infinite number"),
        DeValue::Float(_) => ("số có phần thập phân", "a number with a fraction"),
        DeValue::Boolean(_) => ("true/false", "true/false"),
        DeValue::Datetime(_) => ("ngày hoặc giờ khác", "another date or time"),
        DeValue::Array(_) => ("một danh sách", "a list"),
        DeValue::Table(_) => ("một bảng", "a table"),
    };
    source.error(span, text!("cần {vi}, nhưng gặp {found_vi}", "expected {en}, found {found_en}"));
}

/// The sentence for a name that does not exist, with the nearest one that does.
pub(super) fn unknown_name<'n>(vi: &str, en: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> Text {
    let shown = visible(name, 80);
    match nearest(name, known) {
        Some(near) => {
            text!("không có {vi} `{shown}`; ý bạn là `{near}`?", "there is no {en} `{shown}`; did you mean `{near}`?")
        }
        None => text!("không có {vi} `{shown}`", "there is no {en} `{shown}`"),
    }
}

/// The section of facts called `name`.
///
/// # Errors
/// A sentence with the nearest name.
pub fn section_named(name: &str) -> Result<Section, Text> {
    let known = Section::ALL.iter().map(|section| section.name());
    Section::from_name(name).ok_or_else(|| unknown_name("nhóm thông tin", "section", name, known))
}

/// The sentence for a value that is none of a few, with all of them.
pub(super) fn unknown_value<'n>(value: &str, known: impl Iterator<Item = &'n str> + Clone) -> Text {
    let mut message = unknown_name("giá trị", "value", value, known.clone());
    let known = visible(&known.collect::<Vec<_>>().join(", "), 200);
    message.push(&format!(" (có: {known})"), &format!(" (there are: {known})"));
    message
}

/// The known name most similar to `name`, if any is similar enough.
pub(super) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Long names are not typing mistakes, and comparing them takes time that grows with the square.
    if name.len() > 120 {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}
