//! What the program itself needs from the operating system: time, random numbers, service manager, log and event log. May use `os`.

pub mod clock;
mod entry;
pub mod logbook;
#[cfg(windows)]
pub mod name;
pub mod random;
#[cfg(target_os = "linux")]
mod scratch;
pub mod service;
pub mod telemetry;
#[cfg(any(windows, test))]
pub mod windows;

use os::ThisMachine;

/// The native door.
pub fn door() -> ThisMachine {
    #[cfg(target_os = "linux")]
    return ThisMachine::with_scratch(scratch::for_dnf);
    #[cfg(windows)]
    ThisMachine::default()
}
