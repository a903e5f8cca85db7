//! The person's desktop: asking for administrator rights, a message box that shows Vietnamese marks on every Windows, a readable
//! console.
#![expect(unsafe_code, reason = "windows, consoles and elevation are asked for through their C interfaces")]

use std::io::{Error, Result};
use std::path::Path;

use windows::Win32::System::Console::{
    CONSOLE_FONT_INFOEX, GetStdHandle, STD_OUTPUT_HANDLE, SetConsoleTitleW, SetCurrentConsoleFontEx,
};
use windows::Win32::System::Threading::{GetCurrentProcess, IsWow64Process};
use windows::Win32::UI::Shell::ShellExecuteW;
use windows::Win32::UI::WindowsAndMessaging::{
    MB_ICONINFORMATION, MB_ICONWARNING, MB_OK, MB_SETFOREGROUND, MessageBoxW, SW_SHOWNORMAL,
};
use windows::core::{BOOL, HSTRING, PCWSTR, w};

/// Starts `program` with `arguments` as administrator; Windows asks the person. Does not wait for it.
///
/// # Errors
/// When the person declines, or Windows refuses.
pub fn elevate(program: &Path, arguments: &str) -> Result<()> {
    let (program, arguments) = (HSTRING::from(program), HSTRING::from(arguments));
    // SAFETY: the texts end with NUL and outlive the call.
    let answer = unsafe { ShellExecuteW(None, w!("runas"), &program, &arguments, PCWSTR::null(), SW_SHOWNORMAL) };
    // A result above 32 means success (ShellExecuteW, learn.microsoft.com); otherwise the last error says why.
    if answer.0.addr() > 32 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Shows one sentence in a message box and waits until it is closed.
pub fn tell(title: &str, sentence: &str, serious: bool) {
    let style = if serious { MB_ICONWARNING } else { MB_ICONINFORMATION };
    // SAFETY: the texts end with NUL and outlive the call. The button pressed does not matter: there is only one.
    let _pressed =
        unsafe { MessageBoxW(None, &HSTRING::from(sentence), &HSTRING::from(title), MB_OK | MB_SETFOREGROUND | style) };
}

/// Gives this program's console a title and a font with the Vietnamese marks, which the default font of Windows 7 lacks.
pub fn dress_console(title: &str) {
    let mut font = CONSOLE_FONT_INFOEX { cbSize: size_of::<CONSOLE_FONT_INFOEX>() as u32, ..Default::default() };
    font.dwFontSize.Y = 18;
    for (place, unit) in font.FaceName.iter_mut().zip("Consolas".encode_utf16()) {
        *place = unit;
    }
    // SAFETY: the structure carries its size; without a console both calls just fail and nothing changes.
    unsafe {
        let _titled = SetConsoleTitleW(&HSTRING::from(title));
        if let Ok(console) = GetStdHandle(STD_OUTPUT_HANDLE) {
            let _dressed = SetCurrentConsoleFontEx(console, false, &raw const font);
        }
    }
}

/// True for a 32-bit program on 64-bit Windows.
pub fn is_narrow_on_wide() -> bool {
    let mut narrow = BOOL::default();
    // SAFETY: the process is this one; the output outlives the call.
    unsafe { IsWow64Process(GetCurrentProcess(), &raw mut narrow) }.is_ok() && narrow.as_bool()
}
