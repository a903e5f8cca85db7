//! The state folder's files on Windows, with owner and access control list.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::windows::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{Exposure, Kind};
use crate::platform::logbook::{self, Entry};
use crate::platform::windows::access::{self, Access};
use crate::platform::windows::secret;

/// `FILE_ATTRIBUTE_REPARSE_POINT`.
const REPARSE_POINT: u32 = 0x400;

/// Creates a private folder; missing parent folders get the system's default access.
pub(super) fn folder_create(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path)?;
    access::close(path, true)
}

/// Opens a private file for reading and writing in place.
pub(super) fn file_open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Nothing to do: NTFS journals a renaming (`MoveFileEx` with replacing) as one step.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
pub(super) fn folder_sync(_path: &Path) -> Result<()> {
    Ok(())
}

/// A secret as stored: sealed for the account that runs the agent.
pub(super) fn seal(secret: &[u8]) -> Result<Vec<u8>> {
    secret::seal(secret)
}

/// Reverses [`seal`].
pub(super) fn unseal(sealed: Vec<u8>) -> Result<Vec<u8>> {
    secret::open(&sealed)
}

/// Reads at an offset of the file; returns how many bytes, 0 at its end.
pub(super) fn read_at(file: &File, bytes: &mut [u8], place: u64) -> Result<usize> {
    file.seek_read(bytes, place)
}

/// Fills `bytes` from an offset of the file.
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], place: u64) -> Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.seek_read(&mut bytes[filled..], place + filled as u64)? {
            0 => return Err(Error::from(ErrorKind::UnexpectedEof)),
            count => filled += count,
        }
    }
    Ok(())
}

/// Writes all of `bytes` at an offset of the file.
pub(super) fn write_all_at(file: &File, bytes: &[u8], place: u64) -> Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match file.seek_write(&bytes[written..], place + written as u64)? {
            0 => return Err(Error::from(ErrorKind::WriteZero)),
            count => written += count,
        }
    }
    Ok(())
}

/// None when the folder (with its content) or file is private. Open access is closed and reported rather than refused, because
/// nobody at an office could do that by hand. A link, or anything that another account put there, is refused.
pub(super) fn exposure(path: &Path, kind: Kind) -> Result<Option<Exposure>> {
    let mut repaired = Vec::new();
    let exposure = closed(path, kind, &mut repaired);
    if let Some((first, found)) = repaired.first() {
        let path = match repaired.len() {
            1 => first.display().to_string(),
            count => format!("{} (+{})", first.display(), count - 1),
        };
        logbook::enter(&Entry::AccessRepaired { path, found: found.clone() });
    }
    exposure
}

/// Like [`exposure`]; adds each closed path and its former access to `repaired`.
fn closed(path: &Path, kind: Kind, repaired: &mut Vec<(PathBuf, String)>) -> Result<Option<Exposure>> {
    let found = examine(path)?;
    if kind == Kind::Folder {
        let within = std::fs::read_dir(path)?.collect::<Result<Vec<_>>>()?;
        if !found.is_ours() && !within.is_empty() {
            return Err(Error::other(format!("it was made by somebody else ({}); remove it", found.text)));
        }
        for entry in within {
            let kind = if entry.file_type()?.is_dir() { Kind::Folder } else { Kind::File };
            if let Some(exposure) = closed(&entry.path(), kind, repaired)? {
                return Ok(Some(exposure));
            }
        }
    } else if !found.is_ours() {
        return Err(Error::other(format!("{} was made by somebody else ({}); remove it", path.display(), found.text)));
    }
    if found.is_ours() && found.is_closed() {
        return Ok(None);
    }
    access::close(path, kind == Kind::Folder)?;
    let now = access::read(path)?;
    if !now.is_closed() {
        let remedy = format!("icacls \"{}\" /inheritance:r /grant *S-1-5-18:F *S-1-5-32-544:F", path.display());
        return Ok(Some(Exposure { found: now.text, remedy }));
    }
    repaired.push((path.to_owned(), found.text));
    Ok(None)
}

/// Owner and access list of an item that is not a link.
fn examine(path: &Path) -> Result<Access> {
    if std::fs::symlink_metadata(path)?.file_attributes() & REPARSE_POINT != 0 {
        return Err(Error::other(format!("{} is a link to another place; remove it", path.display())));
    }
    access::read(path)
}
