//! The cells of a registry file: blocks of any size, each preceded by its length. Nothing the file says about itself is
//! trusted.

use std::collections::BTreeMap;

use crate::{Answer, OsError};

/// How many bytes are read from the file at a time.
const BLOCK: usize = 16 << 10;
/// How many blocks are cached.
const KEPT: usize = 64;
/// The most bytes taken from one file in total. A person with 500 programs has about 2 MB of them.
const BUDGET: usize = 8 << 20;
/// The minimum cost of a cell: many small ones must not get around the budget.
const COST: usize = 64;
/// Where the first block of cells begins; places are counted from here.
const CELLS: u64 = 4096;

/// A file with random access.
pub(in crate::windows) trait Bytes {
    /// Reads from `at` until `buffer` is full or the file ends, and returns how many bytes were read.
    ///
    /// # Errors
    /// When the file can no longer be read.
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Answer<usize>;
}

/// The cells of one open file.
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

    /// The content of the cell at `place`, at most `most` bytes.
    ///
    /// # Errors
    /// When there is no cell or the file cannot be read.
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

    /// `length` bytes of the file from `at`.
    ///
    /// # Errors
    /// When the file ends before that or cannot be read.
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

    /// A 16-bit number.
    ///
    /// # Errors
    /// When `bytes` ends too early.
    pub(super) fn short(&self, bytes: &[u8], at: usize) -> Answer<u16> {
        let bytes = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u16::from_le_bytes).ok_or_else(|| self.damaged("a cell is too short"))
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// When `bytes` ends too early.
    pub(super) fn number(&self, bytes: &[u8], at: usize) -> Answer<u32> {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or_else(|| self.damaged("a cell is too short"))
    }

    /// The error for a file that contradicts itself.
    pub(super) fn damaged(&self, how: &str) -> OsError {
        self.failed(&format!("is damaged: {how}"))
    }

    /// The error for a file, with the reason.
    pub(super) fn failed(&self, how: &str) -> OsError {
        OsError::Failed(self.what.to_owned(), how.to_owned())
    }
}
