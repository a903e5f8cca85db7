//! Services and drivers (`EnumServicesStatusExW`): unlike the registry, the service manager knows their state.
#![expect(unsafe_code, reason = "the service manager is asked through its C interface")]

use windows::Win32::Foundation::ERROR_MORE_DATA;
use windows::Win32::System::Services::{
    CloseServiceHandle, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW, SC_ENUM_PROCESS_INFO,
    SC_HANDLE, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_DRIVER, SERVICE_STATE_ALL, SERVICE_WIN32,
};

use super::refused;
use crate::Answer;
use crate::windows::Service;

const WHAT: &str = "services";

/// The largest buffer of one call, in units of 8 bytes: Windows accepts no more than 256 KiB.
const BUFFER: usize = 32 << 10;

struct Manager(SC_HANDLE);

impl Drop for Manager {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by `list` and is closed once. A failure cannot be handled.
        let _ = unsafe { CloseServiceHandle(self.0) };
    }
}

/// [`super::super::WindowsOs::services`].
pub(super) fn list() -> Answer<Vec<Service>> {
    // SAFETY: names of machine and database may be none, which means this machine and its active database.
    let manager = unsafe { OpenSCManagerW(None, None, SC_MANAGER_ENUMERATE_SERVICE) };
    let manager = Manager(manager.map_err(|error| refused(WHAT, &error))?);
    let mut services = Vec::new();
    // Made of 8-byte numbers, so that the structures in it are aligned.
    let mut buffer = vec![0_u64; BUFFER];
    let mut resume = 0;
    loop {
        let (mut needed, mut count) = (0, 0);
        // SAFETY: the bytes are those of `buffer`, which nothing else touches while they are borrowed.
        let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<u8>(), BUFFER * 8) };
        // SAFETY: the manager is open; the buffer is passed with its length, the numbers outlive the call.
        let answer = unsafe {
            EnumServicesStatusExW(
                manager.0,
                SC_ENUM_PROCESS_INFO,
                SERVICE_DRIVER | SERVICE_WIN32,
                SERVICE_STATE_ALL,
                Some(bytes),
                &raw mut needed,
                &raw mut count,
                Some(&raw mut resume),
                None,
            )
        };
        let more = match answer {
            Ok(()) => false,
            Err(error) if error.code() == ERROR_MORE_DATA.to_hresult() && count > 0 => true,
            Err(error) => return Err(refused(WHAT, &error)),
        };
        // SAFETY: the call filled `count` structures from the start of the aligned buffer, which is not written meanwhile.
        let rows = unsafe {
            std::slice::from_raw_parts(buffer.as_ptr().cast::<ENUM_SERVICE_STATUS_PROCESSW>(), count as usize)
        };
        services.extend(rows.iter().map(service));
        if !more {
            services.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(services);
        }
    }
}

fn service(row: &ENUM_SERVICE_STATUS_PROCESSW) -> Service {
    let status = &row.ServiceStatusProcess;
    Service {
        // SAFETY: the name is in the same buffer and ends with NUL.
        name: unsafe { super::text(row.lpServiceName) },
        state: status.dwCurrentState.0,
        kind: status.dwServiceType.0,
        pid: status.dwProcessId,
    }
}
