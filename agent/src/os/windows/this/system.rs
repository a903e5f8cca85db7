//! What the kernel knows: size of volumes, the computer's name, who runs the agent, the firmware's tables.
#![expect(unsafe_code, reason = "the kernel is asked through its C interface")]

use windows::Win32::Security::{
    CheckTokenMembership, CreateWellKnownSid, PSID, SECURITY_MAX_SID_SIZE, WELL_KNOWN_SID_TYPE,
    WinBuiltinAdministratorsSid, WinLocalSystemSid,
};
use windows::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, FIRMWARE_TABLE_PROVIDER, GetComputerNameExW, GetSystemFirmwareTable,
};
use windows::core::{BOOL, HSTRING, PWSTR};

use super::{last_error, refused};
use crate::os::Answer;
use crate::os::windows::decode;

/// [`crate::os::Os::disk_size`].
pub(super) fn disk_size(path: &str) -> Answer<u64> {
    let mut size = 0;
    // SAFETY: the path ends with NUL, the number outlives the call.
    let answer = unsafe { GetDiskFreeSpaceExW(&HSTRING::from(path), None, Some(&raw mut size), None) };
    answer.map_err(|error| refused(path, &error))?;
    Ok(size)
}

/// [`super::super::WindowsOs::computer_name`]: the name a person gave it, not cut to the 15 letters of NetBIOS.
pub(super) fn computer_name() -> Answer<String> {
    let mut buffer = [0_u16; 256];
    let mut length = 256;
    let place = PWSTR(buffer.as_mut_ptr());
    // SAFETY: the buffer is told with its length.
    let answer = unsafe { GetComputerNameExW(ComputerNamePhysicalDnsHostname, Some(place), &raw mut length) };
    answer.map_err(|error| refused("computer name", &error))?;
    Ok(decode::wide(&buffer))
}

/// [`crate::os::Os::administrator`]: membership counts only when it is in force, which it is not before User Account
/// Control was asked.
pub(super) fn administrator() -> bool {
    [WinBuiltinAdministratorsSid, WinLocalSystemSid].into_iter().any(belongs)
}

/// A process that cannot be asked who it is counts as nobody.
fn belongs(kind: WELL_KNOWN_SID_TYPE) -> bool {
    // Of 4-byte numbers, so that the identifier in it is aligned.
    let mut buffer = [0_u32; SECURITY_MAX_SID_SIZE as usize / 4];
    let sid = PSID(buffer.as_mut_ptr().cast());
    let mut length = SECURITY_MAX_SID_SIZE;
    let mut member = BOOL::default();
    // SAFETY: the buffer is told with its length, which is enough for any identifier.
    let made = unsafe { CreateWellKnownSid(kind, None, Some(sid), &raw mut length) };
    // SAFETY: `sid` is the identifier just made; no token means that of this process.
    made.is_ok() && unsafe { CheckTokenMembership(None, sid, &raw mut member) }.is_ok() && member.as_bool()
}

/// [`super::super::WindowsOs::firmware`].
pub(super) fn firmware() -> Answer<Vec<u8>> {
    const WHAT: &str = "firmware";
    let provider = FIRMWARE_TABLE_PROVIDER(u32::from_be_bytes(*b"RSMB"));
    // SAFETY: without a buffer only the length is told.
    let length = unsafe { GetSystemFirmwareTable(provider, 0, None) };
    if length == 0 {
        return Err(last_error(WHAT));
    }
    let mut bytes = vec![0; length as usize];
    // SAFETY: the buffer is told with its length.
    let filled = unsafe { GetSystemFirmwareTable(provider, 0, Some(&mut bytes)) };
    if filled == 0 || filled > length {
        return Err(last_error(WHAT));
    }
    bytes.truncate(filled as usize);
    Ok(bytes)
}
