//! Cron jobs that make a backup: system crontabs, script folders, people's crontabs.

use policies::fact::BackupTool;

use super::{Job, job, note, untold};
use crate::linux::context::CheckContext;
use os::OsError;

/// Tables with a user name, or a delay and a name, before the command.
const SYSTEM: [&str; 2] = ["/etc/crontab", "/etc/anacrontab"];
const TABLES: &str = "/etc/cron.d";
/// Scripts that are run as they are.
const SCRIPTS: [&str; 4] = ["/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"];
/// Crontabs of people, including root's: where Debian and where Red Hat keep them.
const PEOPLE: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];
/// The most files examined in a folder.
const MOST: usize = 200;

/// The jobs found; read errors go to `trouble`.
pub(super) fn jobs(context: &CheckContext, trouble: &mut Option<OsError>) -> Vec<Job> {
    let mut tools = Vec::new();
    for path in SYSTEM {
        table(context, path, &mut tools, trouble);
    }
    for folder in [TABLES, PEOPLE[0], PEOPLE[1]] {
        for name in names(context, folder, trouble) {
            table(context, &format!("{folder}/{name}"), &mut tools, trouble);
        }
    }
    for folder in SCRIPTS {
        for name in names(context, folder, trouble) {
            tools.extend(job::of_name(&name).or_else(|| script(context, &format!("{folder}/{name}"), trouble)));
        }
    }
    tools.into_iter().map(|tool| Job { tool, started: untold() }).collect()
}

fn names(context: &CheckContext, folder: &str, trouble: &mut Option<OsError>) -> Vec<String> {
    match context.os.list(folder) {
        // Hidden files only mark the folder; leftovers of editors and packages are not run.
        Ok(names) => {
            let run = |name: &String| !name.starts_with('.') && !name.contains(".dpkg-") && !name.ends_with('~');
            names.into_iter().filter(run).take(MOST).collect()
        }
        Err(error) => {
            note(error, trouble);
            Vec::new()
        }
    }
}

/// What a script starts, whatever its name.
fn script(context: &CheckContext, path: &str, trouble: &mut Option<OsError>) -> Option<BackupTool> {
    match context.text(path) {
        Ok(text) => job::of_script(&text),
        Err(error) => {
            note(error, trouble);
            None
        }
    }
}

fn table(context: &CheckContext, path: &str, tools: &mut Vec<BackupTool>, trouble: &mut Option<OsError>) {
    match context.text(path) {
        Ok(text) => tools.extend(text.lines().filter_map(command).filter_map(job::of_command)),
        // A folder among the tables.
        Err(OsError::Failed(..)) if context.os.list(path).is_ok() => {}
        Err(error) => note(error, trouble),
    }
}

/// The command of a line, which begins with a time or with `@`.
fn command(line: &str) -> Option<&str> {
    let line = line.trim();
    let first = line.chars().next()?;
    (first.is_ascii_digit() || "*@".contains(first)).then_some(line)
}
