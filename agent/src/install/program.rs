//! The program's file under Program Files: copied there, replaced even while it is in use, removed even by itself.
//!
//! Write access is inherited from Program Files: administrators only.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::name::SERVICE;
use crate::platform::windows::leftover;
use os::windows::{Registry, Windows, WindowsOs};

/// The program's file name.
const PROGRAM: &str = "posture-agent.exe";
/// The name of a replaced program until nothing uses it any more.
const FORMER: &str = "posture-agent.former.exe";
/// How long a stopped process may still hold its file.
const RELEASE: Duration = Duration::from_secs(5);
/// How often the operation is retried.
const LOOK: Duration = Duration::from_millis(100);

/// The folder for the program.
pub(super) fn folder() -> Result<PathBuf> {
    // Read from the 64-bit view of the registry, and not from the environment, which the caller controls.
    let key = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion";
    match Windows::default().value(key, "ProgramFilesDir") {
        Ok(Registry::Text(folder)) if Path::new(&folder).is_absolute() => Ok(Path::new(&folder).join(SERVICE)),
        Ok(_) => Err(Error::other(format!("{key} : ProgramFilesDir is no path"))),
        Err(error) => Err(Error::other(error)),
    }
}

/// Path of the program in that folder.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(PROGRAM)
}

/// Copies this program there, completely or not at all.
pub(super) async fn place(folder: &Path) -> Result<()> {
    let (own, path) = (std::env::current_exe()?, path(folder));
    std::fs::create_dir_all(folder)?;
    if is_same(&own, &path) {
        return Ok(());
    }
    let fresh = folder.join("posture-agent.new.exe");
    std::fs::copy(&own, &fresh)?;
    std::fs::File::options().write(true).open(&fresh)?.sync_all()?;
    let placed = match patiently(|| std::fs::rename(&fresh, &path)).await {
        Err(_) if path.exists() => aside(&path, &folder.join(FORMER)).and_then(|()| std::fs::rename(&fresh, &path)),
        done => done,
    };
    if placed.is_err() {
        // The former program stays; a partial copy would only confuse.
        drop(std::fs::remove_file(&fresh));
    }
    placed
}

/// Removes the program and its folder, even when this process runs from it.
pub(super) async fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let own = std::env::current_exe()?;
    for name in [FORMER, PROGRAM] {
        let path = folder.join(name);
        // A program that removes itself would wait for itself forever.
        let removed = if is_same(&own, &path) {
            Err(Error::from(ErrorKind::PermissionDenied))
        } else {
            patiently(|| std::fs::remove_file(&path)).await
        };
        match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => {
                // A running program can be moved but not removed: Windows removes it at the next start.
                let away = std::env::temp_dir().join(format!("tram-an-{}.exe", std::process::id()));
                aside(&path, &away)?;
                leftover::remove_at_next_start(&away)?;
            }
            Ok(()) => {}
        }
    }
    std::fs::remove_dir(folder)
}

/// Moves a program out of the way; replaces an earlier one there when it is not in use.
fn aside(path: &Path, away: &Path) -> Result<()> {
    match std::fs::remove_file(away) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::rename(path, away)
}

/// Retries until it works or time is up: a stopped process holds its file for a moment.
async fn patiently(mut work: impl FnMut() -> Result<()>) -> Result<()> {
    let end = tokio::time::Instant::now() + RELEASE;
    loop {
        match work() {
            Err(error) if error.kind() == ErrorKind::PermissionDenied && tokio::time::Instant::now() < end => {
                tokio::time::sleep(LOOK).await;
            }
            done => return done,
        }
    }
}

/// True when both paths are the same file.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((std::fs::canonicalize(one), std::fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
