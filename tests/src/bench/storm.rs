//! Durable reports: many machines over warm connections against the real server, and what each report costs it.

use std::time::{Duration, Instant};

use agent::platform::clock::Clock;
use anyhow::{Context, ensure};
use policies::fact::{Facts, Section};
use tokio::task::JoinSet;

use super::process_table::processor;
use super::{Extent, Figure};
use crate::fake_agent::FakeAgent;
use crate::test_agent::Enrolment;
use crate::test_server::{RunningServer, TestServer};

/// Makes fake agents report the `facts` of this machine.
///
/// # Errors
/// The server refuses a report.
pub fn measure(
    test_server: &TestServer,
    server: &RunningServer,
    office: &str,
    facts: &Facts,
    extent: Extent,
) -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let token = test_server.token_add(office, extent.machines)?;
        let enrolment = Enrolment::new(format!("127.0.0.1:{}", server.port), token);
        let clock = Clock::system();
        let mut fake_agents = Vec::new();
        let connect = Phase::begin(server)?;
        for number in 0..extent.machines {
            fake_agents.push(FakeAgent::enrol(&enrolment, &format!("máy-{number:04}")).await?);
        }
        let enrolled = connect.end(server, extent.machines)?;

        for fake_agent in &mut fake_agents {
            for &section in Section::ALL {
                fake_agent.observe(section.name(), &facts.encode(section)?);
            }
        }
        let (fake_agents, full) = phase(server, fake_agents, 1, &clock, Change::Nothing).await?;
        let (fake_agents, same) = phase(server, fake_agents, extent.reports, &clock, Change::Nothing).await?;
        let (_, changed) = phase(server, fake_agents, extent.reports / 2, &clock, Change::Section).await?;

        let method = format!(
            "release build, SQLite `synchronous=FULL` on this disk, {} machines at once, one report a request on warm mutual TLS; \
             processor time of the server process",
            extent.machines
        );
        let line = |what: &str, budget: &str, spent: &Spent, more: &str| {
            let measured = format!("{:.0} µs, {:.0} a second", spent.each_us, spent.a_second);
            Figure::new(what, budget, measured, &format!("{} {more}; {method}", spent.count))
        };
        Ok(vec![
            line("server, one enrolment", "-", &enrolled, "enrolments, one after the other, each with its own handshake"),
            line("server, first full report of a machine", "-", &full, "reports with every section, handshake included"),
            line("server, durable report, nothing changed", "<= 120 µs", &same, "reports"),
            line("server, durable report, one section changed", "<= 120 µs", &changed, "reports with a new body, judged again"),
        ])
    })
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
}

struct Spent {
    count: u32,
    each_us: f64,
    a_second: f64,
}

impl Phase {
    fn begin(server: &RunningServer) -> anyhow::Result<Self> {
        Ok(Self { start: Instant::now(), processor: processor(server.running.id())? })
    }

    fn end(self, server: &RunningServer, count: u32) -> anyhow::Result<Spent> {
        let spent = processor(server.running.id())? - self.processor;
        Ok(Spent {
            count,
            each_us: spent.as_secs_f64() * 1e6 / f64::from(count),
            a_second: f64::from(count) / self.start.elapsed().as_secs_f64(),
        })
    }
}

/// Every fake agent sends `each` reports, one after the other, all fake agents at once.
async fn phase(
    server: &RunningServer,
    fake_agents: Vec<FakeAgent>,
    each: u32,
    clock: &Clock,
    change: Change,
) -> anyhow::Result<(Vec<FakeAgent>, Spent)> {
    let count = each * u32::try_from(fake_agents.len())?;
    let now = clock.now();
    let begun = Phase::begin(server)?;
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
    let spent = begun.end(server, count)?;
    ensure!(!back.is_empty(), "no machine came back");
    Ok((back, spent))
}
