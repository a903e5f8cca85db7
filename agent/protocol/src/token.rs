//! Enrolment tokens (mã đăng ký máy): 128 random bits that a person can read out and type.
//!
//! Written in Crockford's base 32 (no I, L, O, U) in groups of five; reading ignores case, spaces and dashes and accepts letters that look
//! like digits.

use data_encoding::{Encoding, Specification};

use crate::digest::Digest;

/// A token: 128 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 16]);

/// The text is not a token.
#[derive(Debug, thiserror::Error)]
#[error("not a token: 26 letters and digits are expected, in groups of five")]
pub struct NotAToken;

impl Token {
    /// Makes a token from random bits.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Parses a token as typed by a person.
    ///
    /// # Errors
    /// When it is not 26 characters of the alphabet.
    pub fn read(text: &str) -> Result<Self, NotAToken> {
        let text: String = text
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '-')
            .map(|character| match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect();
        let bytes = alphabet().decode(text.as_bytes()).map_err(|_| NotAToken)?;
        Ok(Self(bytes.try_into().map_err(|_| NotAToken)?))
    }

    /// The token as text, to show to a person once.
    pub fn reveal(&self) -> String {
        let text = alphabet().encode(&self.0);
        let groups: Vec<&str> = (0..text.len()).step_by(5).map(|at| &text[at..text.len().min(at + 5)]).collect();
        groups.join("-")
    }

    /// What a server stores. A plain hash is enough, because nobody can try 2^128 tokens.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[b"tram-an/token/1\n", &self.0])
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

fn alphabet() -> &'static Encoding {
    static ALPHABET: std::sync::LazyLock<Encoding> = std::sync::LazyLock::new(|| {
        let mut specification = Specification::new();
        specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
        // A constant specification: it is valid, as all tests of this file show.
        specification.encoding().unwrap_or(data_encoding::BASE32_NOPAD)
    });
    &ALPHABET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_person_types() {
        let token = Token::new(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
        assert_eq!(token.reveal(), "000G4-0R40M-30E20-9185G-R38E1-W");
        for typed in ["000G4-0R40M-30E20-9185G-R38E1-W", " ooog4 or4om 3oe2o 9i85g r38el w\n"] {
            assert_eq!(Token::read(typed).unwrap(), token, "{typed}");
        }
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "000G4", "000G4-0R40M-30E20-9185G-R38E1-WW", "U00G4-0R40M-30E20-9185G-R38E1-W", "ữ"] {
            assert!(Token::read(text).is_err(), "{text}");
        }
    }
}
