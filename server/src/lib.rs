//! The desk of Trạm An: receives what machines say, keeps it, judges it and shows it.
//!
//! Routes for agents are in [`api`], pages for people in `web`, every query in `store`. [`app::App`] is built once at
//! start, the same in tests with another clock and another database.

pub mod act;
pub mod api;
pub mod app;
pub mod audit;
pub mod bound;
pub mod ca;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod events;
pub mod ingest;
pub mod judge;
pub mod password;
pub mod policy;
pub mod programs;
pub mod secrets;
pub mod serve;
pub mod store;
pub mod task;
pub mod text;
pub mod tls;
pub mod unconnected;
pub mod web;

use std::process::ExitCode;

/// Runs the program with the arguments of the process. Exit status 0 when it did what was asked, 2 when it could not.
pub fn entry() -> ExitCode {
    cli::run(std::env::args_os())
}
