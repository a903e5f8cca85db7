//! The agent of Trạm An: reads the machine, never changes it, reports what it saw to one server.
//!
//! Two phases, told apart: while starting, any error ends the program with a message that names the file; once running,
//! errors are logged and life goes on.

use std::process::ExitCode;

pub mod apart;
pub mod backoff;
pub mod certificate;
pub mod chain;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod connection;
pub mod debounce;
pub mod delivery;
pub mod enrol;
pub mod identity;
pub mod install;
pub mod joining;
pub mod judgement;
pub mod keys;
pub mod logbook;
pub mod notice;
pub mod observation;
pub mod once;
pub mod os;
pub mod policy_store;
pub mod receipts;
pub mod renew;
pub mod report;
pub mod run;
pub mod schedule;
pub mod sections;
pub mod service;
pub mod spool;
pub mod standing;
pub mod state;
pub mod station;
pub mod telemetry;
pub mod terminal;
pub mod tls;
pub mod unconnected;
pub mod watch;

/// Runs the program from its command line to its exit status.
pub fn entry() -> ExitCode {
    #[cfg(windows)]
    os::windows::libraries::from_system_only();
    cli::run(std::env::args_os()).into()
}
