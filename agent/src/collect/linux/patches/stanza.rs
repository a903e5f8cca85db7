//! The stanzas of dpkg's and apt's files, of which a few fields matter here. Lists are long: bytes are compared, nothing is copied
//! but those fields.

use std::io::{BufRead, Read};

use crate::os::{Answer, failed};

/// The most bytes of one line.
const LINE_CAP: u64 = 1 << 20;

/// The fields of one stanza that matter here.
#[derive(Clone, Debug, Default)]
pub(super) struct Stanza {
    pub(super) package: Vec<u8>,
    pub(super) version: Vec<u8>,
    pub(super) architecture: Vec<u8>,
    /// What is wanted, a flag, and the state.
    pub(super) status: Vec<u8>,
}

/// Calls `each` for every stanza of the file at `path`; an input that ends inside one ends the stanza.
pub(super) fn each_of(mut reader: impl BufRead, path: &str, mut each: impl FnMut(&mut Stanza)) -> Answer<()> {
    let mut stanza = Stanza::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_CAP).read_until(b'\n', &mut line).map_err(|error| failed(path, &error))?;
        let text = line.trim_ascii_end();
        if text.is_empty() {
            if !stanza.package.is_empty() {
                each(&mut stanza);
            }
            stanza = Stanza::default();
            if read == 0 {
                return Ok(());
            }
            continue;
        }
        let place = match text {
            [b'P', rest @ ..] if rest.starts_with(b"ackage: ") => &mut stanza.package,
            [b'V', rest @ ..] if rest.starts_with(b"ersion: ") => &mut stanza.version,
            [b'A', rest @ ..] if rest.starts_with(b"rchitecture: ") => &mut stanza.architecture,
            [b'S', rest @ ..] if rest.starts_with(b"tatus: ") => &mut stanza.status,
            _ => continue,
        };
        let value = text.iter().position(|&byte| byte == b' ').map_or(text.len(), |position| position + 1);
        place.clear();
        place.extend_from_slice(&text[value..]);
    }
}
