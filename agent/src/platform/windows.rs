//! What the agent changes on Windows, all of it its own: access lists, the installer's registry key, the service, event log entries;
//! and what it asks of the person's desktop.

#[cfg(windows)]
pub mod access;
#[cfg(windows)]
pub mod desktop;
#[cfg(windows)]
pub mod event_log;
#[cfg(windows)]
pub mod handover;
#[cfg(windows)]
pub mod leftover;
#[cfg(windows)]
pub mod libraries;
#[cfg(windows)]
pub mod secret;
#[cfg(windows)]
pub mod service_guard;
mod silence;
