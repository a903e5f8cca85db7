//! The Windows Application log, with the service's name as source.
//!
//! An event needs a file with message templates. `EventCreate.exe`, part of every Windows since XP, holds the template "%1" for the
//! numbers 1 to 1000, so our sentences are shown whole and we need not install a message file.
#![expect(unsafe_code, reason = "the event log is written through its C interface")]

use std::io::Result;

use windows::Win32::Foundation::HANDLE;
use windows::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, RegisterEventSourceW,
    ReportEventW,
};
use windows::core::{HSTRING, PCWSTR};
use windows_registry::LOCAL_MACHINE;

use crate::platform::entry::{Entry, Gravity};
use crate::platform::name::SERVICE;

/// The registry key of the Application log's sources.
const SOURCES: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";
/// Error, warning and information.
const TYPES: u32 = 7;

/// Registers the source; repeating it changes nothing.
///
/// # Errors
/// When Windows refuses: this requires administrator rights.
pub fn register() -> Result<()> {
    let key = LOCAL_MACHINE.create(format!(r"{SOURCES}\{SERVICE}"))?;
    key.set_expand_hstring("EventMessageFile", &HSTRING::from(r"%SystemRoot%\System32\EventCreate.exe"))?;
    key.set_u32("TypesSupported", TYPES)?;
    Ok(())
}

/// Removes the source. Entries already written stay.
///
/// # Errors
/// When Windows refuses.
pub fn forget() -> Result<()> {
    super::handover::removed(LOCAL_MACHINE.remove_tree(format!(r"{SOURCES}\{SERVICE}")))
}

struct Source(HANDLE);

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: it was registered, and is released once. A failure cannot be handled.
        let _given = unsafe { DeregisterEventSource(self.0) };
    }
}

/// Writes one event, in Vietnamese and English.
///
/// # Errors
/// When Windows refuses.
pub fn write(entry: &Entry) -> Result<()> {
    // SAFETY: the text ends with NUL and outlives the call.
    let source = Source(unsafe { RegisterEventSourceW(PCWSTR::null(), &HSTRING::from(SERVICE)) }?);
    let kind = match entry.gravity() {
        Gravity::Information => EVENTLOG_INFORMATION_TYPE,
        Gravity::Warning => EVENTLOG_WARNING_TYPE,
        Gravity::Error => EVENTLOG_ERROR_TYPE,
    };
    let text = entry.text();
    let text = HSTRING::from(format!("{}\r\n\r\n{}", text.vi, text.en));
    let texts = [PCWSTR(text.as_ptr())];
    // SAFETY: the source is open; the single text ends with NUL and outlives the call.
    unsafe { ReportEventW(source.0, kind, 0, entry.number().into(), None, 0, Some(&texts), None) }?;
    Ok(())
}
