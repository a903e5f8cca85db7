//! `cargo bench-all`: measures what the product costs and prints it next to the budgets, as a table for the README.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use agent::platform::clock::Clock;
use anyhow::Context;
use clap::{Parser, ValueEnum};
use harness::bench::storm::Subject;
use harness::bench::{Extent, Figure, attacks, floor, growth, idle, machine, single, storm, table, windows};
use harness::checkout::{self, Profile, Programs};
use harness::postgres::Postgres;
use harness::test_server::{NewOffice, StartUp, TestServer, machine_name};
use harness::{linux, process};
use policies::fact::Facts;

/// Measures agent and server on this machine. Takes twice the idle time and about fifteen minutes more, most of them to build.
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
    /// A server to measure instead of the one that is built from this checkout; its reports are made by the posture-agent beside it.
    #[arg(long)]
    server: Option<std::path::PathBuf>,
    /// Serves answers of so many bytes and does nothing else: the floor of the measurement of reports.
    #[arg(long, hide = true)]
    bare_server: Option<usize>,
    /// Only these parts; all of them but the attacks when none is named.
    #[arg(long, value_enum)]
    only: Vec<Part>,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The Linux agent's size and one full check.
    Check,
    /// Reports of many machines to the server.
    Reports,
    /// What the store of the server grows by.
    Growth,
    /// The Linux agent at rest.
    Idle,
    /// The Windows agent under Wine.
    Windows,
    /// The server under attack. Only when it is named: takes about ten minutes.
    Attacks,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.bare_server {
        Some(size) => floor::serve(size),
        None => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere to report to when standard error is closed.
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
    let wanted = |part| arguments.only.contains(&part) || arguments.only.is_empty() && part != Part::Attacks;
    let fast = match &arguments.server {
        Some(server) => Programs { agent: server.with_file_name("posture-agent"), server: server.clone() },
        None => {
            say("building as an office installs it");
            checkout::build(Profile::Release)?
        }
    };
    // The agents' size and speed are those of what an office installs, which scripts of their own build.
    let installed = [Part::Check, Part::Idle].into_iter().any(wanted);
    let agent = if installed { linux::program()? } else { fast.agent };
    let policies = checkout::root()?.join("policies");
    let policy = policies.join("level-2-controls.toml");
    let header = format!("{}, {}", Clock::system().instant().strftime("%Y-%m-%d"), machine());

    let mut figures = Vec::new();
    if wanted(Part::Check) {
        say("one full check");
        figures.extend(single::measure(&agent, &policy)?);
    }
    let folder = tempfile::tempdir()?;
    let test_server = TestServer::new(fast.server, folder.path().join("server"));
    test_server.init(None)?;
    let office = office(&test_server, &policies)?;
    let log = folder.path().join("server.log");
    let mut server = test_server.run("127.0.0.1:0", &log)?;
    if wanted(Part::Reports) {
        say("reports of many machines");
        let facts = facts_of(&agent)?;
        let subject = Subject { test_server: &test_server, server: &server, office: &office, database: None };
        figures.extend(storm::measure(subject, &facts, folder.path(), extent)?);
        if Postgres::is_installed() {
            say("the same on PostgreSQL");
            figures.extend(reports_on_postgres(&test_server, &policies, &facts, folder.path(), extent)?);
        }
    }
    if wanted(Part::Growth) {
        say("what the store grows by");
        figures.extend(store_growth(&test_server, &policies, &facts_of(&agent)?, folder.path())?);
    }
    if wanted(Part::Idle) {
        say("the agent at rest");
        figures.extend(idle::measure(&agent, &test_server, &server, &office, folder.path(), extent.idle)?);
    }
    if wanted(Part::Windows) {
        say("the Windows agent under Wine");
        figures.extend(windows::measure(&test_server, &server, &office, &policy, folder.path(), extent.idle)?);
    }
    if wanted(Part::Attacks) {
        say("the server under attack");
        figures.extend(attacks::measure(&test_server, &server, &office, &log)?);
    }
    server.running.stop()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{header}\n\n{}", table(&figures))?;
    Ok(())
}

/// The facts of this machine.
fn facts_of(agent: &Path) -> anyhow::Result<Facts> {
    let seen = process::answer(process::command(agent).args(["facts", "--json"]))?;
    serde_json::from_str(&seen.out).with_context(|| format!("facts --json: {}", seen.err))
}

/// The growth of other servers of the same program, one on each database.
fn store_growth(
    test_server: &TestServer,
    policies: &Path,
    facts: &Facts,
    folder: &Path,
) -> anyhow::Result<Vec<Figure>> {
    let on_sqlite = test_server.with_data(folder.join("growing"));
    on_sqlite.init(None)?;
    let mut figures = growth::measure(&on_sqlite, &office(&on_sqlite, policies)?, facts, None)?;
    if Postgres::is_installed() {
        // The user postgres must get through.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))?;
        let cluster = folder.join("growing_postgres");
        std::fs::create_dir(&cluster)?;
        let postgres = Postgres::start_in(&cluster)?;
        let on_postgres = test_server.with_data(folder.join("growing_on_postgres"));
        on_postgres.init(Some(&postgres.url()))?;
        figures.extend(growth::measure(&on_postgres, &office(&on_postgres, policies)?, facts, Some(&postgres))?);
    }
    Ok(figures)
}

/// Reports to another server of the same program whose store is a PostgreSQL of its own.
fn reports_on_postgres(
    test_server: &TestServer,
    policies: &Path,
    facts: &Facts,
    folder: &Path,
    extent: Extent,
) -> anyhow::Result<Vec<Figure>> {
    // The user postgres must get through.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))?;
    let (cluster, data) = (folder.join("postgres"), folder.join("on_postgres"));
    std::fs::create_dir(&cluster)?;
    std::fs::create_dir(&data)?;
    let postgres = Postgres::start_in(&cluster)?;
    let test_server = test_server.with_data(data.join("server"));
    test_server.init(Some(&postgres.url()))?;
    let office = office(&test_server, policies)?;
    let mut server = test_server.run("127.0.0.1:0", &data.join("server.log"))?;
    let subject = Subject { test_server: &test_server, server: &server, office: &office, database: Some(&postgres) };
    let figures = storm::measure(subject, facts, &data, extent)?;
    server.running.stop()?;
    Ok(figures)
}

/// An office with its policy, and this machine on its roster.
fn office(test_server: &TestServer, policies: &Path) -> anyhow::Result<String> {
    let office = test_server.office_add(&NewOffice { name: "Đo".to_owned(), start_up: StartUp::Off })?;
    test_server.roster_declare(&office, &[machine_name()])?;
    test_server.policy_publish(policies)?;
    Ok(office)
}
