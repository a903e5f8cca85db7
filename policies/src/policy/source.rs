//! A policy file before interpretation: bounded bytes, decoded and parsed as TOML, with offsets mapped to line and column.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{PolicyError, PolicyErrors};
use crate::text;
use crate::text::{Text, visible};

/// The largest policy file, in bytes.
pub const LARGEST_FILE: usize = 1_000_000;
/// The deepest nesting of tables and arrays in a policy file.
pub const DEEPEST_NESTING: usize = 32;

/// A place in a file.
pub(super) type Span = Range<usize>;

/// Collects what is wrong while a file is read, so that one reading reports everything.
#[derive(Debug)]
pub(super) struct Source<'a> {
    file: &'a str,
    text: &'a str,
    errors: RefCell<Vec<(usize, Text)>>,
}

/// Reads `bytes` as TOML and lets `read` make a value of the document. `read` reports through the [`Source`] and may give up.
///
/// # Errors
/// All errors, in the order of the file.
pub(super) fn read_file<T>(
    file: &str,
    bytes: &[u8],
    read: impl for<'s> FnOnce(&'s Source<'s>, &'s DeTable<'s>, Span) -> Option<T>,
) -> Result<T, PolicyErrors> {
    let source = Source::open(file, bytes)?;
    let value = source.parsed().and_then(|document| read(&source, document.get_ref(), document.span()));
    source.end(value)
}

fn only(error: PolicyError) -> PolicyErrors {
    PolicyErrors { errors: vec![error], left_out: 0 }
}

fn nesting() -> Text {
    text!("lồng nhau quá sâu, nhiều nhất {DEEPEST_NESTING} tầng", "nested too deeply, at most {DEEPEST_NESTING} levels")
}

/// The text of a file: not too large, UTF-8, without a byte order mark.
fn decode(bytes: &[u8]) -> Result<&str, Text> {
    if bytes.len() > LARGEST_FILE {
        return Err(text!(
            "tệp dài {} byte, nhiều nhất {LARGEST_FILE} byte",
            "the file has {} bytes, at most {LARGEST_FILE} are read",
            bytes.len()
        ));
    }
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
        return Err(Text::new(
            "tệp mở đầu bằng dấu BOM; hãy lưu lại dưới dạng UTF-8 không có BOM",
            "the file starts with a byte order mark; save it as UTF-8 without BOM",
        ));
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Text::new(
            "tệp được lưu bằng UTF-16; hãy lưu lại bằng UTF-8",
            "the file is UTF-16; save it as UTF-8",
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        text!(
            "tệp không phải UTF-8 (dòng {line}); hãy lưu lại bằng UTF-8",
            "the file is not UTF-8 (line {line}); save it as UTF-8"
        )
    })
}

/// Where the document first nests more deeply than allowed. The parser bounds the depth this walk can reach.
fn too_deep(document: &DeTable<'_>) -> Option<Span> {
    fn walk(value: &DeValue<'_>, span: Span, depth: usize) -> Option<Span> {
        match value {
            DeValue::Table(_) | DeValue::Array(_) if depth > DEEPEST_NESTING => Some(span),
            DeValue::Table(table) => table.values().find_map(|value| walk(value.get_ref(), value.span(), depth + 1)),
            DeValue::Array(array) => array.iter().find_map(|value| walk(value.get_ref(), value.span(), depth + 1)),
            _ => None,
        }
    }
    document.values().find_map(|value| walk(value.get_ref(), value.span(), 1))
}

impl<'a> Source<'a> {
    /// The text of a file.
    ///
    /// # Errors
    /// It is too large or not UTF-8.
    pub(super) fn open(file: &'a str, bytes: &'a [u8]) -> Result<Self, PolicyErrors> {
        let text = decode(bytes).map_err(|message| only(PolicyError::of_file(file, message)))?;
        Ok(Self { file, text, errors: RefCell::new(Vec::new()) })
    }

    /// The text as TOML, unless it is invalid or nests too deeply.
    pub(super) fn parsed(&self) -> Option<Spanned<DeTable<'a>>> {
        let (document, syntax) = DeTable::parse_recoverable(self.text);
        for error in &syntax {
            self.syntax_error(error);
        }
        let deep = syntax.is_empty().then(|| too_deep(document.get_ref())).flatten();
        if let Some(span) = &deep {
            self.error(span, nesting());
        }
        (syntax.is_empty() && deep.is_none()).then_some(document)
    }

    /// The value, unless something was wrong.
    ///
    /// # Errors
    /// All errors, in the order of the file.
    pub(super) fn end<T>(self, value: Option<T>) -> Result<T, PolicyErrors> {
        let file = self.file;
        match (self.into_errors(), value) {
            (None, Some(value)) => Ok(value),
            (Some(errors), _) => Err(errors),
            // A reader that gives up has reported why; this sentence is for the case that it did not.
            (None, None) => {
                Err(only(PolicyError::of_file(file, Text::new("không đọc được tệp", "the file cannot be read"))))
            }
        }
    }

    /// What is written at `span`.
    pub(super) fn written(&self, span: &Span) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// Records an error at `span`.
    pub(super) fn error(&self, span: &Span, message: Text) {
        self.errors.borrow_mut().push((span.start, message));
    }

    fn syntax_error(&self, error: &toml::de::Error) {
        let start = error.span().map_or(self.text.len(), |span| span.start);
        let message = error.message();
        let message = if message.contains("recurs") {
            nesting()
        } else {
            let message = visible(message, 200);
            text!("sai cú pháp TOML: {message}", "not valid TOML: {message}")
        };
        self.errors.borrow_mut().push((start, message));
    }

    /// Line and column, both from 1, of an offset in bytes.
    fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    fn into_errors(self) -> Option<PolicyErrors> {
        let mut errors = self.errors.take();
        errors.sort_by_key(|(start, _)| *start);
        // An error for both roles is reported once.
        let mut kept: Vec<(usize, Text)> = Vec::with_capacity(errors.len());
        for error in errors {
            if !kept.iter().rev().take_while(|before| before.0 == error.0).any(|before| *before == error) {
                kept.push(error);
            }
        }
        let mut errors = kept;
        let left_out = errors.len().saturating_sub(PolicyErrors::SHOWN);
        errors.truncate(PolicyErrors::SHOWN);
        let errors: Vec<PolicyError> = errors
            .into_iter()
            .map(|(start, message)| {
                let (line, column) = self.position(start);
                PolicyError { file: self.file.to_owned(), line, column, message }
            })
            .collect();
        (!errors.is_empty()).then_some(PolicyErrors { errors, left_out })
    }
}
