//! Errors in a policy file: where, what and what was probably meant, in Vietnamese and English. Owns the limit on how
//! many errors are reported at once.

use std::fmt;

use crate::text;
use crate::text::{Language, Text};

/// One error in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The file's name as the caller gave it.
    pub file: String,
    /// Line, from 1; 0 when the error concerns the whole file.
    pub line: usize,
    /// Column in characters, from 1; 0 when the error concerns the whole file.
    pub column: usize,
    /// The error message.
    pub message: Text,
}

impl PolicyError {
    /// An error about the file as a whole.
    pub fn of_file(file: &str, message: Text) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message }
    }

    /// `file:line:column: message`, the form editors can jump to.
    fn text(&self) -> Text {
        let Self { file, line, column, message: Text { vi, en } } = self;
        match line {
            0 => text!("{file}: {vi}", "{file}: {en}"),
            _ => text!("{file}:{line}:{column}: {vi}", "{file}:{line}:{column}: {en}"),
        }
    }
}

/// All errors in one or more files: the first [`PolicyErrors::SHOWN`] in full, the rest counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyErrors {
    /// The errors shown, in the order of the file. Never empty.
    pub errors: Vec<PolicyError>,
    /// How many more there were.
    pub left_out: usize,
}

impl PolicyErrors {
    /// How many errors are shown at once.
    pub const SHOWN: usize = 20;

    /// Keeps the first errors and counts the rest; `None` when there is none.
    pub fn new(mut errors: Vec<PolicyError>) -> Option<Self> {
        if errors.is_empty() {
            return None;
        }
        let left_out = errors.len().saturating_sub(Self::SHOWN);
        errors.truncate(Self::SHOWN);
        Some(Self { errors, left_out })
    }

    /// Appends the errors of another file.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let left_out = self.left_out + other.left_out;
        self.errors.extend(other.errors);
        let cut = self.errors.len().saturating_sub(Self::SHOWN);
        self.errors.truncate(Self::SHOWN);
        Self { errors: self.errors, left_out: left_out + cut }
    }

    /// One error per line, and a last line with the number of those left out.
    pub fn text(&self) -> Text {
        let mut lines: Vec<Text> = self.errors.iter().map(PolicyError::text).collect();
        if self.left_out > 0 {
            lines.push(text!("... và {0} lỗi khác", "... and {0} more errors", self.left_out));
        }
        let joined = |form: fn(&Text) -> &str| lines.iter().map(form).collect::<Vec<_>>().join("\n");
        Text::new(joined(|line| &line.vi), joined(|line| &line.en))
    }

    /// The same in one language.
    pub fn show(&self, language: Language) -> String {
        language.own(self.text())
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text().en)
    }
}

impl std::error::Error for PolicyErrors {}
