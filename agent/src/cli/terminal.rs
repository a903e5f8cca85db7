//! Output for the person at the terminal: answers on standard output, problems on standard error.
//!
//! Owns the language of the output. Does not do logging.

use std::io::Write;

use policies::text::{Language, Text};

/// The person's terminal, or another program's pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// The language of all output.
    pub(crate) language: Language,
}

impl Terminal {
    /// A terminal whose output is in `language`.
    pub(crate) fn new(language: Language) -> Self {
        Self { language }
    }

    /// The form of a sentence without values.
    pub(crate) fn text<'t>(&self, vi: &'t str, en: &'t str) -> &'t str {
        self.language.text(vi, en)
    }

    /// The form of a sentence that `text!` made.
    pub(crate) fn own(&self, text: Text) -> String {
        self.language.own(text)
    }

    /// Writes `text` and a newline to standard output, unchanged. For JSON and for our own text.
    ///
    /// # Errors
    /// When standard output cannot be written. A reader that closed the pipe (`| head`) is no error.
    pub(crate) fn print(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// Writes a sentence to standard error. A failure is ignored: there is nowhere left to report it.
    pub(crate) fn complain(&self, sentence: &str) {
        drop(writeln!(std::io::stderr().lock(), "{sentence}"));
    }
}
