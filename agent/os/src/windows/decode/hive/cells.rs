//! The cells of a registry file: pieces of any size, each after its length. Nothing is believed that a file says of itself.

use std::collections::BTreeMap;

use crate::{Answer, OsError};

/// How much is read from the file at a time, in bytes.
const BLOCK: usize = 16 << 10;
/// How many blocks are kept.
const KEPT: usize = 64;
/// What may be taken out of one file in all, in bytes. A person with 500 programs has some 2 MB of them.
const BUDGET: usize = 8 << 20;
/// What a cell costs at least: so many small ones are no way around the budget.
const COST: usize = 64;
/// Where the first piece of cells begins; places are counted from here.
const CELLS: u64 = 4096;

/// A file that is read from any place.
pub(in crate::windows) trait Bytes {
    /// Reads from `at` until `buffer` is full or the file ends, and says how many bytes that were.
    ///
    /// # Errors
    /// When the file can be read no longer.
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Answer<usize>;
}

/// The cells of one opened file.
pub(super) struct Cells<'f> {
    file: &'f mut dyn Bytes,
    what: &'f str,
    blocks: BTreeMap<u64, Vec<u8>>,
    budget: usize,
}

impl<'f> Cells<'f> {
    /// The cells of `file`, which errors call `what`.
    pub(super) fn new(file: &'f mut dyn Bytes, what: &'f str) -> Self {
        Self { file, what, blocks: BTreeMap::new(), budget: BUDGET }
    }

    /// What the cell at `place` holds, at most `most` bytes of it.
    ///
    /// # Errors
    /// When there is none or the file cannot be read.
    pub(super) fn cell(&mut self, place: u32, most: usize) -> Answer<Vec<u8>> {
        let at = CELLS + u64::from(place);
        let size = self.bytes(at, 4)?;
        // Negative when it is in use.
        let size = self.number(&size, 0)?.cast_signed();
        let length = usize::try_from(size.unsigned_abs()).ok().and_then(|length| length.checked_sub(4));
        match length {
            Some(length) if size < 0 => self.bytes(at + 4, length.min(most)),
            _ => Err(self.damaged("a free cell is in use")),
        }
    }

    /// So many bytes of the file.
    ///
    /// # Errors
    /// When it ends before or cannot be read.
    pub(super) fn bytes(&mut self, at: u64, length: usize) -> Answer<Vec<u8>> {
        self.budget = match self.budget.checked_sub(length.max(COST)) {
            Some(left) => left,
            None => return Err(self.failed("holds too much")),
        };
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = at + bytes.len() as u64;
            let start = usize::try_from(at % BLOCK as u64).unwrap_or(BLOCK);
            let missing = length - bytes.len();
            let block = self.block(at / BLOCK as u64)?;
            let found = block.get(start..).unwrap_or_default();
            if found.is_empty() {
                return Err(self.damaged("it ends too early"));
            }
            bytes.extend_from_slice(&found[..found.len().min(missing)]);
        }
        Ok(bytes)
    }

    fn block(&mut self, index: u64) -> Answer<&[u8]> {
        if !self.blocks.contains_key(&index) {
            if self.blocks.len() >= KEPT {
                self.blocks.clear();
            }
            let mut block = vec![0; BLOCK];
            let read = self.file.read(index * BLOCK as u64, &mut block)?;
            block.truncate(read);
            self.blocks.insert(index, block);
        }
        Ok(self.blocks.get(&index).map(Vec::as_slice).unwrap_or_default())
    }

    /// Two bytes as a number.
    ///
    /// # Errors
    /// When `bytes` ends before.
    pub(super) fn short(&self, bytes: &[u8], at: usize) -> Answer<u16> {
        let bytes = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u16::from_le_bytes).ok_or_else(|| self.damaged("a cell is too short"))
    }

    /// Four bytes as a number.
    ///
    /// # Errors
    /// When `bytes` ends before.
    pub(super) fn number(&self, bytes: &[u8], at: usize) -> Answer<u32> {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or_else(|| self.damaged("a cell is too short"))
    }

    /// The error of a file that contradicts itself.
    pub(super) fn damaged(&self, how: &str) -> OsError {
        self.failed(&format!("is damaged: {how}"))
    }

    /// The error of a file.
    pub(super) fn failed(&self, how: &str) -> OsError {
        OsError::Failed(self.what.to_owned(), how.to_owned())
    }
}
