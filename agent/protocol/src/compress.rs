//! The bodies of a report's sections: a JSON object of section texts, compressed with deflate (RFC 1951). Only this
//! module decompresses, so that it never happens without a cap.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::limits;
use crate::shape::{self, ShapeError};

/// Section name to the section's exact JSON text.
pub type Bodies = BTreeMap<String, Box<RawValue>>;

/// Why compressed bodies are refused.
#[derive(Debug, thiserror::Error)]
pub enum BodiesError {
    /// They decompress to more than [`limits::BODIES`].
    #[error("the bodies decompress to more than {max} bytes", max = limits::BODIES)]
    Bomb,
    /// They are not a deflate stream.
    #[error("the bodies are not a deflate stream: {0}")]
    NotDeflate(#[source] std::io::Error),
    /// They are not a JSON object.
    #[error("the bodies are not a JSON object: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A section is too long, too deep, or has a list or string that is too long.
    #[error("section {section}: {error}")]
    Shape {
        /// The section.
        section: String,
        /// Which limit it exceeds.
        error: ShapeError,
    },
}

/// Compresses any bytes, as bodies are compressed on the wire.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    deflate_at(Compression::new(6), bytes)
}

/// The same in 60 % of the time, by a tenth longer.
pub fn deflate_fast(bytes: &[u8]) -> Vec<u8> {
    deflate_at(Compression::fast(), bytes)
}

fn deflate_at(level: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(bytes.len() / 4), level);
    // Writing into memory fails only when memory runs out, which aborts the program anyway.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// Decompresses at most `most` bytes.
///
/// # Errors
/// [`BodiesError::Bomb`] when there are more, [`BodiesError::NotDeflate`] when the stream is damaged or cut off.
pub fn inflate(bytes: &[u8], most: usize) -> Result<Vec<u8>, BodiesError> {
    #[expect(clippy::disallowed_methods, reason = "this is the place that caps the size")]
    let decoder = flate2::read::DeflateDecoder::new(bytes);
    let mut text = Vec::new();
    decoder.take(most as u64 + 1).read_to_end(&mut text).map_err(BodiesError::NotDeflate)?;
    if text.len() > most { Err(BodiesError::Bomb) } else { Ok(text) }
}

/// Compresses section texts; empty when there are no sections.
///
/// # Errors
/// When a text is not JSON.
pub fn encode<'a>(sections: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<u8>, BodiesError> {
    let mut bodies = Bodies::new();
    for (name, text) in sections {
        bodies.insert(name.to_owned(), RawValue::from_string(text.to_owned())?);
    }
    if bodies.is_empty() {
        return Ok(Vec::new());
    }
    Ok(deflate(&serde_json::to_vec(&bodies)?))
}

/// Decompresses and parses section texts, within the limits of size and shape.
///
/// # Errors
/// See [`BodiesError`]; none of the bodies is usable then.
pub fn decode(bytes: &[u8]) -> Result<Bodies, BodiesError> {
    if bytes.is_empty() {
        return Ok(Bodies::new());
    }
    let bodies: Bodies = serde_json::from_slice(&inflate(bytes, limits::BODIES)?)?;
    for (section, body) in &bodies {
        shape::check(body.get()).map_err(|error| BodiesError::Shape { section: section.clone(), error })?;
    }
    Ok(bodies)
}

/// The digest of a section's text, as a header contains it.
pub fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn section_texts_survive_to_the_letter() {
        let text = r#"{"zone":{"known":"Asia/Ho_Chi_Minh"},  "note":"ữ"}"#;
        let bodies = decode(&encode([("time", text)]).unwrap()).unwrap();
        assert_eq!(bodies["time"].get(), text);
        assert!(decode(b"").unwrap().is_empty());
        assert!(encode([]).unwrap().is_empty());
    }

    #[test]
    fn a_bomb_is_stopped_at_the_cap() {
        let bomb = deflate(&vec![b' '; limits::BODIES * 20]);
        assert!(bomb.len() < limits::BODIES_COMPRESSED);
        assert!(matches!(decode(&bomb), Err(BodiesError::Bomb)));
    }

    #[test]
    fn damaged_streams_are_refused() {
        let whole = encode([("time", r#"{"zone":{"known":"UTC"}}"#)]).unwrap();
        assert!(matches!(decode(&whole[..whole.len() - 2]), Err(BodiesError::NotDeflate(_) | BodiesError::NotJson(_))));
        assert!(matches!(decode(&deflate(b"[]")), Err(BodiesError::NotJson(_))));
        assert!(matches!(decode(b"\xff\xff"), Err(BodiesError::NotDeflate(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            let _ = decode(&bytes);
            prop_assert_eq!(inflate(&deflate(&bytes), bytes.len()).unwrap(), bytes);
        }
    }
}
