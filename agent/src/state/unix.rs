//! The state folder's files on systems with Unix modes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{Exposure, Kind};

/// The mode of a folder.
const FOLDER: u32 = 0o700;
/// The mode of a file.
const FILE: u32 = 0o600;

/// Creates a private folder; missing parent folders get the system's default mode.
pub(super) fn folder_create(path: &Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(FOLDER).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Opens a private file for reading and writing in place.
pub(super) fn file_open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE).open(path)
}

/// Makes the names in a folder durable.
pub(super) fn folder_sync(path: &Path) -> Result<()> {
    File::open(path)?.sync_all()
}

/// The access others have to the folder or file; none when it is private.
pub(super) fn exposure(path: &Path, kind: Kind) -> Result<Option<Exposure>> {
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    let wanted = match kind {
        Kind::Folder => FOLDER,
        Kind::File => FILE,
    };
    let exposure =
        || Exposure { found: format!("mode {mode:o}"), remedy: format!("chmod {wanted:o} {}", path.display()) };
    Ok((mode & !wanted != 0).then(exposure))
}

/// A secret as stored: unchanged, in a file that only its owner may read.
pub(super) fn seal(secret: &[u8]) -> Result<Vec<u8>> {
    Ok(secret.to_vec())
}

/// Reverses [`seal`].
pub(super) fn unseal(sealed: Vec<u8>) -> Result<Vec<u8>> {
    Ok(sealed)
}

/// Reads at an offset of the file; returns how many bytes, 0 at its end.
pub(super) fn read_at(file: &File, bytes: &mut [u8], place: u64) -> Result<usize> {
    file.read_at(bytes, place)
}

/// Fills `bytes` from an offset of the file.
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], place: u64) -> Result<()> {
    file.read_exact_at(bytes, place)
}

/// Writes all of `bytes` at an offset of the file.
pub(super) fn write_all_at(file: &File, bytes: &[u8], place: u64) -> Result<()> {
    file.write_all_at(bytes, place)
}
