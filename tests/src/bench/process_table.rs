//! What the system says a process costs: memory, processor time, wake-ups.

use std::time::Duration;

use anyhow::Context;

/// Milliseconds in a tick of `/proc/PID/stat`; the same on every Linux that runs Debian's kernels.
const TICK_MS: u64 = 10;

/// What a process has cost so far.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Processor time of the process and of every child it has waited for.
    pub processor: Duration,
    /// How often any of its threads slept voluntarily: each is a wake-up.
    pub wakeups: u64,
}

/// Reads it.
///
/// # Errors
/// The process is gone.
pub fn cost(process: u32) -> anyhow::Result<Cost> {
    let mut wakeups = 0;
    for task in std::fs::read_dir(format!("/proc/{process}/task")).context("the process is gone")?.flatten() {
        // A thread that has ended meanwhile sleeps no more.
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        wakeups += kilobytes(&status, "voluntary_ctxt_switches").unwrap_or(0);
    }
    Ok(Cost { processor: processor(process)?, wakeups })
}

/// Processor time of the process and of all its children, those that live and those it has waited for.
///
/// # Errors
/// The process is gone.
pub fn family(process: u32) -> anyhow::Result<Duration> {
    let children =
        std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).context("the process is gone")?;
    let living = children.split_whitespace().filter_map(|child| processor(child.parse().ok()?).ok());
    Ok(processor(process)? + living.sum::<Duration>())
}

/// Processor time of the process and of every child it has waited for, including one that ended and was not waited for yet.
///
/// # Errors
/// The process is gone.
pub fn processor(process: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
    // The name in brackets may hold blanks.
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Ok(Duration::from_millis(ticks * TICK_MS))
}

/// Proportional memory: private pages whole, shared ones divided by their number of users. Kilobytes.
///
/// # Errors
/// The process is gone.
pub fn proportional_memory(process: u32) -> anyhow::Result<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).context("smaps_rollup")?;
    kilobytes(&rollup, "Pss").context("no Pss in smaps_rollup")
}

/// Proportional memory of the mappings of files whose path holds `words`. Kilobytes.
///
/// # Errors
/// The process is gone.
pub fn proportional_memory_of(process: u32, words: &str) -> anyhow::Result<u64> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/smaps")).context("smaps")?;
    let (mut sum, mut counts) = (0, false);
    for line in maps.lines() {
        match line.split_once(' ') {
            // The first line of a mapping: addresses, then rights, offset, device, number and path.
            Some((addresses, rest)) if !addresses.ends_with(':') => counts = rest.contains(words),
            _ if counts => sum += kilobytes(line, "Pss").unwrap_or(0),
            _ => {}
        }
    }
    Ok(sum)
}

/// Resident memory now; `None` once the process has ended. Kilobytes.
pub fn resident_memory(process: u32) -> Option<u64> {
    kilobytes(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmRSS")
}

/// The most resident memory so far; `None` once the process has ended. Kilobytes.
pub fn peak_memory(process: u32) -> Option<u64> {
    kilobytes(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmHWM")
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_something() {
        let own = std::process::id();
        assert!(proportional_memory(own).unwrap() > 100);
        assert!(peak_memory(own).unwrap() > 100);
        let program = proportional_memory_of(own, "/deps/").unwrap();
        assert!(program > 100 && program < proportional_memory(own).unwrap(), "{program}");
        assert_eq!(proportional_memory_of(own, "/no such file/").unwrap(), 0);
        cost(own).unwrap();
        assert!(cost(u32::MAX).is_err());
    }
}
