//! What the product costs, measured on the real programs and compared with its budgets. Does not justify the budgets.

use std::time::{Duration, Instant};

pub mod attacks;
pub mod floor;
pub mod growth;
pub mod idle;
pub mod process_table;
pub mod single;
pub mod storm;
pub mod windows;

/// One line of the result.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What it may cost.
    pub budget: String,
    /// What it costs.
    pub measured: String,
    /// How it was measured.
    pub method: String,
}

impl Figure {
    /// A line.
    pub fn new(what: &str, budget: &str, measured: String, method: &str) -> Self {
        Self { what: what.to_owned(), budget: budget.to_owned(), measured, method: method.to_owned() }
    }
}

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How long the idle agent is watched.
    pub idle: Duration,
    /// How many machines report to the server.
    pub machines: u32,
    /// How many reports each of them sends.
    pub reports: u32,
}

/// The figures as a Markdown table.
pub fn table(figures: &[Figure]) -> String {
    let mut text = "| what | budget | measured | method |\n|---|---|---|---|\n".to_owned();
    for Figure { what, budget, measured, method } in figures {
        text.push_str(&format!("| {what} | {budget} | **{measured}** | {method} |\n"));
    }
    text
}

/// The machine the figures belong to: processor, cores, memory, system.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let gigabytes = memory.trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0 / 1024.0;
    let release = read("/etc/os-release");
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("").trim_matches('"');
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!("{processor}, {cores} cores, {gigabytes:.0} GiB, {system}; load at the start {load}")
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

/// Lets time pass: what is measured here is the agent at rest.
fn rest(length: Duration) {
    let end = Instant::now() + length;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        #[expect(clippy::disallowed_methods, reason = "time itself is what is waited for")]
        std::thread::sleep(left);
    }
}
