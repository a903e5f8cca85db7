//! Services and drivers as the service control manager lists them.
#![expect(unsafe_code, reason = "no safe crate lists services")]

use windows::Win32::System::Services::{
    CloseServiceHandle, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW, SC_ENUM_PROCESS_INFO,
    SC_HANDLE, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_DRIVER, SERVICE_STATE_ALL, SERVICE_WIN32,
};
use windows::core::PCWSTR;

use crate::os::windows::Service;
use crate::os::{Answer, OsError};

/// The most bytes one call may answer (documented for `EnumServicesStatusExW`).
const MOST: usize = 256 * 1024;

/// The handle of the service control manager, closed when it is dropped.
struct Manager(SC_HANDLE);

impl Drop for Manager {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by us and is closed once. There is nothing to be done when that fails.
        let _closed = unsafe { CloseServiceHandle(self.0) };
    }
}

/// [`super::super::WindowsOs::services`].
pub(super) fn all() -> Answer<Vec<Service>> {
    let refused = |error: windows::core::Error| {
        OsError::Failed("service control manager".to_owned(), format!("0x{:08X}", error.code().0))
    };
    // SAFETY: null names are this machine and its active database.
    let manager = unsafe { OpenSCManagerW(PCWSTR::null(), PCWSTR::null(), SC_MANAGER_ENUMERATE_SERVICE) };
    let manager = Manager(manager.map_err(refused)?);
    // Of 8-byte words, because the records that are written into it must be aligned.
    let mut buffer = vec![0_u64; MOST / 8];
    let (mut needed, mut count, mut resume) = (0, 0, 0);
    let mut services = Vec::new();
    loop {
        let bytes: &mut [u8] = {
            let (start, length) = (buffer.as_mut_ptr().cast(), buffer.len() * 8);
            // SAFETY: the same memory seen as bytes; the words are not touched while this lives.
            unsafe { std::slice::from_raw_parts_mut(start, length) }
        };
        // SAFETY: the buffer is writable, and all counters live through the call.
        let answer = unsafe {
            EnumServicesStatusExW(
                manager.0,
                SC_ENUM_PROCESS_INFO,
                SERVICE_WIN32 | SERVICE_DRIVER,
                SERVICE_STATE_ALL,
                Some(bytes),
                &raw mut needed,
                &raw mut count,
                Some(&raw mut resume),
                PCWSTR::null(),
            )
        };
        let records: *const ENUM_SERVICE_STATUS_PROCESSW = buffer.as_ptr().cast();
        for index in 0..count as usize {
            // SAFETY: Windows wrote `count` records at the start of the buffer, which is aligned for them; their names are
            // zero-terminated and lie in the same buffer.
            let (name, status) = unsafe {
                let record = &*records.add(index);
                (record.lpServiceName.to_string(), record.ServiceStatusProcess)
            };
            if let Ok(name) = name {
                let (state, kind) = (status.dwCurrentState.0, status.dwServiceType.0);
                services.push(Service { name, state, kind, pid: status.dwProcessId });
            }
        }
        match answer {
            Ok(()) => break,
            // ERROR_MORE_DATA: the rest comes with the next call.
            Err(error) if error.code().0.cast_unsigned() == 0x8007_00EA && count > 0 => {}
            Err(error) => return Err(refused(error)),
        }
    }
    services.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(services)
}
