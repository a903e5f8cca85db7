//! Owner and access control list of the agent's own folder: SYSTEM and administrators, named by SID, and nobody else.
#![expect(unsafe_code, reason = "no safe crate sets an access control list")]

use std::io::{Error, Result};
use std::path::Path;

use windows::Win32::Foundation::{HLOCAL, LocalFree};
use windows::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    SDDL_REVISION_1,
};
use windows::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetFileSecurityW, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    SetFileSecurityW,
};
use windows::core::{HSTRING, PWSTR};

use crate::state::Kind;

/// Full access for SYSTEM (SY) and administrators (BA), handed down to what is made within, nothing inherited (P).
const FOLDER: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
/// The same for a file.
const FILE: &str = "D:P(A;;FA;;;SY)(A;;FA;;;BA)";

/// The access control list in SDDL, such as `D:P(A;OICI;FA;;;SY)`.
pub(super) fn read(path: &Path) -> Result<String> {
    let path = HSTRING::from(path);
    let mut needed = 0;
    // SAFETY: no buffer is given; only the size is asked for, and the call fails for want of room.
    let _sized = unsafe { GetFileSecurityW(&path, DACL_SECURITY_INFORMATION.0, None, 0, &raw mut needed) };
    if needed == 0 {
        return Err(Error::last_os_error());
    }
    // Of 8-byte words, because a security descriptor must be aligned.
    let mut words = vec![0_u64; (needed as usize).div_ceil(8)];
    let descriptor = PSECURITY_DESCRIPTOR(words.as_mut_ptr().cast());
    let mut text = PWSTR::null();
    // SAFETY: the buffer has room for `needed` bytes; the text is allocated by Windows and freed below.
    unsafe {
        GetFileSecurityW(&path, DACL_SECURITY_INFORMATION.0, Some(descriptor), needed, &raw mut needed).ok()?;
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor,
            SDDL_REVISION_1,
            DACL_SECURITY_INFORMATION,
            &raw mut text,
            None,
        )?;
    }
    // SAFETY: the text is zero-terminated, and nobody else holds it.
    let read = unsafe {
        let read = text.to_string();
        LocalFree(Some(HLOCAL(text.0.cast())));
        read
    };
    read.map_err(Error::other)
}

/// True when only SYSTEM and administrators are named.
pub(super) fn is_closed(list: &str) -> bool {
    let mut entries = list.split('(').skip(1).map(|entry| entry.trim_end_matches(')').rsplit(';').next());
    list.starts_with("D:") && list.contains('(') && entries.all(|who| matches!(who, Some("SY" | "BA")))
}

/// Closes the folder or file to everybody else.
pub(super) fn close(path: &Path, kind: Kind) -> Result<()> {
    let list = HSTRING::from(match kind {
        Kind::Folder => FOLDER,
        Kind::File => FILE,
    });
    let mut descriptor = PSECURITY_DESCRIPTOR::default();
    // SAFETY: the text is zero-terminated; the descriptor is allocated by Windows and freed below.
    unsafe { ConvertStringSecurityDescriptorToSecurityDescriptorW(&list, SDDL_REVISION_1, &raw mut descriptor, None)? };
    let which = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: path and descriptor live through the call; afterwards nobody else holds the descriptor.
    let set = unsafe {
        let set = SetFileSecurityW(&HSTRING::from(path), which, descriptor).ok();
        LocalFree(Some(HLOCAL(descriptor.0)));
        set
    };
    Ok(set?)
}
