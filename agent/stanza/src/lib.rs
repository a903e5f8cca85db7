//! The stanzas of dpkg's and apt's files, of which only a few fields are needed. Lists are long and few of their packages are
//! installed, so names are searched for and only their stanzas are read line by line.
//!
//! A crate of its own because it is compiled for speed and the rest of the agent for size: tens of megabytes go through it in a check.
//! So nothing here is generic, which would be compiled with its caller.

mod packed;

pub use packed::unpacked;

use std::io::BufRead;

use memchr::{memchr, memmem, memrchr};

use os::{Answer, OsError, failed};

/// The most bytes of one stanza.
const STANZA_CAP: usize = 4 << 20;
/// What comes before a package's name.
const NAME: &[u8] = b"Package: ";

/// The needed fields of one stanza, empty where it has none.
#[derive(Clone, Debug, Default)]
pub struct Stanza {
    /// The package's name.
    pub package: Vec<u8>,
    /// Its version, as Debian writes it.
    pub version: Vec<u8>,
    /// Its architecture, or `all`.
    pub architecture: Vec<u8>,
    /// What is wanted, a flag, and the state.
    pub status: Vec<u8>,
}

impl Stanza {
    /// Takes the field of one line, if it is a needed one.
    fn note(&mut self, line: &[u8]) {
        let Some(colon) = memchr(b':', line) else { return };
        let place = match &line[..colon] {
            b"Package" => &mut self.package,
            b"Version" => &mut self.version,
            b"Architecture" => &mut self.architecture,
            b"Status" => &mut self.status,
            _ => return,
        };
        *place = line[colon + 1..].trim_ascii().to_vec();
    }
}

/// Calls `each` for every stanza of the file at `path`, read by `reader`, whose package is `wanted`; if the input ends inside a stanza, the
/// stanza ends there.
///
/// # Errors
/// The file cannot be read, or a stanza is larger than 4 MiB.
pub fn each_of(
    reader: &mut dyn BufRead,
    path: &str,
    wanted: &dyn Fn(&[u8]) -> bool,
    each: &mut dyn FnMut(Stanza),
) -> Answer<()> {
    // From the beginning of the first incomplete stanza.
    let mut text = Vec::new();
    loop {
        let piece = reader.fill_buf().map_err(|error| failed(path, &error))?;
        let read = piece.len();
        text.extend_from_slice(piece);
        reader.consume(read);
        let whole = if read == 0 { text.len() } else { last_blank(&text) };
        scan(&text[..whole], wanted, each);
        if read == 0 {
            return Ok(());
        }
        text.drain(..whole);
        if text.len() > STANZA_CAP {
            return Err(OsError::Failed(path.to_owned(), "has a stanza without end".to_owned()));
        }
    }
}

/// Where the last blank line of `text` ends; 0 without one.
fn last_blank(text: &[u8]) -> usize {
    let mut end = memrchr(b'\n', text);
    while let Some(at) = end {
        let before = memrchr(b'\n', &text[..at]);
        if text[before.map_or(0, |before| before + 1)..at].trim_ascii().is_empty() {
            return at + 1;
        }
        end = before;
    }
    0
}

/// Calls `each` for those of the complete stanzas in `text` whose package is `wanted`.
fn scan(text: &[u8], wanted: &dyn Fn(&[u8]) -> bool, each: &mut dyn FnMut(Stanza)) {
    let mut over = 0;
    for at in memmem::find_iter(text, NAME) {
        let name = &text[at + NAME.len()..];
        let name = name[..memchr(b'\n', name).unwrap_or(name.len())].trim_ascii_end();
        if at < over || at.checked_sub(1).is_some_and(|before| text[before] != b'\n') || !wanted(name) {
            continue;
        }
        let mut stanza = Stanza::default();
        over += last_blank(&text[over..at]);
        for line in text[over..].split_inclusive(|&byte| byte == b'\n') {
            over += line.len();
            if over > at && line.trim_ascii().is_empty() {
                break;
            }
            stanza.note(line);
        }
        each(stanza);
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn stanzas(text: &[u8], piece: usize, wanted: impl Fn(&[u8]) -> bool) -> Answer<Vec<(String, String)>> {
        let mut found = Vec::new();
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut reader = BufReader::with_capacity(piece, text);
        each_of(&mut reader, "/x", &wanted, &mut |stanza| {
            found.push((text_of(&stanza.package), text_of(&stanza.version)))
        })?;
        Ok(found)
    }

    #[test]
    fn where_the_pieces_of_a_file_end_makes_no_difference() {
        let text = b"\n\nVersion: 1 2\nDescription: x\n Package: no\n .\nX-Package: no\nPackage: a\r\n\r\n \t\nVersion: 7\n\nPackage: b\nVersion: 3\n\nPackage: c\nVersion: 4";
        let wanted =
            [("a", "1 2"), ("b", "3"), ("c", "4")].map(|(name, version)| (name.to_owned(), version.to_owned()));
        for piece in 1..text.len() + 2 {
            assert_eq!(stanzas(text, piece, |_| true).unwrap(), wanted, "{piece}");
            assert_eq!(stanzas(text, piece, |name| name == b"b").unwrap(), wanted[1..2], "{piece}");
        }
    }

    #[test]
    fn a_stanza_without_end_is_refused() {
        let mut text = b"Package: x\nDescription: ".to_vec();
        text.resize(2 * STANZA_CAP, b'x');
        assert!(stanzas(&text, 8 << 10, |_| true).is_err());
    }
}
