//! What the program says to the person at the terminal: answers on standard output, trouble on standard error.
//!
//! Owns the language of the conversation. Logs are not its business.

use std::io::Write;

use policies::text::Language;

/// The terminal a person sits at, or the pipe of another program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// The language of every sentence.
    pub(crate) language: Language,
}

impl Terminal {
    /// A terminal that speaks `language`.
    pub(crate) fn new(language: Language) -> Self {
        Self { language }
    }

    /// Chooses between the two forms of a sentence.
    pub(crate) fn choose<'a>(&self, vi: &'a str, en: &'a str) -> &'a str {
        match self.language {
            Language::Vi => vi,
            Language::En => en,
        }
    }

    /// Writes `text` and a line end to standard output, exactly as it is. For JSON and for text of our own.
    ///
    /// # Errors
    /// When standard output cannot be written. A reader that went away (`| head`) is no error.
    pub(crate) fn print(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// Writes a sentence to standard error. There is nobody left to tell when that fails.
    pub(crate) fn complain(&self, sentence: &str) {
        drop(writeln!(std::io::stderr().lock(), "{sentence}"));
    }
}
