//! Section `backup`: which program copies the machine's data away, and when it was last started.
//!
//! Sources: timers of systemd that are enabled, with the program their service starts; tables and folders of cron; processes of agents of
//! backup servers. Of a job only the kind of program is kept, never its command line. When a timer was last started its stamp says
//! (`/var/lib/systemd/timers`); how that ended is nowhere written down in a form that all these programs share.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Backup, BackupProduct, BackupTool, Fact, Instant, List, Reason};

use super::context::{CheckContext, unknown};
use os::OsError;

mod cron;
mod job;
mod timers;

/// Agents of backup servers, by the names of their processes.
const AGENTS: &[(BackupTool, &str)] = &[
    (BackupTool::Bacula, "bacula-fd"),
    (BackupTool::Bareos, "bareos-fd"),
    (BackupTool::UrBackup, "urbackupclientbackend"),
    (BackupTool::Veeam, "veeamservice"),
];

/// Programs that do nothing unless somebody starts them.
const PROGRAMS: &[(BackupTool, &str)] = &[
    (BackupTool::Restic, "/usr/bin/restic"),
    (BackupTool::Borg, "/usr/bin/borg"),
    (BackupTool::Duplicity, "/usr/bin/duplicity"),
    (BackupTool::Timeshift, "/usr/bin/timeshift"),
    (BackupTool::Rsnapshot, "/usr/bin/rsnapshot"),
];
/// Each person's settings say whether it copies; these are not read.
const DEJA_DUP: &str = "/usr/bin/deja-dup";

/// A job that a schedule starts.
struct Job {
    tool: BackupTool,
    started: Fact<Instant>,
}

pub(super) fn collect(context: &CheckContext) -> Backup {
    let mut trouble = None;
    let mut jobs = timers::jobs(context, &mut trouble);
    jobs.extend(cron::jobs(context, &mut trouble));
    let mut found: BTreeMap<BackupTool, BackupProduct> = BTreeMap::new();
    for job in jobs {
        let new = product(job.tool, Fact::Known(true), Fact::Known(true), job.started.clone());
        let known = found.entry(job.tool).or_insert(new);
        // Of several jobs the one that was started last.
        if job.started.known() > known.last_start_at.known() {
            known.last_start_at = job.started;
        }
    }
    for &(tool, name) in AGENTS {
        if context.runs(name) {
            found.entry(tool).or_insert_with(|| product(tool, Fact::Known(true), untold(), untold()));
        }
    }
    for &(tool, path) in PROGRAMS {
        if context.os.exists(path) {
            let idle = || product(tool, Fact::Known(false), Fact::Known(false), untold());
            found.entry(tool).or_insert_with(idle);
        }
    }
    if context.os.exists(DEJA_DUP) {
        found.entry(BackupTool::DejaDup).or_insert_with(|| product(BackupTool::DejaDup, untold(), untold(), untold()));
    }
    let at_work = found.values().any(|product| product.active == Fact::Known(true));
    Backup {
        products: match trouble {
            // Where a schedule could not be looked at, nobody can say that there is no backup in it.
            Some(error) if !at_work => unknown(&error),
            _ if context.processes().is_empty() => Fact::unknown(Reason::Unreadable, "/proc shows no process"),
            _ => Fact::Known(found.into_values().collect::<List<_>>()),
        },
    }
}

fn product(tool: BackupTool, active: Fact<bool>, scheduled: Fact<bool>, started: Fact<Instant>) -> BackupProduct {
    BackupProduct { tool, active, scheduled, last_success_at: untold(), last_start_at: started, place: untold() }
}

fn untold<T>() -> Fact<T> {
    Fact::unknown(Reason::NoReader, "this program does not tell it")
}

/// Remembers the first source that did not answer; one that is missing has nothing to say.
fn note(error: OsError, trouble: &mut Option<OsError>) {
    if !matches!(error, OsError::Missing(_)) {
        trouble.get_or_insert(error);
    }
}

/// A time in milliseconds since 1970 UTC.
fn at(millisecond: i64) -> Fact<Instant> {
    Timestamp::from_millisecond(millisecond)
        .map_or_else(|_| Fact::unknown(Reason::Unreadable, "an impossible time"), Fact::Known)
}

#[cfg(test)]
mod tests;
