//! Asking a server to show that its log continues a checkpoint that somebody kept, and judging what it answers.

use policies::text::Text;
use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::hashes::Hashes;
use super::leaf;
use super::note::Note;
use super::proof::{consistency_verify, inclusion_verify};
use super::tree::leaf_hash;

/// The question. A server whose log is shorter than the checkpoint says was put back, and begins another epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRequest {
    /// The kept checkpoint, as signed.
    pub checkpoint: String,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAnswer {
    /// The newest checkpoint, as signed.
    pub checkpoint: String,
    /// Proof that it continues the kept one; none when the epoch is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Hashes>,
    /// How the present epoch began, when the kept checkpoint is of an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Opening>,
    /// The server's clock.
    #[serde(default)]
    pub server_time_at: i64,
}

/// The first leaf of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The last checkpoint that was known, as signed: what the leaf says.
    pub before: String,
    /// Proof that the leaf is in the newest checkpoint.
    pub proof: Hashes,
}

/// Two things that a server said of its log and that cannot both be true, or that it does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// The checkpoint cannot be read, or is not signed by this server.
    Unsigned,
    /// The leaf is not proved to be in the log.
    Leaf,
    /// The log is smaller than it was, in the same epoch, or of an earlier epoch.
    Smaller,
    /// Two roots for one epoch and size.
    Roots,
    /// The log is not proved to continue what it was.
    Proof,
    /// A kind of a later version.
    #[serde(other)]
    Unknown,
}

impl Contradiction {
    /// The phrase for people.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::Unsigned => ("mốc không do máy chủ này ký", "the checkpoint is not signed by this server"),
            Self::Leaf => {
                ("báo cáo không được chứng minh là có trong nhật ký", "a report is not proved to be in the log")
            }
            Self::Smaller => ("nhật ký ngắn hơn trước", "the log is shorter than it was"),
            Self::Roots => ("hai mã băm gốc cho cùng một kỳ và số mục", "two roots for one epoch and size"),
            Self::Proof => ("nhật ký không tiếp nối mốc đã giữ", "the log does not continue what it was"),
            Self::Unknown => ("lý do khác", "another reason"),
        };
        Text::new(vi, en)
    }
}

/// How a log goes on from a kept checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Continued {
    /// In the same epoch, up to this checkpoint.
    Same(Checkpoint),
    /// The server's store was put back: another epoch began.
    Restored {
        /// The newest checkpoint.
        newest: Checkpoint,
        /// The last one that was known when the epoch began.
        before: Checkpoint,
    },
}

/// Reads a checkpoint of `server`, signed with the receipt key of this uncompressed `point`.
///
/// # Errors
/// It is none.
pub fn checkpoint_read(note: &str, server: &str, point: &[u8]) -> Result<Checkpoint, Contradiction> {
    let read = note.parse::<Note>().ok().and_then(|note| Checkpoint::verify(&note, point).ok());
    read.filter(|checkpoint| checkpoint.origin.server == server).ok_or(Contradiction::Unsigned)
}

impl Checkpoint {
    /// Whether one log can have had this checkpoint and later `newer`, as far as that shows without a proof.
    ///
    /// # Errors
    /// It cannot.
    pub fn precedes(&self, newer: &Self) -> Result<(), Contradiction> {
        let place = |checkpoint: &Self| (checkpoint.origin.epoch, checkpoint.size);
        if place(newer) < place(self) {
            Err(Contradiction::Smaller)
        } else if place(newer) == place(self) && newer.root != self.root {
            Err(Contradiction::Roots)
        } else {
            Ok(())
        }
    }
}

impl LogAnswer {
    /// Judges the answer of `server`, whose receipt key has this uncompressed `point`, to the question about `kept`.
    ///
    /// # Errors
    /// How the two contradict each other.
    pub fn judge(&self, kept: &Checkpoint, server: &str, point: &[u8]) -> Result<Continued, Contradiction> {
        let newest = checkpoint_read(&self.checkpoint, server, point)?;
        kept.precedes(&newest)?;
        if newest.origin.epoch == kept.origin.epoch {
            let Hashes(proof) = self.consistency.as_ref().ok_or(Contradiction::Proof)?;
            let proved = consistency_verify(kept.size, kept.root, newest.size, newest.root, proof);
            return proved.map(|()| Continued::Same(newest)).map_err(|_| Contradiction::Proof);
        }
        let Opening { before, proof } = self.opened.as_ref().ok_or(Contradiction::Proof)?;
        let first = leaf_hash(leaf::checkpoint(before).as_bytes());
        inclusion_verify(first, 0, newest.size, &proof.0, newest.root).map_err(|_| Contradiction::Leaf)?;
        let before = checkpoint_read(before, server, point)?;
        let is_same = (before.origin.epoch, before.size) == (kept.origin.epoch, kept.size);
        if before.origin.epoch >= newest.origin.epoch || (is_same && before.root != kept.root) {
            return Err(Contradiction::Roots);
        }
        Ok(Continued::Restored { newest, before })
    }
}

#[cfg(test)]
mod tests;
