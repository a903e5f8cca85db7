//! A proof that can be handed on and checked without a network (C2SP tlog-proof): what the leaf says, where it stands, the hashes up to
//! the root, and the signed checkpoint.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use super::checkpoint::{BadCheckpoint, Checkpoint};
use super::note::{BadNote, Note};
use super::proof::{self, BadProof, inclusion_verify};
use super::tree::leaf_hash;
use crate::digest::Digest;

/// The first line.
const FIRST: &str = "c2sp.org/tlog-proof@v1";
/// Bytes of a leaf's content at most.
const CONTENT: usize = 4096;

/// A leaf, and why it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// What was hashed as the leaf; the extra data of the format.
    pub content: Vec<u8>,
    /// The leaf's place, from 0.
    pub index: u64,
    /// From the leaf's sibling up.
    pub hashes: Vec<Digest>,
    /// The signed checkpoint, with any cosignatures.
    pub checkpoint: Note,
}

/// The file is not a proof, or shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProofFile {
    /// A line is missing or has another form.
    #[error("line {0} of the proof cannot be read")]
    Line(usize),
    /// What follows the empty line.
    #[error("the checkpoint of the proof: {0}")]
    Note(#[from] BadNote),
    /// Not a checkpoint, or not signed.
    #[error("the checkpoint of the proof: {0}")]
    Checkpoint(#[from] BadCheckpoint),
    /// The hashes.
    #[error(transparent)]
    Proof(#[from] BadProof),
}

impl ProofFile {
    /// Checks that the leaf is in the log whose server's receipt key has this uncompressed `point`, and returns the log's checkpoint.
    ///
    /// # Errors
    /// It is not.
    pub fn verify(&self, point: &[u8]) -> Result<Checkpoint, BadProofFile> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, point)?;
        inclusion_verify(leaf_hash(&self.content), self.index, checkpoint.size, &self.hashes, checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}\nextra {}\nindex {}", BASE64.encode(&self.content), self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(&hash.0)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for ProofFile {
    type Err = BadProofFile;

    fn from_str(text: &str) -> Result<Self, BadProofFile> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(BadProofFile::Line(1))?;
        let lines: Vec<&str> = head.splitn(proof::LONGEST + 4, '\n').collect();
        let [FIRST, extra, index, hashes @ ..] = lines.as_slice() else { return Err(BadProofFile::Line(1)) };
        let content = extra.strip_prefix("extra ").and_then(|extra| BASE64.decode(extra.as_bytes()).ok());
        let index = index.strip_prefix("index ").and_then(super::checkpoint::number);
        let hash = |(line, text): (usize, &&str)| {
            let bytes = BASE64.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
            bytes.map(Digest).ok_or(BadProofFile::Line(line + 4))
        };
        Ok(Self {
            content: content.filter(|content| content.len() <= CONTENT).ok_or(BadProofFile::Line(2))?,
            index: index.ok_or(BadProofFile::Line(3))?,
            hashes: hashes.iter().enumerate().map(hash).collect::<Result<_, _>>()?,
            checkpoint: checkpoint.parse()?,
        })
    }
}
