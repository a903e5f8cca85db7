//! A file of records, appended at the end and removed from the front, in order.
//!
//! A record is: length (u32, big-endian), the first 8 bytes of the SHA-256 of length and content, content. A record is on
//! disk before [`Records::append`] returns, so a record torn by a power cut was never used and is cut off at the next
//! start.

use std::fs::File;
use std::path::{Path, PathBuf};

use protocol::Digest;

use super::{Durability, file_replace, system};

/// Bytes of length and check before a record's content.
const PREFIX: u64 = 12;

/// The open file.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    file: File,
    cap: u64,
    longest: usize,
    front: u64,
    end: u64,
    count: u64,
}

/// What was found when the file was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last complete record.
    pub last: Option<Vec<u8>>,
    /// Bytes after it that were cut off as incomplete.
    pub cut: u64,
}

/// Why a record was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The file is at its cap.
    #[error("the cap of {0} bytes is reached")]
    Full(u64),
    /// The system refused (usually a full disk).
    #[error("the system refused to write")]
    Io(#[from] std::io::Error),
}

impl Records {
    /// Opens a file of at most `cap` bytes with records of at most `longest` bytes, and cuts off an incomplete end.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(path: &Path, cap: u64, longest: usize) -> std::io::Result<(Self, Recovered)> {
        let file = system::file_open(path)?;
        let mut records = Self { path: path.to_owned(), file, cap, longest, front: 0, end: 0, count: 0 };
        let length = records.file.metadata()?.len();
        let mut last = None;
        while let Some(record) = records.record_at(records.end, length)? {
            records.end += PREFIX + record.len() as u64;
            records.count += 1;
            last = Some(record);
        }
        if records.end < length {
            records.file.set_len(records.end)?;
        }
        let cut = length - records.end;
        Ok((records, Recovered { last, cut }))
    }

    /// How many records are waiting.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Changes the cap; existing records stay.
    pub fn set_cap(&mut self, cap: u64) {
        self.cap = cap;
    }

    /// Appends a record; it is on disk when this returns.
    ///
    /// # Errors
    /// [`AppendError::Full`] at the cap, [`AppendError::Io`] when the system refuses; the file is unchanged.
    pub fn append(&mut self, content: &[u8]) -> Result<(), AppendError> {
        let needed = PREFIX + content.len() as u64;
        if self.end + needed > self.cap && self.front > 0 {
            self.compact()?;
        }
        if self.end + needed > self.cap || content.len() > self.longest {
            return Err(AppendError::Full(self.cap));
        }
        let mut record = Vec::with_capacity(content.len() + 12);
        record.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
        record.extend_from_slice(&check(content));
        record.extend_from_slice(content);
        let written = system::write_all_at(&self.file, &record, self.end).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            drop(self.file.set_len(self.end));
            return Err(error.into());
        }
        self.end += needed;
        self.count += 1;
        Ok(())
    }

    /// The first records: at most `most` of them and at most `bytes` together, but at least one if there is one.
    ///
    /// # Errors
    /// When the system refuses to read, or returns something other than what was written.
    pub fn first(&self, most: usize, bytes: usize) -> std::io::Result<Vec<Vec<u8>>> {
        let mut found: Vec<Vec<u8>> = Vec::new();
        let (mut at, mut total) = (self.front, 0);
        while found.len() < most && at < self.end {
            let record = self.record_at(at, self.end)?.ok_or_else(|| std::io::Error::other("a record is damaged"))?;
            total += record.len();
            if total > bytes && !found.is_empty() {
                break;
            }
            at += PREFIX + record.len() as u64;
            found.push(record);
        }
        Ok(found)
    }

    /// Removes the first `count` records. Empties the file once nothing is waiting.
    ///
    /// # Errors
    /// When the system refuses; this process treats the records as removed anyway.
    pub fn take(&mut self, count: u64) -> std::io::Result<()> {
        for _ in 0..count.min(self.count) {
            let mut prefix = [0; 4];
            system::read_exact_at(&self.file, &mut prefix, self.front)?;
            self.front += PREFIX + u64::from(u32::from_be_bytes(prefix));
            self.count -= 1;
        }
        if self.count == 0 {
            self.clear()?;
        }
        Ok(())
    }

    /// Removes all records.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn clear(&mut self) -> std::io::Result<()> {
        (self.front, self.end, self.count) = (0, 0, 0);
        self.file.set_len(0)
    }

    /// Drops the space of removed records by writing a new file, so that a crash leaves either the old file or the new
    /// one. Only when at most half of the cap is in use, so that it happens rarely.
    fn compact(&mut self) -> std::io::Result<()> {
        let waiting = self.end - self.front;
        if waiting > self.cap / 2 {
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(waiting).unwrap_or(usize::MAX)];
        system::read_exact_at(&self.file, &mut bytes, self.front)?;
        file_replace(&self.path, &bytes, Durability::Synced)?;
        self.file = system::file_open(&self.path)?;
        (self.front, self.end) = (0, waiting);
        Ok(())
    }

    /// The record at `at`, if it is complete and ends before `length`.
    fn record_at(&self, at: u64, length: u64) -> std::io::Result<Option<Vec<u8>>> {
        if length.saturating_sub(at) < PREFIX {
            return Ok(None);
        }
        let mut prefix = [0; PREFIX as usize];
        system::read_exact_at(&self.file, &mut prefix, at)?;
        let (size, expected) = prefix.split_at(4);
        let size = size.iter().fold(0_usize, |size, byte| size << 8 | usize::from(*byte));
        if size > self.longest || length - at - PREFIX < size as u64 {
            return Ok(None);
        }
        let mut content = vec![0; size];
        system::read_exact_at(&self.file, &mut content, at + PREFIX)?;
        Ok((check(&content) == *expected).then_some(content))
    }
}

