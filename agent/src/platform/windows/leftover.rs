//! Removes a file that is still in use at the next start of the machine.
#![expect(unsafe_code, reason = "no safe crate puts a removal off")]

use std::io::Result;
use std::path::Path;

use windows::Win32::Storage::FileSystem::{MOVEFILE_DELAY_UNTIL_REBOOT, MoveFileExW};
use windows::core::{HSTRING, PCWSTR};

/// Tells Windows to remove `path` at its next start.
///
/// # Errors
/// When Windows refuses: this requires administrator rights.
pub fn remove_at_next_start(path: &Path) -> Result<()> {
    // SAFETY: the path ends with NUL and outlives the call; no new name means removal.
    unsafe { MoveFileExW(&HSTRING::from(path), PCWSTR::null(), MOVEFILE_DELAY_UNTIL_REBOOT) }?;
    Ok(())
}
