//! What the operating system does for the program itself: time, random numbers, the service manager, log and event log. May use `os`.

pub mod chance;
pub mod clock;
pub mod logbook;
pub mod service;
pub mod telemetry;
#[cfg(any(windows, test))]
pub mod windows;
