//! `cargo bench-all`: measures what the product costs and prints it beside the budgets, as a table for the README.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use agent::clock::Clock;
use anyhow::Context;
use clap::Parser;
use harness::bench::{Extent, idle, machine, single, storm, table};
use harness::checkout::{self, Profile};
use harness::desk::{Desk, NewOffice, StartUp};
use harness::process;
use policies::fact::Facts;

/// Measures agent and server on this machine. Takes the idle time and about ten minutes more, most of them to build.
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo bench-all")]
struct Arguments {
    /// How many minutes the idle agent is watched.
    #[arg(long, default_value_t = 10)]
    idle_minutes: u64,
    /// How many machines report to the server at once.
    #[arg(long, default_value_t = 256)]
    machines: u32,
    /// How many reports each of them sends.
    #[arg(long, default_value_t = 40)]
    reports: u32,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when standard error is closed.
            drop(writeln!(std::io::stderr(), "the measurement failed: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let say = |what: &str| drop(writeln!(std::io::stderr(), "{what} ..."));
    let extent = Extent {
        idle: Duration::from_secs(arguments.idle_minutes * 60),
        machines: arguments.machines,
        reports: arguments.reports,
    };
    say("building as an office installs it");
    let small = checkout::build(Profile::Agent)?;
    let fast = checkout::build(Profile::Release)?;
    let policies = checkout::root()?.join("policies");
    let header = format!("{}, {}", Clock::system().instant().strftime("%Y-%m-%d"), machine());

    say("one full check");
    let mut figures = single::measure(&small.agent, &policies.join("level-2-workstation.toml"))?;
    let folder = tempfile::tempdir()?;
    let desk = Desk::new(fast.server, folder.path().join("server"));
    desk.init(None)?;
    let office = desk.office_add(&NewOffice { name: "Đo".to_owned(), start_up: StartUp::Off })?;
    desk.roster_declare(&office, &[])?;
    desk.policy_publish(&policies)?;
    let mut server = desk.run("127.0.0.1:0", &folder.path().join("server.log"))?;

    say("reports of many machines");
    let seen = process::answer(process::command(&small.agent).args(["facts", "--json"]))?;
    let facts: Facts = serde_json::from_str(&seen.out).with_context(|| format!("facts --json: {}", seen.err))?;
    figures.extend(storm::measure(&desk, &server, &office, &facts, extent)?);

    say("the agent at rest");
    figures.extend(idle::measure(&small.agent, &desk, &server, &office, folder.path(), extent.idle)?);
    server.running.stop()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{header}\n\n{}", table(&figures))?;
    Ok(())
}
