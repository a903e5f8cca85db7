//! Wakes a sleeping thread: a Windows event.
#![expect(unsafe_code, reason = "no safe crate wakes a thread that waits for several things of Windows")]

use std::io::{Error, Result};
use std::time::Duration;

use windows::Win32::Foundation::{CloseHandle, HANDLE, WAIT_TIMEOUT};
use windows::Win32::System::Threading::{CreateEventW, SetEvent, WaitForSingleObject};
use windows::core::PCWSTR;

/// A Windows event, closed on drop.
#[derive(Debug)]
pub(super) struct Signal(HANDLE);

// SAFETY: events may be used and closed from any thread.
unsafe impl Send for Signal {}
// SAFETY: as above; no call changes the handle.
unsafe impl Sync for Signal {}

impl Signal {
    /// Makes an event. With `stays` it stays signalled (manual reset), otherwise it wakes one waiting thread and resets
    /// itself.
    ///
    /// # Errors
    /// When the system gives none.
    pub(super) fn new(stays: bool) -> Result<Self> {
        // SAFETY: no name and no attributes are given.
        unsafe { CreateEventW(None, stays, false, PCWSTR::null()) }.map(Self).map_err(Error::from)
    }

    /// Signals the event.
    pub(super) fn give(&self) {
        // SAFETY: the event is open. A failure cannot be handled.
        let _signalled = unsafe { SetEvent(self.0) };
    }

    /// True when it was signalled within `time`, or cannot be waited for.
    pub(super) fn came_within(&self, time: Duration) -> bool {
        let milliseconds = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: the event is open.
        unsafe { WaitForSingleObject(self.0, milliseconds) != WAIT_TIMEOUT }
    }

    /// The handle to wait for; open as long as this lives.
    pub(super) const fn handle(&self) -> HANDLE {
        self.0
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        // SAFETY: it is open, and closed once. A failure cannot be handled.
        let _closed = unsafe { CloseHandle(self.0) };
    }
}
