//! Enabled systemd timers that start a backup.

use policies::fact::{Fact, Reason};

use super::{Job, at, job, note};
use crate::linux::context::{CheckContext, unknown};
use crate::linux::text::ini_value;
use os::OsError;

/// Links to enabled timers: by the administrator, and by packages.
const ENABLED: [&str; 3] = [
    "/etc/systemd/system/timers.target.wants",
    "/usr/lib/systemd/system/timers.target.wants",
    "/lib/systemd/system/timers.target.wants",
];
const STAMPS: &str = "/var/lib/systemd/timers";
/// Where units are, the administrator's first.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// The most timers examined.
const MOST: usize = 200;

/// The jobs found; read errors go to `trouble`.
pub(super) fn jobs(context: &CheckContext, trouble: &mut Option<OsError>) -> Vec<Job> {
    let mut names = Vec::new();
    for folder in ENABLED {
        match context.os.list(folder) {
            Ok(found) => names.extend(found),
            Err(error) => note(error, trouble),
        }
    }
    // Where /lib is a link each occurs twice.
    names.sort_unstable();
    names.dedup();
    let mut jobs = Vec::new();
    for name in names.iter().filter_map(|name| name.strip_suffix(".timer")).take(MOST) {
        let command = match command(context, name) {
            Ok(command) => command,
            Err(error) => {
                note(error, trouble);
                None
            }
        };
        let tool = job::of_name(name).or_else(|| job::of_command(&command?));
        if let Some(tool) = tool {
            jobs.push(Job { tool, started: started(context, name) });
        }
    }
    jobs
}

/// The text of a unit, or of its template. None for a masked one.
fn unit(context: &CheckContext, name: &str) -> Result<Option<String>, OsError> {
    let template = name.split_once('@').and_then(|(stem, rest)| Some(format!("{stem}@.{}", rest.rsplit_once('.')?.1)));
    for file in [Some(name.to_owned()), template].into_iter().flatten() {
        for folder in UNITS {
            match context.text(&format!("{folder}/{file}")) {
                Ok(text) => return Ok(Some(text)),
                Err(OsError::Missing(_)) => {}
                // A masked unit is a link to /dev/null.
                Err(OsError::Failed(..)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}

/// What the timer's service starts: the service with the same name, unless it names another.
fn command(context: &CheckContext, name: &str) -> Result<Option<String>, OsError> {
    let timer = unit(context, &format!("{name}.timer"))?.unwrap_or_default();
    let service = ini_value(&timer, "timer", "unit").unwrap_or_else(|| format!("{name}.service"));
    Ok(unit(context, &service)?.map(|text| {
        let starts = text.lines().filter_map(|line| line.trim().strip_prefix("ExecStart"));
        starts.filter_map(|rest| rest.split_once('=')).map(|(_, command)| command).collect::<Vec<_>>().join("\n")
    }))
}

fn started(context: &CheckContext, name: &str) -> Fact<policies::fact::Instant> {
    match context.os.stat(&format!("{STAMPS}/stamp-{name}.timer")) {
        Ok(stat) => at(stat.modified_at),
        // Only a timer that catches up on missed runs keeps one.
        Err(OsError::Missing(_)) => Fact::unknown(Reason::SourceMissing, "the timer keeps no stamp"),
        Err(error) => unknown(&error),
    }
}
