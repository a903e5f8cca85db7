//! Durable reports: many machines over warm connections against the real server, and what each report costs it.

use std::path::Path;
use std::time::{Duration, Instant};

use agent::platform::clock::Clock;
use anyhow::{Context, ensure};
use policies::fact::{Facts, Section};
use protocol::Digest;
use tokio::task::JoinSet;

use super::floor::{self, Sizes};
use super::process_table::{family, processor};
use super::{Extent, Figure};
use crate::fake_agent::FakeAgent;
use crate::postgres::Postgres;
use crate::test_agent::Enrolment;
use crate::test_server::{RunningServer, TestServer};

/// The server that is measured, and what it needs.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its commands.
    pub test_server: &'a TestServer,
    /// The process.
    pub server: &'a RunningServer,
    /// The office of the machines that report.
    pub office: &'a str,
    /// The database's process, where it is not the server itself.
    pub database: Option<&'a Postgres>,
}

/// Makes fake agents report the `facts` of this machine, and compares what that costs with the floor, whose row is stored in `folder`.
///
/// # Errors
/// The server refuses a report.
pub fn measure(subject: Subject<'_>, facts: &Facts, folder: &Path, extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let token = subject.test_server.token_add(subject.office, extent.machines + 1)?;
        let enrolment = Enrolment::new(format!("127.0.0.1:{}", subject.server.port), token);
        let clock = Clock::system();
        let sizes = sizes(&enrolment, facts, &clock).await?;
        let floor = floor::measure(folder, sizes, extent.machines, extent.reports).await?;
        let mut fake_agents = Vec::new();
        let connect = Phase::begin(subject)?;
        for number in 0..extent.machines {
            fake_agents.push(FakeAgent::enrol(&enrolment, &format!("máy-{number:04}")).await?);
        }
        let enrolled = connect.end(subject, extent.machines)?;

        // A request that is refused opens the connection, so that the handshake is told apart.
        let connect = Phase::begin(subject)?;
        for fake_agent in &mut fake_agents {
            drop(fake_agent.connection.policy(Digest::ZERO).await);
            observe(fake_agent, facts)?;
        }
        let connected = connect.end(subject, extent.machines)?;
        let (fake_agents, full) = phase(subject, fake_agents, 1, &clock, Change::Nothing).await?;
        let (fake_agents, same) = phase(subject, fake_agents, extent.reports, &clock, Change::Nothing).await?;
        let (_, changed) = phase(subject, fake_agents, extent.reports / 2, &clock, Change::Section).await?;

        let store = if subject.database.is_some() { "PostgreSQL" } else { "SQLite `synchronous=FULL`" };
        let method = format!(
            "release build, {store}, {} machines at once, one report of {} bytes a request on warm mutual TLS; processor time of the server \
             process; floor of the same run: {floor}",
            extent.machines, sizes.request
        );
        let line = |what: &str, times: f64, beside: f64, spent: &Spent, more: &str| {
            let of_database = spent.database_us.map(|us| format!(" and {us:.0} µs of the database")).unwrap_or_default();
            let ratio = (spent.each_us - beside) / floor.report();
            let apart = if beside > 0.0 { format!(" besides a handshake of {beside:.0} µs") } else { String::new() };
            let measured =
                format!("{:.0} µs{of_database}, {ratio:.2} x floor{apart}, {:.0} a second", spent.each_us, spent.a_second);
            let budget = if times > 0.0 { format!("<= {times} x floor{apart}") } else { "-".to_owned() };
            Figure::new(&format!("server, {store}, {what}"), &budget, measured, &format!("{} {more}; {method}", spent.count))
        };
        Ok(vec![
            line("one enrolment", 3.0, floor.handshake, &enrolled, "enrolments, one after the other, each with its own handshake"),
            line("one mutual handshake", 0.0, 0.0, &connected, "handshakes, each with a request that is refused"),
            line("first full report of a machine", 8.0, 0.0, &full, "reports with every section"),
            line("durable report, nothing changed", 1.5, 0.0, &same, "reports"),
            line("durable report, one section changed", 2.5, 0.0, &changed, "reports with a new body, judged again"),
        ])
    })
}

/// How large an unchanged report is, by sending one.
async fn sizes(enrolment: &Enrolment, facts: &Facts, clock: &Clock) -> anyhow::Result<Sizes> {
    let mut fake_agent = FakeAgent::enrol(enrolment, "máy").await?;
    observe(&mut fake_agent, facts)?;
    fake_agent.report(clock.now()).await?;
    let report = fake_agent.sign(&fake_agent.header(clock.now()))?;
    let mut frames = Vec::new();
    report.encode_into(&mut frames);
    let answer = serde_json::to_vec(&fake_agent.send(&report).await?)?.len();
    Ok(Sizes { request: frames.len(), answer, signed: report.header.len() })
}

fn observe(fake_agent: &mut FakeAgent, facts: &Facts) -> anyhow::Result<()> {
    for &section in Section::ALL {
        fake_agent.observe(section.name(), &facts.encode(section)?);
    }
    Ok(())
}

/// What differs from report to report.
#[derive(Clone, Copy)]
enum Change {
    Nothing,
    Section,
}

struct Phase {
    start: Instant,
    processor: Duration,
    database: Option<Duration>,
}

struct Spent {
    count: u32,
    each_us: f64,
    database_us: Option<f64>,
    a_second: f64,
}

impl Phase {
    fn begin(subject: Subject<'_>) -> anyhow::Result<Self> {
        let database = subject.database.map(|postgres| family(postgres.id()?)).transpose()?;
        Ok(Self { start: Instant::now(), processor: processor(subject.server.running.id())?, database })
    }

    fn end(self, subject: Subject<'_>, count: u32) -> anyhow::Result<Spent> {
        let now = Self::begin(subject)?;
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(count);
        Ok(Spent {
            count,
            each_us: each(now.processor - self.processor),
            database_us: now.database.zip(self.database).map(|(after, before)| each(after - before)),
            a_second: f64::from(count) / self.start.elapsed().as_secs_f64(),
        })
    }
}

/// Every fake agent sends `each` reports, one after the other, all fake agents at once.
async fn phase(
    subject: Subject<'_>,
    fake_agents: Vec<FakeAgent>,
    each: u32,
    clock: &Clock,
    change: Change,
) -> anyhow::Result<(Vec<FakeAgent>, Spent)> {
    let count = each * u32::try_from(fake_agents.len())?;
    let now = clock.now();
    let begun = Phase::begin(subject)?;
    let mut tasks = JoinSet::new();
    for mut fake_agent in fake_agents {
        tasks.spawn(async move {
            for number in 0..each {
                if matches!(change, Change::Section) {
                    let swing = if number % 2 == 0 { "synchronised" } else { "unsynchronised" };
                    fake_agent.observe("time", &format!("{{\"made_up\":\"{swing}{number}\"}}"));
                }
                fake_agent.report(now + i64::from(number)).await?;
            }
            anyhow::Ok(fake_agent)
        });
    }
    let mut back = Vec::new();
    while let Some(done) = tasks.join_next().await {
        back.push(done.context("a machine of the storm")??);
    }
    let spent = begun.end(subject, count)?;
    ensure!(!back.is_empty(), "no machine came back");
    Ok((back, spent))
}
