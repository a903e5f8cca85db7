//! The hashes of a proof as they travel: one text, base64 of one after the other.

use std::borrow::Cow;

use data_encoding::BASE64;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::proof::LONGEST;
use crate::digest::Digest;

/// Hashes of a proof: at most one for each level and two more, as consistency needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes(pub Vec<Digest>);

impl Serialize for Hashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|hash| hash.0).collect();
        serializer.serialize_str(&BASE64.encode(&bytes))
    }
}

impl<'de> Deserialize<'de> for Hashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| D::Error::custom("hashes are base64"))?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() > LONGEST + 2 {
            return Err(D::Error::custom("a proof is of whole hashes, and not of more than a tree has levels"));
        }
        Ok(Self(hashes.iter().copied().map(Digest).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_pinned_and_bounded() {
        let hashes = Hashes(vec![Digest([0; 32]), Digest([255; 32])]);
        let pinned =
            concat!("\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD/", "/////////////////////////////////////////w==\"");
        assert_eq!(serde_json::to_string(&hashes).unwrap(), pinned);
        assert_eq!(serde_json::from_str::<Hashes>(pinned).unwrap(), hashes);
        assert_eq!(serde_json::to_string(&Hashes::default()).unwrap(), "\"\"");
        let long = serde_json::to_string(&Hashes(vec![Digest::ZERO; LONGEST + 3])).unwrap();
        for bad in [long.as_str(), "\"AAAA\"", "\"A\"", "7"] {
            assert!(serde_json::from_str::<Hashes>(bad).is_err(), "{bad}");
        }
    }
}
