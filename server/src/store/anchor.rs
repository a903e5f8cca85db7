//! The SQLite file as it was opened. A file that was deleted, replaced or unmounted meanwhile still accepts writes, but they are lost after
//! a restart.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{StoreError, StoreResult};

/// A file, identified by what the system knows it by.
#[derive(Debug)]
pub(in crate::store) struct Anchor {
    file: PathBuf,
    device: u64,
    inode: u64,
}

impl Anchor {
    /// The file at this path; a missing one is created, empty and for its owner only. The files SQLite puts next to it get the same mode.
    pub(in crate::store) fn open(file: &Path) -> StoreResult<Self> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file);
        let found = opened.and_then(|opened| opened.metadata()).map_err(sqlx::Error::Io)?;
        Ok(Self { file: file.to_owned(), device: found.dev(), inode: found.ino() })
    }

    /// Makes sure that the path still leads to the file.
    pub(in crate::store) fn check(&self) -> StoreResult<()> {
        match std::fs::metadata(&self.file) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(StoreError::Gone(self.file.display().to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Db;
    use super::super::test_database::office;
    use super::*;

    #[tokio::test]
    async fn nothing_is_written_into_a_file_that_is_no_longer_there() {
        let folder = tempfile::tempdir().unwrap();
        let (file, away) = (folder.path().join("tram-an.db"), folder.path().join("away"));
        let db = Db::open_sqlite(&file).await.unwrap();
        db.migrate().await.unwrap();
        let write = async || {
            let mut tx = db.write().await?;
            office(&mut tx, "UBND xã An Bình", None).await;
            tx.commit().await
        };
        write().await.unwrap();
        std::fs::rename(&file, &away).unwrap();
        for replaced in [false, true] {
            if replaced {
                std::fs::copy(&away, &file).unwrap();
            }
            assert!(matches!(write().await.unwrap_err(), StoreError::Gone(_)));
            assert!(matches!(db.read().await.unwrap_err(), StoreError::Gone(_)));
            assert_eq!(file.exists(), replaced, "no new one is made");
        }
        std::fs::rename(&away, &file).unwrap();
        write().await.unwrap();
    }
}
