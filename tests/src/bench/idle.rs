//! The agent at rest: memory, processor time, wake-ups, and what it puts on the wire.

use std::path::Path;
use std::time::Duration;

use super::process_table::{cost, proportional_memory};
use super::{Figure, ratio, rest};
use crate::desk::{Desk, RunningDesk};
use crate::relay::Relay;
use crate::station::{Enrolment, Station};

/// How long the agent may settle after its first report.
const SETTLE: Duration = Duration::from_secs(60);

/// Watches an enrolled agent at rest for `length`; `folder` is its place.
///
/// # Errors
/// Server or agent do not do what they should.
pub fn measure(
    agent: &Path,
    desk: &Desk,
    server: &RunningDesk,
    office: &str,
    folder: &Path,
    length: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let relay = Relay::start(([127, 0, 0, 1], server.port).into())?;
    let station = Station::new(agent.to_path_buf(), folder.join("agent"));
    station
        .enrol(&Enrolment { server: relay.address(), ..Enrolment::new(String::new(), desk.token_add(office, 1)?) })?;
    let mut running = station.run(&folder.join("agent.log"))?;
    rest(SETTLE);
    let first = relay.passed();
    let before = cost(running.id())?;
    rest(length);
    let after = cost(running.id())?;
    let last = relay.passed();
    let memory = proportional_memory(running.id())?;
    running.stop()?;

    let minutes = length.as_secs_f64() / 60.0;
    let method = format!(
        "`posture-agent run`, enrolled, {minutes:.0} minutes from {} s after its start, nothing changing on purpose",
        SETTLE.as_secs()
    );
    let (up, down) = (last.0 - first.0, last.1 - first.1);
    Ok(vec![
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
