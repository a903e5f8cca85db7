//! Enabled timers of systemd that start a backup.

use policies::fact::{Fact, Reason};

use super::{Job, at, job, note};
use crate::collect::linux::scene::{Scene, unknown};
use crate::os::OsError;

const ENABLED: &str = "/etc/systemd/system/timers.target.wants";
const STAMPS: &str = "/var/lib/systemd/timers";
/// Where units lie, the administrator's first.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// The most timers that are looked at.
const MOST: usize = 200;

/// The jobs; what could not be read goes to `trouble`.
pub(super) fn jobs(scene: &Scene, trouble: &mut Option<OsError>) -> Vec<Job> {
    let names = match scene.os.list(ENABLED) {
        Ok(names) => names,
        Err(error) => {
            note(error, trouble);
            return Vec::new();
        }
    };
    let mut jobs = Vec::new();
    for name in names.iter().filter_map(|name| name.strip_suffix(".timer")).take(MOST) {
        let command = match command(scene, name) {
            Ok(command) => command,
            Err(error) => {
                note(error, trouble);
                None
            }
        };
        let tool = job::of_name(name).or_else(|| job::of_command(&command?));
        if let Some(tool) = tool {
            jobs.push(Job { tool, started: started(scene, name) });
        }
    }
    jobs
}

/// What the timer's service starts.
fn command(scene: &Scene, name: &str) -> Result<Option<String>, OsError> {
    let template = name.split_once('@').map(|(stem, _)| format!("{stem}@.service"));
    for file in [Some(format!("{name}.service")), template].into_iter().flatten() {
        for folder in UNITS {
            match scene.text(&format!("{folder}/{file}")) {
                Ok(text) => {
                    let starts = text.lines().filter_map(|line| line.trim().strip_prefix("ExecStart"));
                    let commands: Vec<&str> =
                        starts.filter_map(|rest| rest.split_once('=')).map(|(_, command)| command).collect();
                    return Ok(Some(commands.join("\n")));
                }
                Err(OsError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}

fn started(scene: &Scene, name: &str) -> Fact<policies::fact::Instant> {
    match scene.os.stat(&format!("{STAMPS}/stamp-{name}.timer")) {
        Ok(stat) => at(stat.modified_at),
        // Only a timer that makes up for what it missed keeps one.
        Err(OsError::Missing(_)) => Fact::unknown(Reason::SourceMissing, "the timer keeps no stamp"),
        Err(error) => unknown(&error),
    }
}
