//! A small value that can be replaced even when the disk is full: two slots in a file whose blocks are allocated once,
//! written alternately, each with its own check. A torn write leaves the other slot intact.

use std::fs::File;

use super::system;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The bytes of one slot: a multiple of the sector size of most disks, so that writing one slot never touches the
/// other.
const SLOT: usize = 4096;
/// Sequence number (8), length (2), check (8).
const PREFIX: usize = 18;

/// The file with its two slots.
#[derive(Debug)]
pub struct Slots {
    file: File,
    turn: u64,
}

/// What was found when the file was opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// The file is new.
    Nothing,
    /// The newest readable value.
    Value(T),
    /// There were values, but none can be read.
    Damaged,
}

impl Slots {
    /// Reads the newest value of `file` and makes sure that the blocks of both slots are allocated.
    ///
    /// # Errors
    /// When the system refuses to read. A failure to allocate (a full disk at the very first start) only shows at the
    /// first write.
    pub fn open<T: DeserializeOwned>(file: File) -> std::io::Result<(Self, Found<T>)> {
        let mut bytes = vec![0; 2 * SLOT];
        let mut filled = 0;
        while filled < bytes.len() {
            match system::read_at(&file, &mut bytes[filled..], filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        let mut newest: Option<(u64, T)> = None;
        for slot in bytes.chunks_exact(SLOT) {
            if let Some((turn, value)) = slot_read(slot)
                && newest.as_ref().is_none_or(|(best, _)| turn > *best)
            {
                newest = Some((turn, value));
            }
        }
        let touched = bytes.iter().any(|byte| *byte != 0);
        if filled < bytes.len() {
            // Zeroes that are really written allocate their blocks, unlike a hole.
            drop(system::write_all_at(&file, &vec![0; bytes.len() - filled], filled as u64));
        }
        Ok(match newest {
            Some((turn, value)) => (Self { file, turn }, Found::Value(value)),
            None => (Self { file, turn: 0 }, if touched { Found::Damaged } else { Found::Nothing }),
        })
    }

    /// Replaces the value; when this returns, it survives a power cut.
    ///
    /// # Errors
    /// When the value is longer than a slot or the system refuses; the old value stays.
    pub fn write<T: Serialize>(&mut self, value: &T) -> std::io::Result<()> {
        let json = serde_json::to_vec(value)?;
        let turn = self.turn + 1;
        let length = u16::try_from(json.len()).ok().filter(|length| usize::from(*length) + PREFIX <= SLOT);
        let length = length.ok_or_else(|| std::io::Error::other("the value is longer than its slot"))?;
        let mut slot = Vec::with_capacity(PREFIX + json.len());
        slot.extend_from_slice(&turn.to_be_bytes());
        slot.extend_from_slice(&length.to_be_bytes());
        slot.extend_from_slice(&check(turn, &json));
        slot.extend_from_slice(&json);
        system::write_all_at(&self.file, &slot, (turn % 2) * SLOT as u64)?;
        self.file.sync_data()?;
        self.turn = turn;
        Ok(())
    }
}

fn slot_read<T: DeserializeOwned>(slot: &[u8]) -> Option<(u64, T)> {
    let (turn, rest) = slot.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (expected, rest) = rest.split_first_chunk::<8>()?;
    let turn = u64::from_be_bytes(*turn);
    let json = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    if turn == 0 || check(turn, json) != *expected {
        return None;
    }
    Some((turn, serde_json::from_slice(json).ok()?))
}

fn check(turn: u64, json: &[u8]) -> [u8; 8] {
    let digest = protocol::Digest::of_parts(&[&turn.to_be_bytes(), json]).0;
    let mut check = [0; 8];
    check.copy_from_slice(&digest[..8]);
    check
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn open(path: &Path) -> (Slots, Found<String>) {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        Slots::open(file).unwrap()
    }

    #[test]
    fn the_newest_value_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slots");
        let (mut slots, found) = open(&path);
        assert_eq!(found, Found::Nothing);
        for value in ["one", "two", "three"] {
            slots.write(&value).unwrap();
            assert_eq!(open(&path).1, Found::Value(value.to_owned()));
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 2 * SLOT as u64);
        assert!(slots.write(&"x".repeat(SLOT)).is_err());
        assert_eq!(open(&path).1, Found::Value("three".to_owned()));
    }

    #[test]
    fn a_torn_write_leaves_the_former_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slots");
        let (mut slots, _) = open(&path);
        slots.write(&"former").unwrap();
        let before = std::fs::read(&path).unwrap();
        slots.write(&"later").unwrap();
        let after = std::fs::read(&path).unwrap();
        // The second write goes to the first slot. Any prefix of it may be what reached the disk.
        for cut in 0..PREFIX + "\"later\"".len() {
            let torn: Vec<u8> = after[..cut].iter().chain(&before[cut..]).copied().collect();
            std::fs::write(&path, torn).unwrap();
            assert_eq!(open(&path).1, Found::Value("former".to_owned()), "cut at {cut}");
        }
        std::fs::write(&path, vec![7; 2 * SLOT]).unwrap();
        assert_eq!(open(&path).1, Found::Damaged);
    }
}
