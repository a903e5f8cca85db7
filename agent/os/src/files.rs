//! Files of this machine, in the form all systems share.

use super::{Answer, FOLDER_CAP, FileKind, OsError, Stat, failed};

/// Implements [`super::Os::list`] natively.
pub(super) fn list(path: &str) -> Answer<Vec<String>> {
    let entries = std::fs::read_dir(path).map_err(|error| failed(path, &error))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed(path, &error))?;
        // Leaving out a name silently would hide what is behind it.
        let name = entry.file_name().into_string();
        names
            .push(name.map_err(|name| OsError::Failed(path.to_owned(), format!("holds the name {}", name.display())))?);
        if names.len() > FOLDER_CAP {
            return Err(OsError::Failed(path.to_owned(), format!("holds more than {FOLDER_CAP} names")));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Implements [`super::Os::stat`] natively.
pub(super) fn stat(path: &str) -> Answer<Stat> {
    let metadata = std::fs::metadata(path).map_err(|error| failed(path, &error))?;
    let kind = match () {
        () if metadata.is_file() => FileKind::File,
        () if metadata.is_dir() => FileKind::Folder,
        () => FileKind::Other,
    };
    let modified_at = metadata.modified().ok().and_then(|at| jiff::Timestamp::try_from(at).ok());
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let number = 0;
    Ok(Stat { kind, size: metadata.len(), modified_at: modified_at.map_or(0, jiff::Timestamp::as_millisecond), number })
}
