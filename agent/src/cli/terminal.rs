//! Output for the person at the terminal: answers on standard output, problems on standard error.
//!
//! Owns the language of the output. Does not do logging.

use std::io::Write;

use policies::text::Language;

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

    /// Chooses between the two forms of a sentence.
    pub(crate) fn choose<'a>(&self, vi: &'a str, en: &'a str) -> &'a str {
        match self.language {
            Language::Vi => vi,
            Language::En => en,
        }
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
