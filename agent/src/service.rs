//! How the program talks to whoever started it as a service: "please stop" as something to wait for, "ready" and "stopping"
//! as words.

#[cfg(target_os = "linux")]
#[path = "service/linux.rs"]
mod system;
#[cfg(windows)]
#[path = "service/windows.rs"]
mod system;

pub use system::{Notifier, Stop};
