//! Opening a page in the browser of whoever sits at the machine: what a person asked for, outside of every check.
#![expect(
    clippy::disallowed_methods,
    reason = "the door to the system is for checks; this is the person's own desktop"
)]

use std::io::{Error, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// Opens the page at `path` with the program that this person's desktop has for pages. Does not wait for it.
///
/// # Errors
/// When there is no desktop, or its opener does not start.
pub(super) fn open(path: &Path) -> Result<()> {
    let mut opener = opener()?;
    opener.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)
}

#[cfg(windows)]
fn opener() -> Result<Command> {
    // The shell of Windows, by its full path: the current folder must have no say in it.
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
