//! What the machine itself answers: its name, processes, system disk, and who asks.
#![expect(unsafe_code, reason = "no safe crate says whether the process is elevated, or how large a volume is")]

use windows::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows::Win32::UI::Shell::IsUserAnAdmin;
use windows::core::HSTRING;

use crate::os::windows::WindowsProcess;
use crate::os::{Answer, OsError};

/// True when the process has an administrator's rights in force (elevated, or SYSTEM).
pub(super) fn administrator() -> bool {
    // SAFETY: it takes nothing and has no preconditions.
    unsafe { IsUserAnAdmin() }.as_bool()
}

/// Bytes of the volume that holds `path`.
pub(super) fn disk_size(path: &str) -> Answer<u64> {
    let mut size = 0_u64;
    // SAFETY: the path is zero-terminated UTF-16, and the counter lives through the call.
    let asked = unsafe { GetDiskFreeSpaceExW(&HSTRING::from(path), None, Some(&raw mut size), None) };
    asked.map_err(|error| OsError::Failed(path.to_owned(), format!("0x{:08X}", error.code().0)))?;
    Ok(size)
}

/// The computer's name, in UTF-16 throughout.
pub(super) fn name() -> Answer<String> {
    sysinfo::System::host_name().map_err(|error| OsError::Failed("computer name".to_owned(), error.to_string()))
}

/// Running processes.
pub(super) fn processes() -> Answer<Vec<WindowsProcess>> {
    let kinds = sysinfo::RefreshKind::nothing().with_processes(sysinfo::ProcessRefreshKind::nothing());
    let system = sysinfo::System::new_with_specifics(kinds);
    let system = system.map_err(|error| OsError::Failed("processes".to_owned(), error.to_string()))?;
    let mut processes: Vec<WindowsProcess> = system
        .processes()
        .values()
        .map(|process| WindowsProcess {
            pid: process.pid().as_u32(),
            name: process.name().to_string_lossy().into_owned(),
        })
        .collect();
    processes.sort_unstable_by_key(|process| process.pid);
    Ok(processes)
}
