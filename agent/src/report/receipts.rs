//! The receipts of the last reports: the server's signed proof of what it received. One JSON text per record; kept so
//! that a later deletion on the server can be proven.

use protocol::SignedReceipt;
use protocol::header::Position;
use protocol::limits::RECEIPTS_KEPT;

use crate::state::records::{AppendError, Records};
use crate::state::{StateError, StateFolder};

/// The receipts' file.
const FILE: &str = "receipts";
/// The most bytes of one receipt.
const LONGEST: usize = 4096;
/// More than twice [`RECEIPTS_KEPT`] receipts of about 500 bytes, so that the file is rarely rewritten.
const CAP: u64 = 2 * 1024 * 1024;

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

    /// Position of the newest report of `machine` that has a receipt signed by the key `point`.
    pub(crate) fn newest(&self, machine: &str, point: &[u8]) -> Option<Position> {
        let all = self.all().ok()?;
        let own = |signed: &SignedReceipt| signed.open(point).ok().filter(|receipt| receipt.machine == machine);
        all.iter().rev().find_map(own).map(|receipt| receipt.position)
    }

    fn trim(&mut self) -> std::io::Result<()> {
        self.records.take(self.records.count().saturating_sub(RECEIPTS_KEPT as u64))
    }

    /// Stores one receipt and drops the oldest beyond [`RECEIPTS_KEPT`].
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn keep(&mut self, receipt: &SignedReceipt) -> Result<(), AppendError> {
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
    pub(crate) fn all(&self) -> std::io::Result<Vec<SignedReceipt>> {
        let records = self.records.first(RECEIPTS_KEPT, usize::MAX)?;
        Ok(records.iter().filter_map(|record| serde_json::from_slice(record).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Missing;

    #[test]
    fn only_the_last_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let mut receipts = Receipts::open(&state).unwrap();
        let receipt = |number: usize| SignedReceipt { receipt: number.to_string(), signature: "x".repeat(400) };
        for number in 0..RECEIPTS_KEPT + 5 {
            receipts.keep(&receipt(number)).unwrap();
        }
        let all = receipts.all().unwrap();
        assert_eq!((all.len(), &all[0]), (RECEIPTS_KEPT, &receipt(5)));
        assert_eq!(Receipts::open(&state).unwrap().all().unwrap(), all);
        receipts.clear().unwrap();
        assert!(receipts.all().unwrap().is_empty());
    }
}
