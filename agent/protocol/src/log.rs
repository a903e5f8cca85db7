//! The evidence log as anyone can check it: one Merkle tree (RFC 6962) over all that the server accepted, its signed checkpoints
//! (C2SP tlog-checkpoint, signed-note), what witnesses add to them (cosignature/v1) and proofs in a file (tlog-proof). Pure: the server
//! brings the stored hashes.

pub mod appended;
pub mod checkpoint;
pub mod continuation;
pub mod cosignature;
pub mod frontier;
pub mod hashes;
pub mod key;
pub mod leaf;
pub mod note;
pub mod proof;
pub mod proof_file;
pub mod tree;

pub use appended::Appended;
pub use checkpoint::{Checkpoint, Origin};
pub use continuation::{Contradiction, LogAnswer, LogRequest, Opening};
pub use frontier::Frontier;
pub use hashes::Hashes;
pub use key::NoteKey;
pub use note::Note;
pub use tree::Node;
