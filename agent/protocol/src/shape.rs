//! Limits on the shape of a section's JSON (length, depth, lists, strings), checked in one pass that allocates no value
//! tree.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits;

/// Which limit is exceeded.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// Longer than [`limits::SECTION`].
    #[error("its text has {0} bytes, allowed are {max}", max = limits::SECTION)]
    TooLong(usize),
    /// Too deep, a list or a string too long, or not JSON; the message says which and where.
    #[error("{0}")]
    OutOfBounds(serde_json::Error),
}

/// Checks a section's JSON text.
///
/// # Errors
/// When it exceeds the [`limits`].
pub fn check(text: &str) -> Result<(), ShapeError> {
    if text.len() > limits::SECTION {
        return Err(ShapeError::TooLong(text.len()));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Bounded { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(ShapeError::OutOfBounds)
}

#[derive(Clone, Copy)]
struct Bounded {
    depth: usize,
}

impl Bounded {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == limits::DEPTH {
            return Err(E::custom(format_args!("nested deeper than {}", limits::DEPTH)));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON within the limits of the wire")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        // The byte count is an upper bound of the character count, so most strings need no counting.
        if text.len() > limits::STRING && text.chars().count() > limits::STRING {
            return Err(E::custom(format_args!("a string has more than {} characters", limits::STRING)));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        let mut count = 0;
        while items.next_element_seed(deeper)?.is_some() {
            count += 1;
            if count > limits::LIST {
                return Err(A::Error::custom(format_args!("a list has more than {} items", limits::LIST)));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        let mut count = 0;
        while entries.next_key_seed(deeper)?.is_some() {
            entries.next_value_seed(deeper)?;
            count += 1;
            if count > limits::LIST {
                return Err(A::Error::custom(format_args!("an object has more than {} fields", limits::LIST)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_to_the_item() {
        let list = |count| format!("[{}]", vec!["1"; count].join(","));
        let string = |count| format!("{{\"name\":\"{}\"}}", "ữ".repeat(count));
        let deep = |count| format!("{}{}", "[".repeat(count), "]".repeat(count));
        assert!(check(&list(limits::LIST)).is_ok());
        assert!(check(&list(limits::LIST + 1)).is_err());
        assert!(check(&string(limits::STRING)).is_ok());
        assert!(check(&string(limits::STRING + 1)).is_err());
        assert!(check(&deep(limits::DEPTH)).is_ok());
        assert!(check(&deep(limits::DEPTH + 1)).is_err());
        assert!(matches!(check(&" ".repeat(limits::SECTION + 1)), Err(ShapeError::TooLong(_))));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{}x", "{\"a\":}", "nul"] {
            assert!(check(text).is_err(), "{text}");
        }
        assert!(check(r#"{"a":[true,null,-1,1.5,18446744073709551615,"x",{}]}"#).is_ok());
    }
}
