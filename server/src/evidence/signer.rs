//! Who signs the evidence log's checkpoints: the server, with the receipt key that its agents have pinned.

use std::sync::Arc;

use protocol::log::checkpoint::BadCheckpoint;
use protocol::log::key::BadKey;
use protocol::log::note::Signature;
use protocol::log::{Checkpoint, Frontier, Note, NoteKey, Origin};
use protocol::sign::SigningKey;

/// The server's name and key.
#[derive(Clone, Debug)]
pub struct Signer {
    server: String,
    key: Arc<SigningKey>,
}

/// A checkpoint that this server signed and somebody kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// As signed, without others' signatures.
    pub note: String,
}

impl Signer {
    /// Signs for the server with this id.
    pub fn new(server: &str, key: Arc<SigningKey>) -> Self {
        Self { server: server.to_owned(), key }
    }

    /// The name of this server's log in an epoch.
    pub fn origin(&self, epoch: u64) -> Origin {
        Origin { server: self.server.clone(), epoch }
    }

    /// The uncompressed point of the public key.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    /// The key that verifies the checkpoints of an epoch.
    ///
    /// # Errors
    /// The server's id cannot be in the name of a key.
    pub fn note_key(&self, epoch: u64) -> Result<NoteKey, BadKey> {
        self.origin(epoch).key(self.public_key())
    }

    /// Signs the checkpoint of the log that ends at `frontier`.
    ///
    /// # Errors
    /// The server's id cannot be in the name of a key, or the system gives no random bytes.
    pub fn sign(&self, epoch: u64, frontier: &Frontier) -> Result<Note, BadCheckpoint> {
        Checkpoint { origin: self.origin(epoch), size: frontier.size(), root: frontier.root() }.sign(&self.key)
    }

    /// This server's own line among the signatures of a note.
    pub fn line<'note>(&self, note: &'note Note, epoch: u64) -> Option<&'note Signature> {
        self.note_key(epoch).ok()?.verify(note).ok()
    }

    /// Reads a checkpoint that this server signed, of any epoch.
    ///
    /// # Errors
    /// It is none, of another server, or not signed with this key.
    pub fn verify(&self, note: &Note) -> Result<Checkpoint, BadCheckpoint> {
        let checkpoint = Checkpoint::verify(note, self.public_key())?;
        if checkpoint.origin.server == self.server { Ok(checkpoint) } else { Err(BadCheckpoint::Origin) }
    }

    /// Reads what somebody shows as a checkpoint of this server; `None` when it is none.
    pub fn kept(&self, text: &str) -> Option<Kept> {
        let mut note: Note = text.parse().ok()?;
        let checkpoint = self.verify(&note).ok()?;
        let own = self.note_key(checkpoint.origin.epoch).ok()?.verify(&note).ok()?.clone();
        note.signatures = vec![own];
        Some(Kept { checkpoint, note: note.to_string() })
    }
}
