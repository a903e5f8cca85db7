//! A file that is in use now and shall be gone after the next start of the machine.
#![expect(unsafe_code, reason = "no safe crate puts a removal off")]

use std::io::Result;
use std::path::Path;

use windows::Win32::Storage::FileSystem::{MOVEFILE_DELAY_UNTIL_REBOOT, MoveFileExW};
use windows::core::{HSTRING, PCWSTR};

/// Has Windows remove `path` when it starts next.
///
/// # Errors
/// When Windows refuses: it takes an administrator.
pub fn remove_at_next_start(path: &Path) -> Result<()> {
    // SAFETY: the path ends with NUL and lives through the call; no new name means removal.
    unsafe { MoveFileExW(&HSTRING::from(path), PCWSTR::null(), MOVEFILE_DELAY_UNTIL_REBOOT) }?;
    Ok(())
}
