//! What the kernel knows: volume sizes, the computer's name, who runs the agent, firmware tables.
#![expect(unsafe_code, reason = "the kernel is asked through its C interface")]

use windows::Win32::Foundation::HANDLE;
use windows::Win32::Security::{
    CheckTokenMembership, CreateWellKnownSid, PSID, SECURITY_MAX_SID_SIZE, WELL_KNOWN_SID_TYPE,
    WinBuiltinAdministratorsSid, WinLocalSystemSid,
};
use windows::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, FIRMWARE_TABLE_PROVIDER, GetComputerNameExW, GetNativeSystemInfo,
    GetSystemFirmwareTable, IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64, IMAGE_FILE_MACHINE_I386,
    PROCESSOR_ARCHITECTURE_AMD64, PROCESSOR_ARCHITECTURE_ARM64, PROCESSOR_ARCHITECTURE_INTEL, SYSTEM_INFO,
};
use windows::Win32::System::Threading::GetCurrentProcess;
use windows::core::{BOOL, HSTRING, PWSTR, s, w};

use super::{last_error, refused};
use crate::windows::decode;
use crate::{Answer, OsError};

/// [`crate::Os::disk_size`].
pub(super) fn disk_size(path: &str) -> Answer<u64> {
    let mut size = 0;
    // SAFETY: the path ends with NUL, the number outlives the call.
    let answer = unsafe { GetDiskFreeSpaceExW(&HSTRING::from(path), None, Some(&raw mut size), None) };
    answer.map_err(|error| refused(path, &error))?;
    Ok(size)
}

/// [`super::super::WindowsOs::computer_name`]: the name a person gave it, not truncated to the 15 characters of
/// NetBIOS.
pub(super) fn computer_name() -> Answer<String> {
    let mut buffer = [0_u16; 256];
    let mut length = 256;
    let place = PWSTR(buffer.as_mut_ptr());
    // SAFETY: the buffer is passed with its length.
    let answer = unsafe { GetComputerNameExW(ComputerNamePhysicalDnsHostname, Some(place), &raw mut length) };
    answer.map_err(|error| refused("computer name", &error))?;
    Ok(decode::wide(&buffer))
}

/// [`crate::Os::administrator`]: membership only counts when it is in effect, which it is not before elevation through
/// User Account Control.
pub(super) fn administrator() -> bool {
    [WinBuiltinAdministratorsSid, WinLocalSystemSid].into_iter().any(belongs)
}

/// False when the process cannot be asked who runs it.
fn belongs(kind: WELL_KNOWN_SID_TYPE) -> bool {
    // Made of 4-byte numbers, so that the identifier in it is aligned.
    let mut buffer = [0_u32; SECURITY_MAX_SID_SIZE as usize / 4];
    let sid = PSID(buffer.as_mut_ptr().cast());
    let mut length = SECURITY_MAX_SID_SIZE;
    let mut member = BOOL::default();
    // SAFETY: the buffer is passed with its length, which is enough for any identifier.
    let made = unsafe { CreateWellKnownSid(kind, None, Some(sid), &raw mut length) };
    // SAFETY: `sid` is the identifier just made; no token means that of this process.
    made.is_ok() && unsafe { CheckTokenMembership(None, sid, &raw mut member) }.is_ok() && member.as_bool()
}

/// [`super::super::WindowsOs::machine`]. To a program emulated on ARM64, `GetNativeSystemInfo` reports the emulated processor, so the
/// function available since Windows 10 (1511) is tried first.
pub(super) fn machine() -> Answer<u16> {
    if let Some(machine) = machine_behind_emulation() {
        return Ok(machine);
    }
    let mut info = SYSTEM_INFO::default();
    // SAFETY: the output outlives the call.
    unsafe { GetNativeSystemInfo(&raw mut info) };
    // SAFETY: this member of the union is always valid; the other is one number over it.
    let processor = unsafe { info.Anonymous.Anonymous.wProcessorArchitecture };
    match processor {
        PROCESSOR_ARCHITECTURE_AMD64 => Ok(IMAGE_FILE_MACHINE_AMD64.0),
        PROCESSOR_ARCHITECTURE_INTEL => Ok(IMAGE_FILE_MACHINE_I386.0),
        PROCESSOR_ARCHITECTURE_ARM64 => Ok(IMAGE_FILE_MACHINE_ARM64.0),
        other => Err(OsError::Failed("processor".to_owned(), format!("architecture {}", other.0))),
    }
}

/// `IsWow64Process2`, where Windows has it.
fn machine_behind_emulation() -> Option<u16> {
    // SAFETY: the texts end with NUL; the module is always loaded and never released.
    let found = unsafe { GetProcAddress(GetModuleHandleW(w!("kernel32.dll")).ok()?, s!("IsWow64Process2")) }?;
    // SAFETY: this is the documented signature of the function of that name.
    let function: unsafe extern "system" fn(HANDLE, *mut u16, *mut u16) -> BOOL = unsafe { std::mem::transmute(found) };
    let (mut process, mut native) = (0, 0);
    // SAFETY: the handle stands for this process, both outputs outlive the call.
    let answered = unsafe { function(GetCurrentProcess(), &raw mut process, &raw mut native) }.as_bool();
    (answered && native != 0).then_some(native)
}

/// [`super::super::WindowsOs::firmware`].
pub(super) fn firmware() -> Answer<Vec<u8>> {
    const WHAT: &str = "firmware";
    let provider = FIRMWARE_TABLE_PROVIDER(u32::from_be_bytes(*b"RSMB"));
    // SAFETY: without a buffer only the length is returned.
    let length = unsafe { GetSystemFirmwareTable(provider, 0, None) };
    if length == 0 {
        return Err(last_error(WHAT));
    }
    let mut bytes = vec![0; length as usize];
    // SAFETY: the buffer is passed with its length.
    let filled = unsafe { GetSystemFirmwareTable(provider, 0, Some(&mut bytes)) };
    if filled == 0 || filled > length {
        return Err(last_error(WHAT));
    }
    bytes.truncate(filled as usize);
    Ok(bytes)
}
