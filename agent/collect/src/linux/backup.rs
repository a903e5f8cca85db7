//! Section `backup`: which program backs up the machine's data, and when it last started.
//!
//! Sources: enabled systemd timers with the program their service starts; crontabs and cron folders; processes of backup server agents.
//! Only the kind of program is kept of a job, never its command line. A timer's stamp file (`/var/lib/systemd/timers`) shows when it last
//! started; how the job ended is not recorded in a format shared by all these programs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Backup, BackupProduct, BackupTool, Fact, Instant, List, Reason};

use super::context::{CheckContext, unknown};
use os::OsError;

mod cron;
mod job;
mod timers;

/// Backup server agents, by process name.
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
/// Whether it copies is in each person's settings, which are not read.
const DEJA_DUP: &str = "/usr/bin/deja-dup";

/// A scheduled job.
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
        // Of several jobs, the one that started last.
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
            // If a schedule could not be read, it may contain a backup.
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

/// Remembers the first source that could not be read; a missing one does not count.
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
