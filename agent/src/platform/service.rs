//! Communication with whatever started the program (service manager or console): its requests ("stop", "the machine woke
//! up") as events to wait for, "ready" and "stopping" as messages to it.

#[cfg(target_os = "linux")]
#[path = "service/linux.rs"]
mod system;
#[cfg(windows)]
#[path = "service/windows.rs"]
mod system;

pub use system::{Manager, ServiceEvents, attend};

/// A request from whatever started the program, or news from the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceEvent {
    /// Stop.
    Stop(StopReason),
    /// The machine has woken from sleep: connections are dead, a check may be overdue.
    Awake,
}

/// Why the program has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for it.
    Asked,
    /// The system is shutting down.
    Shutdown,
}
