//! The agent of Trạm An: reads the machine, never changes it, reports what it saw to one server.
//!
//! Two phases, told apart: while starting, any error ends the program with a message that names the file; once running,
//! errors are logged and life goes on.

use std::process::ExitCode;

mod airgap;
mod cli;
pub mod connection;
mod daemon;
mod enrol;
pub mod identity;
mod install;
pub mod platform;
mod policy;
mod report;
pub mod state;

/// Runs the program from its command line to its exit status.
pub fn entry() -> ExitCode {
    #[cfg(windows)]
    platform::windows::libraries::from_system_only();
    cli::run(std::env::args_os()).into()
}
