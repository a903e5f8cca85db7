//! What a witness adds to a checkpoint (C2SP cosignature/v1, Ed25519): that at a time it knew no longer version of this log, and that
//! this one continues all it had seen before.

use super::note::Signature;

/// Bytes of an Ed25519 signature.
const SIGNATURE: usize = 64;

/// The bytes a witness signs at `time` (seconds since 1970) for the text of a checkpoint.
pub fn message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// The time (seconds since 1970) and the Ed25519 signature in a signature line's bytes.
pub(super) fn split(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = bytes.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    (signature.len() == SIGNATURE && i64::try_from(time).is_ok()).then_some((time, signature))
}

/// When a witness cosigned, in seconds since 1970; `None` when the line is not a cosignature.
pub fn time(signature: &Signature) -> Option<u64> {
    split(&signature.bytes).map(|(time, _)| time)
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;
    use crate::log::key::NotSigned;
    use crate::log::{Note, NoteKey};

    const TEXT: &str = "tram-an/log/1/s/1\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

    fn cosigned(time: u64, pair: &Ed25519KeyPair, key: &NoteKey) -> Note {
        let signed = pair.sign(message(time, TEXT).as_bytes());
        let line = key.line([&time.to_be_bytes(), signed.as_ref()].concat());
        Note { text: TEXT.to_owned(), signatures: vec![line] }
    }

    #[test]
    fn a_cosignature_holds_for_its_text_time_and_key() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let key = NoteKey::witness("police.example/w1", pair.public_key().as_ref().try_into().unwrap()).unwrap();
        let note = cosigned(1_796_000_000, &pair, &key);
        let note: Note = note.to_string().parse().unwrap();
        assert_eq!(time(key.verify(&note).unwrap()), Some(1_796_000_000));

        let mut earlier = note.clone();
        earlier.signatures[0].bytes[7] ^= 1;
        let wrong = Err(NotSigned::Wrong(key.name().to_owned()));
        assert_eq!(key.verify(&earlier).map(drop), wrong.clone());
        let longer = Note { text: note.text.replace("\n0\n", "\n1\n"), ..note.clone() };
        assert_eq!(key.verify(&longer).map(drop), wrong.clone());
        let mut cut = note.clone();
        cut.signatures[0].bytes.pop();
        assert_eq!((key.verify(&cut).map(drop), time(&cut.signatures[0])), (wrong.clone(), None));
        assert_eq!(key.verify(&cosigned(u64::MAX, &pair, &key)).map(drop), wrong, "a time beyond 2^63");
        let other = NoteKey::witness("police.example/w2", [2; 32]).unwrap();
        assert_eq!(other.verify(&note).map(drop), Err(NotSigned::Absent("police.example/w2".to_owned())));
    }
}
