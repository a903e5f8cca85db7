//! Where libraries are loaded from: only the system folder, never the program's own folder or the current one, where
//! somebody may have put a file of the same name (USB stick, download folder).
//!
//! Imported libraries are loaded before the program's first line runs, from the system's list of known libraries or else from the
//! program's own folder. For an installed program that is under Program Files, where only administrators write. The GNU linker has no
//! `/DEPENDENTLOADFLAG`, which would close this gap for a program started elsewhere.
#![expect(unsafe_code, reason = "the function is looked up by name, because Windows 7 may lack it")]

use windows::Win32::System::LibraryLoader::{
    GetModuleHandleW, GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, SetDllDirectoryW,
};
use windows::core::{BOOL, s, w};

/// Makes libraries loaded from now on come from the system folder. On Windows 7 without its 2011 update (KB2533623) it only
/// excludes the current folder.
pub fn from_system_only() {
    // SAFETY: the texts end with NUL; the module is always loaded and never released.
    let found = unsafe {
        GetModuleHandleW(w!("kernel32.dll"))
            .ok()
            .and_then(|kernel| GetProcAddress(kernel, s!("SetDefaultDllDirectories")))
    };
    let done = found.is_some_and(|function| {
        // SAFETY: this is the documented signature of the function of that name.
        let function: unsafe extern "system" fn(u32) -> BOOL = unsafe { std::mem::transmute(function) };
        // SAFETY: it takes one number.
        unsafe { function(LOAD_LIBRARY_SEARCH_SYSTEM32.0) }.as_bool()
    });
    if !done {
        // SAFETY: the text ends with NUL. If even this is refused, nothing more can be done.
        let _refused = unsafe { SetDllDirectoryW(w!("")) };
    }
}
