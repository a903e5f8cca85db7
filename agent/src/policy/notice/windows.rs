//! Writing the notice on Windows, with owner and access control list.

use std::fs::File;
use std::io::{Error, Result, Write};
use std::path::Path;

use crate::platform::windows::access;

/// Creates the public folder. Anything put there by somebody else is refused, because it could be a link.
pub(super) fn folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path)?;
    let own = path.ancestors().take(2).filter(|folder| folder.file_name().is_some());
    for folder in own {
        let found = access::read(folder)?;
        if !found.is_ours() && std::fs::read_dir(folder)?.next().is_some() {
            return Err(Error::other(format!("{} was made by somebody else ({})", folder.display(), found.text)));
        }
        access::publish(folder)?;
    }
    Ok(())
}

/// Replaces the whole file. A power cut may lose it: the next check writes it again.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let fresh = path.with_extension("new");
    File::create(&fresh)?.write_all(bytes)?;
    std::fs::rename(&fresh, path)
}
