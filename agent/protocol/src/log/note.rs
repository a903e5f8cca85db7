//! Signed notes (C2SP signed-note): a text and lines of signatures below it. Says nothing about who may be believed: a signature counts
//! only once a [`super::NoteKey`] has verified it.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

/// Bytes of a note at most.
pub const LONGEST: usize = 64 * 1024;
/// Signatures of a note at most.
pub const SIGNATURES: usize = 64;

/// Stands before every signature line.
const DASH: &str = "\u{2014} ";
/// Bytes of a key's id, before each signature.
const ID: usize = 4;

/// A text with signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Ends with a newline.
    pub text: String,
    /// In the order of their lines.
    pub signatures: Vec<Signature>,
}

/// One signature line, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key.
    pub name: String,
    /// The id of the key.
    pub id: [u8; ID],
    /// What the key signed with; its form depends on the type of the key.
    pub bytes: Vec<u8>,
}

/// The text is not a signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// More than [`LONGEST`] bytes.
    #[error("a signed note has at most {LONGEST} bytes")]
    TooLong,
    /// Other control characters than newline.
    #[error("a signed note has no control characters but newlines")]
    Control,
    /// No empty line between text and signatures.
    #[error("no empty line with signatures below it")]
    Unsigned,
    /// A line below the text is not a signature.
    #[error("line {0} below the text is not a signature")]
    Line(usize),
    /// More than [`SIGNATURES`].
    #[error("a signed note has at most {SIGNATURES} signatures")]
    TooMany,
}

/// True for what may name a key: not empty, without spaces and plus signs.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '+')
}

impl FromStr for Note {
    type Err = BadNote;

    fn from_str(note: &str) -> Result<Self, BadNote> {
        if note.len() > LONGEST {
            return Err(BadNote::TooLong);
        }
        if note.chars().any(|letter| letter < ' ' && letter != '\n') {
            return Err(BadNote::Control);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(BadNote::Unsigned)?;
        let lines = lines.strip_suffix('\n').ok_or(BadNote::Unsigned)?;
        if lines.split('\n').count() > SIGNATURES {
            return Err(BadNote::TooMany);
        }
        let signature = |(line, text)| signature_parse(text).ok_or(BadNote::Line(line + 1));
        let signatures = lines.split('\n').enumerate().map(signature).collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }
}

fn signature_parse(line: &str) -> Option<Signature> {
    let (name, signed) = line.strip_prefix(DASH)?.split_once(' ')?;
    let bytes = BASE64.decode(signed.as_bytes()).ok()?;
    let (&id, bytes) = bytes.split_first_chunk()?;
    (is_key_name(name) && !bytes.is_empty()).then(|| Signature { name: name.to_owned(), id, bytes: bytes.to_vec() })
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DASH}{} {}", self.name, BASE64.encode(&[&self.id, self.bytes.as_slice()].concat()))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
        — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

    #[test]
    fn the_example_is_read_and_written() {
        let note: Note = EXAMPLE.parse().unwrap();
        assert!(note.text.ends_with("\n\ned è subito sera.\n"));
        assert_eq!(note.signatures[0].name, "quasimodo.example/salvatore");
        assert_eq!((note.signatures[0].id, note.signatures[0].bytes.len()), ([0x36, 0x7b, 0xa0, 0x4b], 64));
        assert_eq!(note.to_string(), EXAMPLE);
    }

    #[test]
    fn what_is_no_note_is_refused_in_words() {
        let told = |text: &str| text.parse::<Note>().unwrap_err().to_string();
        let id = "AAAAAAA=";
        for text in ["", "a\n", "a\n\n", "a\n\n— k AAAAAAA="] {
            assert_eq!(told(text), "no empty line with signatures below it", "{text:?}");
        }
        let lines = [
            "- k AAAAAAA=",
            "— k  AAAAAAA=",
            "— k AAAA",
            "— k AAAAAAB=",
            "— k+l AAAAAAA=",
            "—  AAAAAAA=",
            "— k AAAAAAA= ",
        ];
        for line in lines {
            let note = format!("a\n\n— k {id}\n{line}\n");
            assert_eq!(told(&note), "line 2 below the text is not a signature", "{line:?}");
        }
        assert!(told("a\r\n\n— k AAAAAAA=\n").contains("control"));
        assert!(told(&"a".repeat(LONGEST + 1)).contains("at most"));
        let many = format!("a\n\n{}", format!("— k {id}\n").repeat(SIGNATURES + 1));
        assert!(told(&many).contains("at most 64 signatures"));
    }
}
