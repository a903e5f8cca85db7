//! Where libraries are loaded from: the system's folder alone, never the folder the program was started from or in, where
//! somebody may have put a file of the same name (a USB stick, a download folder).
//!
//! What the import table names was loaded before the program's first line, from the system's list of known libraries or else from the
//! program's own folder; installed, that is below Program Files, where only administrators write. The GNU linker has no
//! `/DEPENDENTLOADFLAG`, which would close that gap for a program started elsewhere.
#![expect(unsafe_code, reason = "the function is looked up by name, because Windows 7 may lack it")]

use windows::Win32::System::LibraryLoader::{
    GetModuleHandleW, GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, SetDllDirectoryW,
};
use windows::core::{BOOL, s, w};

/// Has libraries loaded from now on come from the system's folder. Windows 7 without its update of 2011 (KB2533623) only leaves the
/// current folder out.
pub fn from_system_only() {
    // SAFETY: the texts end with NUL; the module is always loaded and never given back.
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
        // SAFETY: the text ends with NUL. Nothing more can be done where even this is refused.
        let _refused = unsafe { SetDllDirectoryW(w!("")) };
    }
}
