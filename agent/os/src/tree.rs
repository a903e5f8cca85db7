//! Recorded file trees.

use std::path::Path;

use anyhow::{Context, anyhow};

/// The files below a folder: relative path, separated by `/`, and content. Empty when there is no folder.
///
/// # Errors
/// When something in it cannot be read, or a name is not UTF-8.
pub(super) fn files(folder: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    if folder.exists() {
        add(folder, "", &mut found)?;
    }
    Ok(found)
}

fn add(folder: &Path, above: &str, found: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| anyhow!("{} is not UTF-8", name.display()))?;
        let path = format!("{above}{name}");
        if entry.file_type()?.is_dir() {
            add(&entry.path(), &format!("{path}/"), found)?;
        } else {
            let bytes = std::fs::read(entry.path()).with_context(|| format!("read {}", entry.path().display()))?;
            found.push((path, bytes));
        }
    }
    Ok(())
}
