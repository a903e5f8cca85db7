//! What the program says to the person at the terminal: answers on standard output, trouble on standard error.
//!
//! Owns the language of the conversation and the care for text that comes from a machine. Logs are not its business.

use std::io::Write;

use policies::text::{Language, Text};

/// The terminal a person sits at, or the pipe of another program.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// The language of every sentence.
    pub language: Language,
}

impl Terminal {
    /// A terminal that speaks `language`.
    pub fn new(language: Language) -> Self {
        Self { language }
    }

    /// Chooses between the two forms of a sentence.
    pub fn words<'a>(&self, vi: &'a str, en: &'a str) -> &'a str {
        match self.language {
            Language::Vi => vi,
            Language::En => en,
        }
    }

    /// Writes `text` and a line end to standard output, exactly as it is. For JSON and for text of our own.
    ///
    /// # Errors
    /// When standard output cannot be written. A reader that went away (`| head`) is no error.
    pub fn print(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// Writes a sentence and a line end to standard output.
    ///
    /// # Errors
    /// As [`Terminal::print`].
    pub fn say(&self, sentence: &Text) -> std::io::Result<()> {
        self.print(sentence.get(self.language))
    }

    /// Writes a sentence to standard error. There is nobody left to tell when that fails.
    pub fn complain(&self, sentence: &str) {
        drop(writeln!(std::io::stderr().lock(), "{sentence}"));
    }
}

/// `text` from a machine, with control and bidirectional characters made visible, so that it can neither move the cursor
/// nor turn a line around.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_bidirectional(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Characters that change the direction of what follows, or that cannot be seen at all.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn hostile_characters_are_made_visible() {
        assert_eq!(visible("Máy trạm số 1"), "Máy trạm số 1");
        assert_eq!(visible("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\u{a}");
        assert_eq!(visible("x\u{202e}txt.exe"), "x\\u{202e}txt.exe");
        assert_eq!(visible("a\u{200b}b\u{feff}"), "a\\u{200b}b\\u{feff}");
    }
}
