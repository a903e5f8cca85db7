//! Ensures that only administrators may stop, change or delete our service. Windows gives new services such an access list; it is
//! still checked, because whoever created the service or changed it later may have set another.
#![expect(unsafe_code, reason = "no safe crate reads or sets a service's access control list")]

use std::io::{Error, Result};

use windows::Win32::Security::{DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR};
use windows::Win32::System::Services::{
    CloseServiceHandle, OpenSCManagerW, OpenServiceW, QueryServiceObjectSecurity, SC_HANDLE, SC_MANAGER_CONNECT,
    SetServiceObjectSecurity,
};
use windows::core::{HSTRING, PCWSTR};

use super::access::{self, Descriptor};
use super::silence::only_administrators_silence;
use crate::platform::name::SERVICE;

/// `READ_CONTROL | WRITE_DAC`.
const ACCESS: u32 = 0x0006_0000;
/// The access list that Windows gives new services: SYSTEM and administrators control it; logged-on users and services may
/// query it.
const USUAL: &str =
    "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)";

struct Handle(SC_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it is open, and closed once. A failure cannot be handled.
        let _closed = unsafe { CloseServiceHandle(self.0) };
    }
}

/// Closes the service to all but administrators. Returns the former list if it was open.
///
/// # Errors
/// When Windows refuses.
pub fn closed() -> Result<Option<String>> {
    // SAFETY: no names: this machine, its default database.
    let manager = Handle(unsafe { OpenSCManagerW(PCWSTR::null(), PCWSTR::null(), SC_MANAGER_CONNECT) }?);
    // SAFETY: the manager is open, the name ends with NUL.
    let service = Handle(unsafe { OpenServiceW(manager.0, &HSTRING::from(SERVICE), ACCESS) }?);
    let found = list(&service)?;
    if only_administrators_silence(&found) {
        return Ok(None);
    }
    let usual = Descriptor::of(USUAL)?;
    // SAFETY: the service is open with the right to do so; the descriptor outlives the call.
    unsafe { SetServiceObjectSecurity(service.0, DACL_SECURITY_INFORMATION, usual.place()) }?;
    Ok(Some(found))
}

fn list(service: &Handle) -> Result<String> {
    let mut needed = 0;
    let asked = DACL_SECURITY_INFORMATION.0;
    // SAFETY: no buffer is given; only the size is asked for, and the call fails for lack of space.
    let _sized = unsafe { QueryServiceObjectSecurity(service.0, asked, None, 0, &raw mut needed) };
    if needed == 0 {
        return Err(Error::last_os_error());
    }
    // Of 8-byte words, because a security descriptor must be aligned.
    let mut words = vec![0_u64; (needed as usize).div_ceil(8)];
    let descriptor = PSECURITY_DESCRIPTOR(words.as_mut_ptr().cast());
    // SAFETY: the buffer has room for `needed` bytes.
    unsafe { QueryServiceObjectSecurity(service.0, asked, Some(descriptor), needed, &raw mut needed) }?;
    access::text(descriptor, DACL_SECURITY_INFORMATION)
}
