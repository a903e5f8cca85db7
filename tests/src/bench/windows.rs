//! The Windows agent under Wine: its size, one full check, the service at rest, and how soon a change is stored.
//!
//! Wine is not Windows. Processor time and memory of its programs include Wine's own share, shown for comparison by a program that
//! does nothing; what its server does for a program is done in another process and added. A call of that server puts a thread to
//! sleep, so wake-ups are upper bounds.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::process_table::{Cost, cost, processor, proportional_memory, proportional_memory_of};
use super::single::{Run, measured, repeat};
use super::{Figure, ratio, rest};
use crate::process::{answer, command};
use crate::test_agent::Enrolment;
use crate::test_server::{RunningServer, TestServer};
use crate::wait;
use crate::windows::{self, Machine};

/// How often a check is repeated.
const CHECKS: u32 = 10;
/// How many changes are made.
const CHANGES: usize = 20;
/// How long the service may settle after its first report.
const SETTLE: Duration = Duration::from_secs(60);
/// A program of Wine that does almost nothing.
const EMPTY: &str = r"C:\windows\system32\ping.exe";

/// Watches the service at rest for `length`; `folder` holds its Windows.
///
/// # Errors
/// A program does not do what it should. What this machine lacks is a figure, not an error.
pub fn measure(
    test_server: &TestServer,
    server: &RunningServer,
    office: &str,
    policy: &Path,
    folder: &Path,
    length: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let lacks = windows::lacks();
    if !lacks.is_empty() {
        let method = format!("this machine lacks {}", lacks.join(", "));
        return Ok(vec![Figure::new("Windows agent under Wine", "-", "not measured".to_owned(), &method)]);
    }
    let mut figures = sizes()?;
    let version = answer(command("wine").arg("--version"))?;
    let version = version.out.split(' ').next().unwrap_or_default().trim().to_owned();
    let machine = Machine::start(&folder.join("windows"))?;
    figures.extend(check(&machine, policy, &version)?);

    let address = format!("127.0.0.1:{}", server.port);
    let installed = machine.install(Some(&Enrolment::new(address, test_server.token_add(office, 1)?)))?;
    ensure!(installed.code == Some(0), "{installed:?} {}", machine.log());
    wait::until("the first receipt", wait::PATIENCE, || Ok((receipts(&machine) > 0).then_some(())))
        .with_context(|| machine.log())?;
    figures.extend(idle(&machine, length, &version)?);
    figures.push(changes(&machine, &version)?);
    Ok(figures)
}

fn sizes() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for architecture in ["x86_64", "i686"] {
        let program = windows::program(architecture)?;
        let bytes = std::fs::metadata(&program).with_context(|| program.display().to_string())?.len();
        figures.push(Figure::new(
            &format!("agent binary, Windows {architecture}, stripped"),
            "<= 5 MB",
            format!("{:.2} MB", ratio(bytes, 1_000_000)),
            "profile `agent` (opt-level z, fat LTO)",
        ));
    }
    Ok(figures)
}

/// One full check, and a program that does nothing.
fn check(machine: &Machine, policy: &Path, version: &str) -> anyhow::Result<Vec<Figure>> {
    let wine_server = machine.windows.process("wineserver")?;
    let mut check = machine.windows.agent(&["check", "--json", "--policy", &windows::path(policy)?])?;
    let mut empty = machine.windows.wine(&[EMPTY, "-n", "1", "127.0.0.1"]);
    let with_server = |program: &mut Command| -> anyhow::Result<Run> {
        let before = processor(wine_server)?;
        let run = measured(program)?;
        Ok(Run { processor: run.processor + (processor(wine_server)? - before), ..run })
    };
    with_server(&mut check)?;
    let checks = repeat(CHECKS, || with_server(&mut check))?;
    let nothing = repeat(CHECKS, || with_server(&mut empty))?;
    let method = format!(
        "`posture-agent check` under {version}, mean of {CHECKS} runs after one; processor time with that of Wine's server, largest \
         resident memory with Wine's libraries"
    );
    Ok(vec![
        Figure::new(
            "one full check, Windows agent, warm",
            "Linux: <= 0.3 cpu-s, <= 1 s wall, <= 20 MB",
            checks.to_string(),
            &method,
        ),
        Figure::new(
            "of that Wine's own",
            "-",
            nothing.to_string(),
            "one ping by Wine's `ping.exe`, measured in the same way",
        ),
    ])
}

