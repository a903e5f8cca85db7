//! How the program talks to whoever started it: its wishes ("please stop", "the machine slept") as something to wait for,
//! "ready" and "stopping" as words.

#[cfg(target_os = "linux")]
#[path = "service/linux.rs"]
mod system;
#[cfg(windows)]
#[path = "service/windows.rs"]
mod system;

pub use system::{Manager, ServiceEvents, attend};

/// The service's name on Windows: its key, its events' source, its folders below Program Files and ProgramData. The Linux unit is
/// called `posture-agent`.
pub const NAME: &str = "TramAn";

/// What whoever started the program wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceEvent {
    /// End.
    Stop(StopReason),
    /// The machine slept and is awake again: connections are dead, a check may be overdue.
    Awake,
}

/// Why the program shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for it.
    Asked,
    /// The machine goes down.
    Shutdown,
}
