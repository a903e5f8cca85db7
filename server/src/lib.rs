//! The server of Trạm An: receives machines' reports, stores them, judges them and shows the results.
//!
//! Routes for agents are in `agent_api`, pages for people in `web`, every query in `store`. `app::App` is built once at
//! start, the same in tests with another clock and another database.

#![expect(
    unreachable_pub,
    reason = "a program: other crates only start it, so `pub` means the whole crate and what nobody calls shows"
)]

mod act;
mod agent_api;
mod airgap;
mod app;
mod audit;
mod backup;
mod bound;
mod ca;
mod cli;
mod clock;
mod config;
mod error;
mod evidence;
mod ingest;
mod jobs;
mod judge;
mod policy;
mod roster;
mod secrets;
mod serve;
#[macro_use]
mod store;
mod tls;
mod verify;
mod view;
mod web;

use std::process::ExitCode;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Runs the program with the arguments of the process. Exit status 0 on success, 2 on failure.
pub fn entry() -> ExitCode {
    core_dumps_forbid();
    cli::run(std::env::args_os())
}

/// Keys and passwords are in memory: neither a crash nor another program of the same user may write them to a file.
fn core_dumps_forbid() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // A limit may always be lowered; where a sandbox refuses even that, the server is still useful.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
