//! Writing the notice on systems with Unix modes.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Creates the public folder; one created by another user is refused, because they could put links there.
pub(super) fn folder(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = std::fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(Error::other(format!("{} is no folder of this agent's alone", path.display())));
    }
    Ok(())
}

/// Replaces the whole file. A power cut may lose it: the next check writes it again.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let fresh = path.with_extension("new");
    let mut file: File =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&fresh)?;
    // Independent of the umask the agent was started with.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(bytes)?;
    std::fs::rename(&fresh, path)
}
