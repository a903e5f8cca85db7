//! Owner and access control list of the agent's own files: SYSTEM and administrators, named by SID, and nobody else.
#![expect(unsafe_code, reason = "no safe crate sets an access control list")]

use std::io::{Error, Result};
use std::path::Path;

use windows::Win32::Foundation::{CloseHandle, HANDLE, HLOCAL, LocalFree};
use windows::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetFileSecurityW, GetTokenInformation, OBJECT_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SetFileSecurityW,
    TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows::core::{HSTRING, PWSTR};

use os::Os;
use os::windows::Windows;

/// Owner and access list in the security descriptor definition language (SDDL).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)`.
    pub text: String,
    /// The account that runs the agent, in SDDL notation (`SY`, or a SID).
    own: String,
}

impl Access {
    /// True when the owner is SYSTEM, administrators or the agent's own account.
    pub fn is_ours(&self) -> bool {
        let owner = self.text.strip_prefix("O:").and_then(|rest| rest.split("D:").next()).unwrap_or_default();
        self.holds(owner)
    }

    /// True when the list grants nobody else access. A missing list means everybody.
    pub fn is_closed(&self) -> bool {
        let list = self.text.split_once("D:").map(|(_, list)| list).unwrap_or_default();
        let mut named = list.split('(').skip(1).map(|entry| entry.trim_end_matches(')').rsplit(';').next());
        list.contains('(') && named.all(|who| who.is_some_and(|who| self.holds(who)))
    }

    fn holds(&self, who: &str) -> bool {
        who == "SY" || who == "BA" || who == self.own
    }
}

/// Memory that Windows allocated for a result.
struct Local(*mut core::ffi::c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: allocated by Windows with `LocalAlloc` (or null, which is allowed); freed once.
        unsafe { LocalFree(Some(HLOCAL(self.0))) };
    }
}

/// Reads owner and list of a file or folder.
///
/// # Errors
/// When Windows refuses.
pub fn read(path: &Path) -> Result<Access> {
    let path = HSTRING::from(path);
    let which = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    let mut needed = 0;
    // SAFETY: no buffer is given; only the size is asked for, and the call fails for lack of space.
    let _sized = unsafe { GetFileSecurityW(&path, which.0, None, 0, &raw mut needed) };
    if needed == 0 {
        return Err(Error::last_os_error());
    }
    // Of 8-byte words, because a security descriptor must be aligned.
    let mut words = vec![0_u64; (needed as usize).div_ceil(8)];
    let descriptor = PSECURITY_DESCRIPTOR(words.as_mut_ptr().cast());
    // SAFETY: the buffer has room for `needed` bytes.
    unsafe { GetFileSecurityW(&path, which.0, Some(descriptor), needed, &raw mut needed) }.ok()?;
    Ok(Access { text: text(descriptor, which)?, own: own()? })
}

/// Closes a folder (and everything created in it later) or a file to all but SYSTEM and administrators. A user who runs the agent
/// without administrator rights keeps access to their own files.
///
/// # Errors
/// When Windows refuses.
pub fn close(path: &Path, folder: bool) -> Result<()> {
    set(path, if folder { "OICI" } else { "" }, "")
}

/// Lets all users of this machine read a folder and everything created in it later; only SYSTEM and administrators may
/// write.
///
/// # Errors
/// When Windows refuses.
pub fn publish(folder: &Path) -> Result<()> {
    set(folder, "OICI", "(A;OICI;FRFX;;;BU)")
}

fn set(path: &Path, within: &str, others: &str) -> Result<()> {
    let mut list = format!("D:P(A;{within};FA;;;SY)(A;{within};FA;;;BA){others}");
    let mut which = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    if Windows::default().administrator() {
        list.insert_str(0, "O:BA");
        which |= OWNER_SECURITY_INFORMATION;
    } else {
        list.push_str(&format!("(A;{within};FA;;;{})", own()?));
    }
    let descriptor = Descriptor::of(&list)?;
    // SAFETY: path and descriptor outlive the call.
    unsafe { SetFileSecurityW(&HSTRING::from(path), which, descriptor.0) }.ok()?;
    Ok(())
}

/// A security descriptor made by Windows from SDDL.
pub(super) struct Descriptor(PSECURITY_DESCRIPTOR, #[expect(dead_code, reason = "gives the memory back")] Local);

impl Descriptor {
    /// Pointer to the descriptor, valid as long as `self`.
    pub(super) fn place(&self) -> PSECURITY_DESCRIPTOR {
        self.0
    }

    pub(super) fn of(list: &str) -> Result<Self> {
        let mut descriptor = PSECURITY_DESCRIPTOR::default();
        // SAFETY: the text ends with NUL; the output outlives the call.
        unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                &HSTRING::from(list),
                SDDL_REVISION_1,
                &raw mut descriptor,
                None,
            )
        }?;
        Ok(Self(descriptor, Local(descriptor.0)))
    }
}

/// The descriptor as SDDL.
pub(super) fn text(descriptor: PSECURITY_DESCRIPTOR, which: OBJECT_SECURITY_INFORMATION) -> Result<String> {
    let mut place = PWSTR::null();
    // SAFETY: descriptor and output pointer outlive the call.
    unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1, which, &raw mut place, None)
    }?;
    let _owner = Local(place.0.cast());
    // SAFETY: the text was just made and ends with NUL.
    unsafe { place.to_string() }.map_err(Error::other)
}

/// The account that runs the agent, in the notation of [`read`]: some SIDs have a short name there.
fn own() -> Result<String> {
    let descriptor = Descriptor::of(&format!("O:{}", own_sid()?))?;
    let text = text(descriptor.0, OWNER_SECURITY_INFORMATION)?;
    Ok(text.trim_start_matches("O:").to_owned())
}

struct Token(HANDLE);

impl Drop for Token {
    fn drop(&mut self) {
        // SAFETY: it is open, and closed once. A failure cannot be handled.
        let _closed = unsafe { CloseHandle(self.0) };
    }
}

fn own_sid() -> Result<String> {
    let mut token = Token(HANDLE::default());
    // SAFETY: the process is this one; the output outlives the call.
    unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token.0) }?;
    // Room for a user with the longest possible SID; made of words, because it holds a pointer.
    let mut words = [0_u64; 16];
    let size = u32::try_from(size_of_val(&words)).map_err(Error::other)?;
    let mut needed = 0;
    // SAFETY: the size of the buffer is passed along.
    unsafe { GetTokenInformation(token.0, TokenUser, Some(words.as_mut_ptr().cast()), size, &raw mut needed) }?;
    let mut place = PWSTR::null();
    // SAFETY: Windows filled the buffer with this structure, whose SID is in the same buffer.
    unsafe { ConvertSidToStringSidW((*words.as_ptr().cast::<TOKEN_USER>()).User.Sid, &raw mut place) }?;
    let _owner = Local(place.0.cast());
    // SAFETY: the text was just made and ends with NUL.
    unsafe { place.to_string() }.map_err(Error::other)
}
