//! The receipts of the last reports: the server's proof of what it received. One JSON text per record; kept so that a later deletion on the
//! server can be proven.

use protocol::header::Position;
use protocol::limits::RECEIPTS_KEPT;
use protocol::log::continuation::checkpoint_read;
use protocol::{LoggedReceipt, SignedReceipt};
use serde::{Deserialize, Serialize};

use crate::state::records::{self, AppendError, Records};
use crate::state::{StateError, StateFolder};

/// The receipts' file.
pub(crate) const FILE: &str = "receipts";
/// The most bytes of one receipt.
pub(crate) const LONGEST: usize = 4096;
/// More than twice [`RECEIPTS_KEPT`] receipts of about 2 kB each, so that the file is rarely rewritten.
pub(crate) const CAP: u64 = 5 * 1024 * 1024;

/// A receipt of either form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Kept {
    /// The first form.
    Signed(SignedReceipt),
    /// The second form.
    Logged(Logged),
}

/// A receipt of the second form with all that it takes to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logged {
    /// The report's place in the machine's chain.
    pub(crate) position: Position,
    /// Where it stands in the log, and why.
    pub(crate) proof: LoggedReceipt,
    /// The checkpoint, as signed.
    pub(crate) checkpoint: String,
}

impl Kept {
    /// The report of `machine` that it proves, if it does; `point` is the receipt key of `server`.
    pub(crate) fn opened(&self, machine: &str, server: &str, point: &[u8]) -> Option<Position> {
        match self {
            Self::Signed(signed) => {
                signed.open(point).ok().filter(|receipt| receipt.machine == machine).map(|receipt| receipt.position)
            }
            Self::Logged(Logged { position, proof, checkpoint }) => {
                let checkpoint = checkpoint_read(checkpoint, server, point).ok()?;
                proof.verify(machine, position, &checkpoint).ok().map(|()| *position)
            }
        }
    }
}

/// The kept receipts.
#[derive(Debug)]
pub(crate) struct Receipts {
    records: Records,
}

impl Receipts {
    /// Opens the file.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(state: &StateFolder) -> Result<Self, StateError> {
        state.way_clear(FILE)?;
        let path = state.file(FILE);
        let (records, recovered) =
            Records::open(&path, CAP, LONGEST).map_err(|source| StateError::Io { doing: "open", path, source })?;
        if recovered.cut > 0 {
            tracing::warn!(bytes = recovered.cut, "the end of the receipts was damaged and is cut off");
        }
        let mut receipts = Self { records };
        receipts.trim().map_err(|source| StateError::Io { doing: "read", path: state.file(FILE), source })?;
        Ok(receipts)
    }

    /// Position of the newest report of `machine` that has a receipt of `server`, whose receipt key is `point`.
    pub(crate) fn newest(&self, machine: &str, server: &str, point: &[u8]) -> Option<Position> {
        self.all().ok()?.iter().rev().find_map(|kept| kept.opened(machine, server, point))
    }

    fn trim(&mut self) -> std::io::Result<()> {
        self.records.take(self.records.count().saturating_sub(RECEIPTS_KEPT as u64))
    }

    /// Stores one receipt and drops the oldest beyond [`RECEIPTS_KEPT`].
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn keep(&mut self, receipt: &Kept) -> Result<(), AppendError> {
        let text = serde_json::to_vec(receipt).map_err(std::io::Error::from)?;
        self.records.append(&text)?;
        Ok(self.trim()?)
    }

    /// Drops every receipt: the machine was enrolled again.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn clear(&mut self) -> std::io::Result<()> {
        self.records.clear()
    }

    /// The kept receipts, oldest first.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn all(&self) -> std::io::Result<Vec<Kept>> {
        let records = self.records.first(RECEIPTS_KEPT, usize::MAX)?;
        Ok(records.iter().filter_map(|record| serde_json::from_slice(record).ok()).collect())
    }
}

/// The receipts in the file at `path`, oldest first, also while the agent that writes it runs.
///
/// # Errors
/// When the system refuses.
pub(crate) fn read(path: &std::path::Path) -> std::io::Result<Vec<Kept>> {
    let all = records::read(path, LONGEST, CAP)?;
    let last = all.len().saturating_sub(RECEIPTS_KEPT);
    Ok(all[last..].iter().filter_map(|record| serde_json::from_slice(record).ok()).collect())
}

#[cfg(test)]
mod tests {
    use protocol::Digest;
    use protocol::log::Hashes;

    use super::*;
    use crate::state::Missing;

    #[test]
    fn only_the_last_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let mut receipts = Receipts::open(&state).unwrap();
        // Both forms side by side: the second is as long as in a log of 2^30 leaves.
        let receipt = |number: usize| match number % 2 {
            0 => Kept::Signed(SignedReceipt { receipt: number.to_string(), signature: "x".repeat(400) }),
            _ => Kept::Logged(Logged {
                position: Position { segment: 1, number: number as u64, hash: Digest::ZERO },
                proof: LoggedReceipt { index: 1 << 30, received_at: 1, proof: Hashes(vec![Digest::ZERO; 31]) },
                checkpoint: "x".repeat(400),
            }),
        };
        for number in 0..RECEIPTS_KEPT + 5 {
            receipts.keep(&receipt(number)).unwrap();
        }
        let all = receipts.all().unwrap();
        assert_eq!((all.len(), &all[0]), (RECEIPTS_KEPT, &receipt(5)));
        assert_eq!(read(&state.file(FILE)).unwrap(), all, "without the lock");
        assert_eq!(Receipts::open(&state).unwrap().all().unwrap(), all);
        receipts.clear().unwrap();
        assert!(receipts.all().unwrap().is_empty());
    }
}
