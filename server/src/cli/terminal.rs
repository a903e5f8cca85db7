//! Output to the person or program that started a command: results on standard output, errors and secrets on standard error.
//! Texts that came from machines are shown so that they cannot play tricks on a terminal.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write};

use jiff::tz::TimeZone;
use policies::text::{Language, Text};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde::Serialize;

use crate::error::UserError;

/// The most characters of one text.
const LINE: usize = 1000;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON value for a program.
    Json,
}

/// Where and how a command answers.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// The language of every message.
    pub language: Language,
    /// How results are printed.
    pub form: Form,
}

impl Terminal {
    /// Answers in `language` and `form`.
    pub fn new(language: Language, form: Form) -> Self {
        Self { language, form }
    }

    /// The form of a sentence without values.
    pub fn text<'t>(&self, vi: &'t str, en: &'t str) -> &'t str {
        self.language.text(vi, en)
    }

    /// The form of a sentence that `text!` made.
    pub fn own(&self, text: Text) -> String {
        self.language.own(text)
    }

    /// Prints the result: `value` for a program, `text` for a person.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn answer(&self, value: &impl Serialize, text: impl FnOnce(&Self) -> String) -> anyhow::Result<()> {
        match self.form {
            Form::Json => self.print(&serde_json::to_string(value)?),
            Form::Text => self.print(text(self).trim_end()),
        }
    }

    /// Prints a line on standard output.
    ///
    /// # Errors
    /// It cannot be written; a reader that has gone away is not an error.
    pub fn print(&self, text: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// Prints an error or a warning on standard error.
    pub fn complain(&self, text: &str) {
        // Without a standard error there is nowhere to report to.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// `rows` under their headings (Vietnamese, English), in columns.
    pub fn table(&self, heads: &[(&str, &str)], rows: impl IntoIterator<Item = Vec<String>>) -> String {
        let heads = heads.iter().map(|(vi, en)| self.text(vi, en).to_owned()).collect();
        let shown = rows.into_iter().map(|row| row.iter().map(|cell| visible(cell)).collect());
        let lines: Vec<Vec<String>> = std::iter::once(heads).chain(shown).collect();
        let width =
            |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..).map_while(width).collect();
        let line = |cells: &Vec<String>| {
            let padded: Vec<String> =
                cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        };
        lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Whether standard error is a terminal, so that a secret may be shown there.
    pub fn is_watched(&self) -> bool {
        std::io::stderr().is_terminal()
    }
}

/// Asks the person at the terminal for a secret, which is not shown.
///
/// # Errors
/// There is no terminal.
pub fn secret_ask(prompt: &str) -> anyhow::Result<String> {
    let nobody = |cause: std::io::Error| {
        UserError::new(
            "Không có màn hình dòng lệnh để hỏi mật khẩu; hãy dùng --passphrase-file.",
            "There is no terminal to ask for the passphrase at; use --passphrase-file.",
        )
        .because(cause)
    };
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(nobody)?;
    let before = tcgetattr(&terminal).map_err(|cause| nobody(cause.into()))?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    write!(terminal, "{prompt}")?;
    tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
    let mut line = String::new();
    let read = BufReader::new(&terminal).read_line(&mut line);
    tcsetattr(&terminal, OptionalActions::Flush, &before)?;
    writeln!(terminal)?;
    read?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// A text of at most a line's length, with what a terminal would act upon made visible.
pub fn visible(text: &str) -> String {
    policies::text::visible(text, LINE)
}

/// An instant of the store as people of this server read it, to the minute.
pub fn moment(millis: i64, zone: &TimeZone) -> String {
    let Ok(instant) = jiff::Timestamp::from_millisecond(millis) else { return "?".to_owned() };
    instant.to_zoned(zone.clone()).strftime("%d/%m/%Y %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_name_cannot_play_tricks() {
        assert_eq!(visible("Máy số 1"), "Máy số 1");
        assert_eq!(visible("a\u{1b}[2J\u{202e}b\n"), "a␛[2J⟨U+202E⟩b␊");
    }

    #[test]
    fn columns_line_up_under_their_heads() {
        let rows = [vec!["Xã An".to_owned(), "1".to_owned()], vec!["Đ".to_owned(), "22".to_owned()]];
        let terminal = Terminal::new(Language::Vi, Form::Text);
        let table = terminal.table(&[("Tên", "Name"), ("Số", "Number")], rows);
        assert_eq!(table, "Tên    Số\nXã An  1\nĐ      22");
    }
}
