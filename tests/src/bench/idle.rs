//! The agent at rest: memory, processor time, wake-ups, and network traffic; then the cost of a check.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use super::process_table::{cost, processor, proportional_memory};
use super::{Figure, ratio, rest};
use crate::relay::Relay;
use crate::test_agent::{Enrolment, TestAgent};
use crate::test_server::{RunningServer, TestServer};
use crate::wait;

/// How long the agent may settle after its first report.
const SETTLE: Duration = Duration::from_secs(60);
/// How many checks are ordered; the agent makes one a minute at the most.
const CHECKS: u32 = 5;
/// How long one may take, with the wait for the minute.
const CHECK_PATIENCE: Duration = Duration::from_secs(120);

/// Watches an enrolled agent at rest for `length`; `folder` is its folder.
///
/// # Errors
/// Server or agent misbehave.
pub fn measure(
    agent: &Path,
    test_server: &TestServer,
    server: &RunningServer,
    office: &str,
    folder: &Path,
    length: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let relay = Relay::start(([127, 0, 0, 1], server.port).into())?;
    let test_agent = TestAgent::new(agent.to_path_buf(), folder.join("agent"));
    test_agent.enrol(&Enrolment {
        server: relay.address(),
        ..Enrolment::new(String::new(), test_server.token_add(office, 1)?)
    })?;
    let mut running = test_agent.run(&folder.join("agent.log"))?;
    rest(SETTLE);
    let first = relay.passed();
    let before = cost(running.id())?;
    rest(length);
    let after = cost(running.id())?;
    let last = relay.passed();
    let memory = proportional_memory(running.id())?;
    let check = ordered_checks(test_server, &test_agent, running.id())?;
    running.stop()?;

    let minutes = length.as_secs_f64() / 60.0;
    let method = format!(
        "`posture-agent run`, enrolled, {minutes:.0} minutes from {} s after its start, nothing changing on purpose",
        SETTLE.as_secs()
    );
    let (up, down) = (last.0 - first.0, last.1 - first.1);
    Ok(vec![
        check,
        Figure::new(
            "agent memory, idle (PSS)",
            "<= 6 MB",
            format!("{:.2} MB", ratio(memory * 1024, 1_000_000)),
            &method,
        ),
        Figure::new(
            "agent idle processor time",
            "<= 0.002 cpu-s a minute",
            format!("{:.4} cpu-s a minute", (after.processor - before.processor).as_secs_f64() / minutes),
            &format!("{method}; ticks of 10 ms"),
        ),
        Figure::new(
            "agent idle wake-ups",
            "<= 10 a minute",
            format!("{:.1} a minute", ratio(after.wakeups - before.wakeups, 1) / minutes),
            &format!("{method}; voluntary context switches of all threads"),
        ),
        Figure::new(
            "on the wire: connecting and the first full report",
            "-",
            format!("{:.1} kB up, {:.1} kB down", ratio(first.0, 1000), ratio(first.1, 1000)),
            "payload of TCP, TLS included: enrolment, handshakes, policy, first report",
        ),
        Figure::new(
            "on the wire at rest, a day",
            "<= 60 kB",
            format!("{:.1} kB", ratio(up + down, 1000) * 24.0 * 60.0 / minutes),
            &format!(
                "{up} B up and {down} B down in {minutes:.0} minutes, scaled to a day; payload of TCP both ways, TLS and polls included"
            ),
        ),
    ])
}

/// The agent's identity, of which only the machine's id matters here.
#[derive(Deserialize)]
struct Identity {
    machine: String,
}

/// What a full check costs the running agent `process`, which remembers what did not change.
fn ordered_checks(test_server: &TestServer, test_agent: &TestAgent, process: u32) -> anyhow::Result<Figure> {
    let identity: Identity = serde_json::from_slice(&std::fs::read(test_agent.state().join("identity.json"))?)?;
    let receipts = || std::fs::metadata(test_agent.state().join("receipts")).map_or(0, |file| file.len());
    let ordered = || -> anyhow::Result<()> {
        let before = receipts();
        test_server.ask::<serde_json::Value>(&["machine", "check-now", &identity.machine])?;
        wait::until("a receipt for an ordered check", CHECK_PATIENCE, || Ok((receipts() > before).then_some(())))
    };
    // What it remembers may date from before its lists changed.
    ordered().context("the first ordered check")?;
    let before = processor(process)?;
    for _ in 0..CHECKS {
        ordered()?;
    }
    let spent = (processor(process)? - before) / CHECKS;
    Ok(Figure::new(
        "one full check, warm: by the running agent",
        "<= 0.15 cpu-s",
        format!("{:.3} cpu-s", spent.as_secs_f64()),
        &format!(
            "mean of {CHECKS} checks ordered by the server after one; processor time of `posture-agent run` with all children, from the order to the receipt: judging, signing and sending included"
        ),
    ))
}
