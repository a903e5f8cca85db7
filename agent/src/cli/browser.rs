//! Opens a page in the browser of the person at the machine. Only on request, never as part of a check.
#![expect(
    clippy::disallowed_methods,
    reason = "the door to the system is for checks; this is the person's own desktop"
)]

use std::io::{Error, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// Opens the page at `path` with the desktop's own opener. Does not wait for it.
///
/// # Errors
/// When there is no desktop, or its opener does not start.
pub(super) fn open(path: &Path) -> Result<()> {
    let mut opener = opener()?;
    opener.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)
}

#[cfg(windows)]
fn opener() -> Result<Command> {
    // The Windows shell by its full path, so that a program in the current folder cannot take its place.
    let system = std::env::var_os("SystemRoot").ok_or_else(|| Error::other("no SystemRoot"))?;
    Ok(Command::new(Path::new(&system).join("explorer.exe")))
}

#[cfg(unix)]
fn opener() -> Result<Command> {
    if ["DISPLAY", "WAYLAND_DISPLAY"].iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
        return Err(Error::other("no graphical session"));
    }
    Ok(Command::new("/usr/bin/xdg-open"))
}
