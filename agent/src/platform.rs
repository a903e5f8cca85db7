//! What the operating system does for the program itself: time, random numbers, the service manager, log and event log. May use `os`.

pub mod clock;
pub mod logbook;
pub mod random;
#[cfg(target_os = "linux")]
mod scratch;
pub mod service;
pub mod telemetry;
#[cfg(any(windows, test))]
pub mod windows;

use os::ThisMachine;

/// The door to this machine.
pub fn door() -> ThisMachine {
    #[cfg(target_os = "linux")]
    return ThisMachine::with_scratch(scratch::for_dnf);
    #[cfg(windows)]
    ThisMachine::default()
}