/// The service at rest, next to what keeps Wine's services alive.
fn idle(machine: &Machine, length: Duration, version: &str) -> anyhow::Result<Vec<Figure>> {
    let service = machine.windows.process("posture-agent.exe")?;
    rest(SETTLE);
    let before = cost(service)?;
    rest(length);
    let after = cost(service)?;
    let (memory, empty) = (proportional_memory(service)?, proportional_memory(machine.windows.process("ping.exe")?)?);
    let (program, libraries) =
        (proportional_memory_of(service, "posture-agent.exe")?, proportional_memory_of(service, "/wine/")?);

    let minutes = length.as_secs_f64() / 60.0;
    let spent = |cost: &Cost| cost.processor.as_secs_f64();
    let method = format!(
        "the service under {version}, enrolled, {minutes:.0} minutes from {} s after its first report, nothing changing on purpose",
        SETTLE.as_secs()
    );
    let megabytes = |kilobytes: u64| format!("{:.1} MB", ratio(kilobytes * 1024, 1_000_000));
    Ok(vec![
        Figure::new("Windows agent memory, idle (PSS)", "Linux: <= 6 MB", megabytes(memory), &method),
        Figure::new(
            "of that Wine's own",
            "-",
            format!("{} Wine's libraries, {} the program", megabytes(libraries), megabytes(program)),
            &format!(
                "PSS of mapped files; the rest is heaps and stacks of both. Wine's `ping.exe`, which loads few libraries, takes {} beside it",
                megabytes(empty)
            ),
        ),
        Figure::new(
            "Windows agent idle processor time",
            "<= 0.002 cpu-s a minute",
            format!("{:.4} cpu-s a minute", (spent(&after) - spent(&before)) / minutes),
            &format!("{method}; ticks of 10 ms, without Wine's server"),
        ),
        Figure::new(
            "Windows agent idle wake-ups",
            "<= 10 a minute",
            format!("{:.1} a minute", ratio(after.wakeups - before.wakeups, 1) / minutes),
            &format!("{method}; voluntary context switches of all threads, calls of Wine's server among them"),
        ),
    ])
}

/// How soon a changed value of the registry is stored by the server.
fn changes(machine: &Machine, version: &str) -> anyhow::Result<Figure> {
    let mut lengths = Vec::new();
    for number in 0..CHANGES {
        let (before, name) = (receipts(machine), format!("ntp{number}.thu.example"));
        let start = Instant::now();
        machine.windows.registry_set(r"HKLM\SOFTWARE\Policies\Microsoft\W32Time\Parameters", "NtpServer", &name)?;
        wait::until("a receipt for the change", wait::PATIENCE, || {
            Ok((machine.facts_hold("time", &name) && receipts(machine) > before).then_some(()))
        })
        .with_context(|| machine.log())?;
        lengths.push(start.elapsed());
    }
    lengths.sort();
    let (middle, longest) = (lengths[CHANGES / 2], lengths[CHANGES - 1]);
    Ok(Figure::new(
        "change of a watched registry key to stored report, Windows agent",
        "p99 <= 3 s",
        format!("p50 {:.2} s, longest {:.2} s", middle.as_secs_f64(), longest.as_secs_f64()),
        &format!(
            "{CHANGES} changes under {version}, from the start of the program that makes the change (`reg add`) until the agent holds the \
             server's receipt; looked at every 50 ms"
        ),
    ))
}

/// How many bytes of receipts the agent holds: each says that the server has stored a report.
fn receipts(machine: &Machine) -> u64 {
    std::fs::metadata(machine.state().join("receipts")).map_or(0, |file| file.len())
}
