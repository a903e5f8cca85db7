//! Running processes from a snapshot (Tool Help): process ids and file names, and nothing that needs rights on the
//! process.
#![expect(unsafe_code, reason = "the snapshot is asked through its C interface")]

use windows::Win32::Foundation::{CloseHandle, ERROR_NO_MORE_FILES, HANDLE};
use windows::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};

use super::refused;
use crate::Answer;
use crate::windows::{WindowsProcess, decode};

const WHAT: &str = "processes";

struct Snapshot(HANDLE);

impl Drop for Snapshot {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by `list` and is closed once. A failure cannot be handled.
        let _ = unsafe { CloseHandle(self.0) };
    }
}

/// [`super::super::WindowsOs::processes`].
pub(super) fn list() -> Answer<Vec<WindowsProcess>> {
    // SAFETY: takes numbers only.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    let snapshot = Snapshot(snapshot.map_err(|error| refused(WHAT, &error))?);
    #[expect(clippy::cast_possible_truncation, reason = "the size of a structure of some hundred bytes")]
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..Default::default() };
    let mut processes = Vec::new();
    // SAFETY: the snapshot is open and the entry states its size.
    let mut answer = unsafe { Process32FirstW(snapshot.0, &raw mut entry) };
    loop {
        match answer {
            Ok(()) => {}
            Err(error) if error.code() == ERROR_NO_MORE_FILES.to_hresult() => return Ok(processes),
            Err(error) => return Err(refused(WHAT, &error)),
        }
        processes.push(WindowsProcess { pid: entry.th32ProcessID, name: decode::wide(&entry.szExeFile) });
        // SAFETY: as before.
        answer = unsafe { Process32NextW(snapshot.0, &raw mut entry) };
    }
}
