//! Checkpoints (C2SP tlog-checkpoint): what a log says it holds, on three lines, signed by its server.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use super::key::{BadKey, NotSigned, NoteKey};
use super::note::{BadNote, Note, is_key_name};
use crate::digest::Digest;
use crate::sign::{Purpose, SigningKey};

/// Characters of an origin at most.
const ORIGIN: usize = 200;

/// Which log: `tram-an/log/1/SERVER/EPOCH`. The same server begins another epoch where it cannot continue the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The server's id.
    pub server: String,
    /// Rises.
    pub epoch: u64,
}

/// The number of leaves and the root of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: Origin,
    /// Its leaves; below 2^63.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
}

/// A note that is not a checkpoint of such a log, or not signed by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// Not even a note.
    #[error("not a signed note: {0}")]
    Note(#[from] BadNote),
    /// Not three lines.
    #[error("a checkpoint has three lines: origin, size and root")]
    Lines,
    /// The first line.
    #[error("the origin is not tram-an/log/1/SERVER/EPOCH")]
    Origin,
    /// The second line.
    #[error("the size is not a number of leaves")]
    Size,
    /// The third line.
    #[error("the root is not 32 bytes in base64")]
    Root,
    /// Not by the log.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// The server's id or public key cannot make a note's key.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The private key gave no signature.
    #[error(transparent)]
    Signing(#[from] crate::sign::BadKey),
}

/// What every origin begins with: a signature over a note's text is one for [`Purpose::Log`].
fn prefix() -> &'static str {
    std::str::from_utf8(Purpose::Log.prefix()).unwrap_or_default()
}

/// A decimal number below 2^63, without sign and leading zeros.
pub(super) fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse::<i64>().ok().filter(|_| plain).and_then(|number| number.try_into().ok())
}

impl Origin {
    /// The key that verifies this log's checkpoints, by its uncompressed point.
    ///
    /// # Errors
    /// The point is not one, or the server's id cannot be in the name of a key.
    pub fn key(&self, point: &[u8]) -> Result<NoteKey, BadKey> {
        NoteKey::log(&self.to_string(), point)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", prefix(), self.server, self.epoch)
    }
}

impl FromStr for Origin {
    type Err = BadCheckpoint;

    fn from_str(text: &str) -> Result<Self, BadCheckpoint> {
        let rest = text.strip_prefix(prefix()).filter(|_| text.len() <= ORIGIN && is_key_name(text));
        let (server, epoch) = rest.and_then(|rest| rest.split_once('/')).ok_or(BadCheckpoint::Origin)?;
        let epoch = number(epoch).filter(|_| !server.is_empty()).ok_or(BadCheckpoint::Origin)?;
        Ok(Self { server: server.to_owned(), epoch })
    }
}

impl Checkpoint {
    /// Signs it with the server's receipt key.
    ///
    /// # Errors
    /// The server's id cannot be in the name of a key, or the system gives no random bytes.
    pub fn sign(&self, key: &SigningKey) -> Result<Note, BadCheckpoint> {
        let text = self.to_string();
        let signed = text.strip_prefix(prefix()).ok_or(BadCheckpoint::Origin)?;
        let signature = key.sign(Purpose::Log, signed.as_bytes())?;
        let line = self.origin.key(key.public_key())?.line(signature);
        Ok(Note { text, signatures: vec![line] })
    }

    /// Reads a note signed by the server whose receipt key has this uncompressed `point`, and ignores signatures of others.
    ///
    /// # Errors
    /// It is not a checkpoint, or not signed by that key.
    pub fn verify(note: &Note, point: &[u8]) -> Result<Self, BadCheckpoint> {
        let checkpoint: Self = note.text.parse()?;
        checkpoint.origin.key(point)?.verify(note)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(&self.root.0))
    }
}

impl FromStr for Checkpoint {
    type Err = BadCheckpoint;

    fn from_str(text: &str) -> Result<Self, BadCheckpoint> {
        let text = text.strip_suffix('\n').ok_or(BadCheckpoint::Lines)?;
        let lines: Vec<&str> = text.splitn(4, '\n').collect();
        let &[origin, size, root] = lines.as_slice() else { return Err(BadCheckpoint::Lines) };
        let root = BASE64.decode(root.as_bytes()).ok().and_then(|root| root.try_into().ok());
        Ok(Self {
            origin: origin.parse()?,
            size: number(size).ok_or(BadCheckpoint::Size)?,
            root: Digest(root.ok_or(BadCheckpoint::Root)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let origin = Origin { server: "0193a1b2-0000-7000-8000-000000000000".to_owned(), epoch: 1 };
        Checkpoint { origin, size: 20_852_163, root: Digest::of(b"root") }
    }

    #[test]
    fn the_exact_text_is_pinned() {
        let pinned = "tram-an/log/1/0193a1b2-0000-7000-8000-000000000000/1\n20852163\n\
                      SBPUlNHJ5heb+LpvLXM9jdvsZUJHZAXbOk29v0EXJ5Y=\n";
        let checkpoint = checkpoint();
        assert_eq!(pinned.parse::<Checkpoint>().unwrap().to_string(), pinned);
        assert_eq!(
            checkpoint.to_string().lines().take(2).collect::<Vec<_>>(),
            pinned.lines().take(2).collect::<Vec<_>>()
        );
    }

    #[test]
    fn only_the_servers_own_signature_counts() {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let other = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let note = checkpoint().sign(&key).unwrap();
        let mut note: Note = note.to_string().parse().unwrap();
        assert_eq!(Checkpoint::verify(&note, key.public_key()), Ok(checkpoint()));
        let told = |note: &Note, key: &SigningKey| Checkpoint::verify(note, key.public_key()).unwrap_err().to_string();
        assert!(told(&note, &other).starts_with("there is no signature by tram-an/log/1/"));
        note.text = note.text.replace("20852163", "20852164");
        assert!(told(&note, &key).starts_with("the signature by tram-an/log/1/"));
        // The whole text is signed, as other programs do, though the prefix is that of a purpose.
        let whole = checkpoint().sign(&key).unwrap();
        let public =
            ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_ASN1, key.public_key());
        public.verify(whole.text.as_bytes(), &whole.signatures[0].bytes).unwrap();
        let spaced = Checkpoint { origin: Origin { server: "a b".to_owned(), epoch: 1 }, ..checkpoint() };
        assert!(spaced.sign(&key).is_err());
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_in_words() {
        let root = BASE64.encode(&[0; 32]);
        let told = |text: String| text.parse::<Checkpoint>().unwrap_err().to_string();
        for text in
            [String::new(), "tram-an/log/1/s/1\n1\n".to_owned(), format!("tram-an/log/1/s/1\n1\n{root}\nmore\n")]
        {
            assert!(told(text.clone()).contains("three lines"), "{text:?}");
        }
        for origin in [
            "example.com/log",
            "tram-an/log/1/s",
            "tram-an/log/1//1",
            "tram-an/log/1/s/01",
            "tram-an/log/1/s/1/2",
            "tram-an/log/1/s /1",
        ] {
            assert!(told(format!("{origin}\n1\n{root}\n")).starts_with("the origin"), "{origin}");
        }
        for size in ["", "01", "+1", "-1", "1 ", "9223372036854775808", "x"] {
            assert!(told(format!("tram-an/log/1/s/1\n{size}\n{root}\n")).starts_with("the size"), "{size}");
        }
        for root in ["", "AAAA", &root.to_lowercase()[1..], &root.replace("A=", "B=")] {
            assert!(told(format!("tram-an/log/1/s/1\n1\n{root}\n")).starts_with("the root"), "{root}");
        }
    }
}
