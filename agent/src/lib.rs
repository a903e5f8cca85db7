//! The agent of Trạm An: reads the machine, never changes it, and reports what it saw to one server.
//!
//! There are two phases: during startup any error ends the program with a message that names the file; after that
//! errors are logged and the agent carries on.

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

/// Runs the program, from command line to exit status.
pub fn entry() -> ExitCode {
    #[cfg(windows)]
    platform::windows::libraries::from_system_only();
    cli::run(std::env::args_os()).into()
}