/// The whole records of the file at `path`, whoever has it open: what is being written at this moment is left out.
///
/// # Errors
/// When the system refuses.
pub fn read(path: &Path, longest: usize, cap: u64) -> std::io::Result<Vec<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let reader = Records { path: path.to_owned(), file, cap, longest, front: 0, end: length, count: 0 };
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(record) = reader.record_at(at, length)? {
        at += PREFIX + record.len() as u64;
        found.push(record);
    }
    Ok(found)
}

#[cfg(test)]
impl Records {
    /// Makes the system refuse every write from now on: the file is open for reading only.
    pub(crate) fn break_for_test(&mut self) {
        self.file = File::open(&self.path).unwrap();
    }
}

fn check(content: &[u8]) -> [u8; 8] {
    let digest = Digest::of_parts(&[&(content.len() as u64).to_be_bytes(), content]).0;
    let mut check = [0; 8];
    check.copy_from_slice(&digest[..8]);
    check
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(path: &Path) -> (Records, Recovered) {
        Records::open(path, 1 << 20, 1 << 10).unwrap()
    }

    #[test]
    fn records_come_back_in_order_and_leave_from_the_front() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let (mut records, recovered) = open(&path);
        assert_eq!(recovered, Recovered::default());
        for content in [b"one".as_slice(), b"", b"three"] {
            records.append(content).unwrap();
        }
        assert_eq!(records.first(2, 1000).unwrap(), [b"one".to_vec(), b"".to_vec()]);
        assert_eq!(records.first(9, 1).unwrap(), [b"one".to_vec(), b"".to_vec()][..1]);
        records.take(1).unwrap();
        assert_eq!(records.first(9, 1000).unwrap(), [b"".to_vec(), b"three".to_vec()]);
        let (again, recovered) = open(&path);
        assert_eq!((again.count(), recovered.last.as_deref()), (3, Some(b"three".as_slice())));
        records.take(2).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn the_cap_holds_and_room_at_the_front_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let (mut records, _) = Records::open(&path, 10 * (PREFIX + 4), 1 << 10).unwrap();
        for number in 0..10_u32 {
            records.append(&number.to_be_bytes()).unwrap();
        }
        assert!(matches!(records.append(b"more"), Err(AppendError::Full(_))));
        records.take(4).unwrap();
        // More than half is in use: not worth compacting yet.
        assert!(matches!(records.append(b"more"), Err(AppendError::Full(_))));
        records.take(2).unwrap();
        records.append(b"more").unwrap();
        let expected: Vec<Vec<u8>> =
            (6..10_u32).map(|number| number.to_be_bytes().to_vec()).chain([b"more".to_vec()]).collect();
        assert_eq!(records.first(99, 1000).unwrap(), expected);
        drop(records);
        assert_eq!(open(&path).0.first(99, 1000).unwrap(), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
        #[test]
        fn a_file_cut_at_any_byte_gives_the_whole_records_before(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..5),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("records");
            let (mut records, _) = open(&path);
            let mut ends = vec![0];
            for content in &contents {
                records.append(content).unwrap();
                ends.push(std::fs::metadata(&path).unwrap().len());
            }
            let whole = std::fs::read(&path).unwrap();
            for cut in 0..=whole.len() {
                std::fs::write(&path, &whole[..cut]).unwrap();
                let (mut records, recovered) = open(&path);
                let kept = ends.iter().filter(|end| **end > 0 && **end <= cut as u64).count();
                prop_assert_eq!(records.count(), kept as u64);
                prop_assert_eq!(recovered.cut, cut as u64 - ends[kept]);
                prop_assert_eq!(recovered.last.as_ref(), contents[..kept].last());
                // What was cut off does not affect what comes next.
                records.append(b"next").unwrap();
                let mut expected = contents[..kept].to_vec();
                expected.push(b"next".to_vec());
                prop_assert_eq!(open(&path).0.first(99, 10_000).unwrap(), expected);
            }
        }

        #[test]
        fn any_bytes_are_recovered_from(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("records");
            std::fs::write(&path, &bytes).unwrap();
            let (mut records, recovered) = open(&path);
            prop_assert!(recovered.cut <= bytes.len() as u64);
            records.append(b"next").unwrap();
            prop_assert_eq!(open(&path).1.last, Some(b"next".to_vec()));
        }
    }
}
