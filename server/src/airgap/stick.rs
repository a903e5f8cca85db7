//! Reading from and writing to removable storage that somebody else may have prepared: no link at the end of a path is followed, only
//! plain files are read, never beyond a limit, and a file is written next to its destination and then moved there.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use policies::text;
use rustix::fs::OFlags;

use crate::error::UserError;

/// Reads the plain file `path` of at most `most` bytes.
///
/// # Errors
/// It cannot be read, is a link, folder or device, or is longer.
pub fn read(path: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let cannot = |cause: std::io::Error| {
        UserError::from(text!("Không đọc được {shown}.", "Cannot read {shown}.")).because(cause)
    };
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits())?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        anyhow::bail!(UserError::from(text!("{shown} không phải là tệp.", "{shown} is not a file.")));
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > most {
        anyhow::bail!(UserError::from(text!(
            "Tệp {shown} lớn hơn {most} byte cho phép.",
            "The file {shown} is larger than the {most} bytes allowed."
        )));
    }
    Ok(bytes)
}

/// Who may read what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Only its owner: it holds a secret.
    Owner,
    /// Everybody: it holds none, and someone else reads it at the other end.
    All,
}

/// Writes `bytes` to `path` so that a reader sees either all of them or what was there before. A link at `path` is replaced, not followed.
///
/// # Errors
/// It cannot be written, or its folder is a link.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> anyhow::Result<()> {
    let shown = path.display();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = || {
        if fs::symlink_metadata(folder)?.is_symlink() {
            return Err(std::io::Error::other("its folder is a link"));
        }
        let mode = match readers {
            Readers::Owner => 0o600,
            Readers::All => 0o644,
        };
        let mut builder = tempfile::Builder::new();
        let mut fresh = builder.prefix(".tram-an-").permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
        fresh.write_all(bytes)?;
        fresh.as_file().sync_all()?;
        fresh.persist(path).map_err(|error| error.error)?;
        match File::open(folder)?.sync_all() {
            // Some file systems of sticks cannot do it for a folder.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
            synced => synced,
        }
    };
    written().map_err(|cause: std::io::Error| {
        UserError::from(text!("Không ghi được {shown}.", "Cannot write {shown}.")).because(cause).into()
    })
}

/// Where an answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Into this folder, under the answer's own name.
    Folder(PathBuf),
    /// To this file.
    File(PathBuf),
}

impl Target {
    /// Reads what the person named: an existing folder, else a file.
    ///
    /// # Errors
    /// It is a link or neither folder nor file.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(Self::Folder(path.to_owned())),
            Ok(metadata) if metadata.is_file() => Ok(Self::File(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::File(path.to_owned())),
            Ok(_) => anyhow::bail!(UserError::from(text!(
                "{shown} là liên kết hoặc thiết bị; cần một thư mục hoặc tệp thật.",
                "{shown} is a link or a device; a real folder or file is needed."
            ))),
            Err(cause) => {
                Err(UserError::from(text!("Không đọc được {shown}.", "Cannot read {shown}.")).because(cause).into())
            }
        }
    }

    /// The file for the answer called `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(format!("{name}.tram-an")),
            Self::File(file) => file.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_neither_read_nor_followed_when_written() {
        let place = tempfile::tempdir().unwrap();
        let (secret, link, file) = (place.path().join("secret"), place.path().join("link"), place.path().join("file"));
        fs::write(&secret, "mine").unwrap();
        symlink(&secret, &link).unwrap();
        assert!(read(&link, 100).is_err());
        assert!(Target::of(&link).is_err());
        write(&link, b"answer", Readers::All).unwrap();
        assert_eq!((fs::read(&secret).unwrap(), fs::read(&link).unwrap()), (b"mine".to_vec(), b"answer".to_vec()));
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        let folder = place.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let linked = place.path().join("linked");
        symlink(&folder, &linked).unwrap();
        assert!(Target::of(&linked).is_err());
        assert!(write(&linked.join("answer"), b"answer", Readers::All).is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        write(&file, b"one", Readers::All).unwrap();
        write(&file, b"two", Readers::Owner).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&file, 3).unwrap(), b"two");
        assert_eq!(Target::of(&folder).unwrap().path("a"), folder.join("a.tram-an"));
        assert_eq!(Target::of(&file).unwrap().path("a"), file);
    }

    #[test]
    fn only_plain_files_within_the_cap_are_read() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, [0; 11]).unwrap();
        assert_eq!(read(&file, 11).unwrap().len(), 11);
        assert!(read(&file, 10).is_err());
        assert!(read(place.path(), 10).is_err());
        assert!(read(Path::new("/dev/zero"), 10).is_err());
        assert!(read(&place.path().join("none"), 10).is_err());
    }
}
