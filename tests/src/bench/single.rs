//! One full check, and the size of the program that does it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::process_table::{peak_memory, processor};
use super::{Figure, ratio};
use crate::process::command;

/// How often a warm check is repeated.
const WARM: u32 = 10;
/// How often a cold one.
const COLD: u32 = 3;

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Processor time with all children.
    pub processor: Duration,
    /// From its start to its end.
    pub wall: Duration,
    /// The most resident memory of the program itself, in kilobytes.
    pub memory: u64,
}

/// The agent's binary and one full check with it, warm and cold.
///
/// # Errors
/// The check cannot be run.
pub fn measure(agent: &Path, policy: &Path) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let bytes = std::fs::metadata(agent).with_context(|| agent.display().to_string())?.len();
    figures.push(Figure::new(
        "agent binary, stripped",
        "<= 5 MB",
        format!("{:.2} MB", ratio(bytes, 1_000_000)),
        "`agent/packaging/linux/static`: profile `agent` (opt-level z, fat LTO), musl",
    ));
    check(agent, policy)?;
    let warm = repeat(WARM, || check(agent, policy))?;
    figures.push(figure("one full check, cold: by a process of its own", "<= 0.3 cpu-s, <= 1 s wall, <= 20 MB", &warm, &format!(
        "`posture-agent check`, which remembers nothing; mean of {WARM} runs after one; processor time with all children, largest resident memory of the agent itself"
    )));
    if rustix::process::geteuid().is_root() && drop_caches().is_ok() {
        let cold = repeat(COLD, || {
            drop_caches()?;
            check(agent, policy)
        })?;
        figures.push(figure(
            "the same, and the page cache dropped",
            "given beside it",
            &cold,
            &format!("mean of {COLD} runs, each after dropping the page cache"),
        ));
    }
    Ok(figures)
}

fn figure(what: &str, budget: &str, run: &Run, method: &str) -> Figure {
    Figure::new(what, budget, run.to_string(), method)
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (processor, wall) = (self.processor.as_secs_f64(), self.wall.as_secs_f64());
        write!(f, "{processor:.3} cpu-s, {wall:.2} s wall, {:.1} MB", ratio(self.memory * 1024, 1_000_000))
    }
}

/// The mean of some runs, with the most memory of any.
///
/// # Errors
/// One of them fails.
pub fn repeat(times: u32, mut run: impl FnMut() -> anyhow::Result<Run>) -> anyhow::Result<Run> {
    let mut sum = Run { processor: Duration::ZERO, wall: Duration::ZERO, memory: 0 };
    for _ in 0..times {
        let one = run()?;
        sum.processor += one.processor;
        sum.wall += one.wall;
        sum.memory = sum.memory.max(one.memory);
    }
    Ok(Run { processor: sum.processor / times, wall: sum.wall / times, memory: sum.memory })
}

/// One check of this machine.
fn check(agent: &Path, policy: &Path) -> anyhow::Result<Run> {
    measured(command(agent).args(["check", "--json", "--policy"]).arg(policy))
}

/// Runs `program` to its end, with exit status 0 or 1; its processor time is read before it is waited for.
///
/// # Errors
/// It cannot be started or ends differently.
pub fn measured(program: &mut Command) -> anyhow::Result<Run> {
    let start = Instant::now();
    let mut child = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let pid = Pid::from_child(&child);
    let mut memory = 0;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), options)?.is_none() {
        memory = memory.max(peak_memory(child.id()).unwrap_or(0));
        #[expect(clippy::disallowed_methods, reason = "the pause between two looks at its memory")]
        std::thread::sleep(Duration::from_millis(2));
    }
    let wall = start.elapsed();
    let processor = processor(child.id())?;
    let status = child.wait()?;
    ensure!(matches!(status.code(), Some(0 | 1)), "{:?} ended with {status}", program.get_program());
    Ok(Run { processor, wall, memory })
}

/// Makes the system forget what it read from the disk.
fn drop_caches() -> anyhow::Result<()> {
    rustix::fs::sync();
    Ok(std::fs::write("/proc/sys/vm/drop_caches", "3")?)
}
