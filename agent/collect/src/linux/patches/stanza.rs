//! The stanzas of dpkg's and apt's files, of which a few fields matter here. Lists are long: bytes are compared, nothing is copied
//! but those fields.

use std::io::BufRead;

use os::{Answer, failed};

/// The most bytes of one line.
const LINE_CAP: usize = 1 << 20;

/// The fields of one stanza that matter here.
#[derive(Clone, Debug, Default)]
pub(super) struct Stanza {
    pub(super) package: Vec<u8>,
    pub(super) version: Vec<u8>,
    pub(super) architecture: Vec<u8>,
    /// What is wanted, a flag, and the state.
    pub(super) status: Vec<u8>,
}

impl Stanza {
    /// Empties it and keeps its room for the next.
    fn clear(&mut self) {
        for field in [&mut self.package, &mut self.version, &mut self.architecture, &mut self.status] {
            field.clear();
        }
    }

    /// Takes the field of one line, if it is one of these.
    fn note(&mut self, text: &[u8]) {
        let place = match text {
            [b'P', rest @ ..] if rest.starts_with(b"ackage: ") => &mut self.package,
            [b'V', rest @ ..] if rest.starts_with(b"ersion: ") => &mut self.version,
            [b'A', rest @ ..] if rest.starts_with(b"rchitecture: ") => &mut self.architecture,
            [b'S', rest @ ..] if rest.starts_with(b"tatus: ") => &mut self.status,
            _ => return,
        };
        let value = text.iter().position(|&byte| byte == b' ').map_or(text.len(), |position| position + 1);
        place.clear();
        place.extend_from_slice(&text[value..]);
    }
}

/// Calls `each` for every stanza of the file at `path`; an input that ends inside one ends the stanza.
pub(super) fn each_of(mut reader: impl BufRead, path: &str, mut each: impl FnMut(&mut Stanza)) -> Answer<()> {
    let mut stanza = Stanza::default();
    // The beginning of a line that goes on in the next piece of the file.
    let mut begun = Vec::new();
    loop {
        let piece = reader.fill_buf().map_err(|error| failed(path, &error))?;
        let over = piece.is_empty();
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = if begun.is_empty() { &rest[..end] } else { joined(&mut begun, &rest[..end]) };
            take(line, &mut stanza, &mut each);
            begun.clear();
            rest = &rest[end + 1..];
        }
        joined(&mut begun, rest);
        let read = piece.len();
        reader.consume(read);
        if over {
            take(&begun, &mut stanza, &mut each);
            take(b"", &mut stanza, &mut each);
            return Ok(());
        }
    }
}

/// Adds `more` to the line that was begun, up to the most bytes of one.
fn joined<'a>(begun: &'a mut Vec<u8>, more: &[u8]) -> &'a [u8] {
    let room = LINE_CAP.saturating_sub(begun.len()).min(more.len());
    begun.extend_from_slice(&more[..room]);
    begun
}

fn take(line: &[u8], stanza: &mut Stanza, each: &mut impl FnMut(&mut Stanza)) {
    // Most lines are of no interest, and the end of a line costs more to find than its first letter.
    match line.first() {
        Some(b'P' | b'V' | b'A' | b'S') => stanza.note(line.trim_ascii_end()),
        Some(first) if !first.is_ascii_whitespace() => {}
        _ if line.trim_ascii_end().is_empty() => {
            if !stanza.package.is_empty() {
                each(stanza);
            }
            stanza.clear();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn stanzas(text: &[u8], piece: usize) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let reader = BufReader::with_capacity(piece, text);
        each_of(reader, "/x", |stanza| found.push((text_of(&stanza.package), text_of(&stanza.version)))).unwrap();
        found
    }

    #[test]
    fn where_the_pieces_of_a_file_end_makes_no_difference() {
        let text = b"\n\nPackage: a\nDescription: x\n Package: no\n .\nVersion: 1 2\r\n\r\n \t\nVersion: 7\n\nPackage: b\nVersion: 3";
        for piece in 1..text.len() + 2 {
            let wanted = [("a".to_owned(), "1 2".to_owned()), ("b".to_owned(), "3".to_owned())];
            assert_eq!(stanzas(text, piece), wanted, "{piece}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut text = b"Package: ".to_vec();
        text.resize(2 * LINE_CAP, b'x');
        text.extend_from_slice(b"\nVersion: 1\n");
        let found = stanzas(&text, 8 << 10);
        assert_eq!((found[0].0.len(), found[0].1.as_str()), (LINE_CAP - "Package: ".len(), "1"));
    }
}
