//! Section `backup`: which program backs up the machine's data, and when it last did.
//!
//! Sources: the channels `Microsoft-Windows-Backup` (event 4: a backup by wbadmin succeeded) and `Veeam Agent` (event 190: a job ended; its
//! level shows how); `...\CurrentVersion\WindowsBackup\ScheduleParams` (Windows 7's Backup and Restore); `ProtectedUpToTime` of File
//! History for everyone whose settings are loaded; keys of scheduled tasks; makers' services. Of a destination only its kind is kept.

use jiff::{Timestamp, ToSpan};
use policies::fact::{Backup, BackupPlace, BackupProduct, BackupTool, Fact, Instant, List, Reason, Unknown};

use super::accounts::loaded;
use super::context::{CheckContext, Setting, answered, unknown};
use super::drives::removable;
use super::log::{Log, LogExcerpt};
use crate::text::named_backup;
use os::windows::Event;
use os::{Answer, OsError};

mod makers;
mod tasks;

use tasks::{TREE, is_folder, starts};

const CLASSIC: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsBackup\ScheduleParams";
const HISTORY: &str = r"Software\Microsoft\Windows\CurrentVersion\FileHistory";
const HISTORY_POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\FileHistory";
const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
const IMAGES: &str = "Microsoft-Windows-Backup";
/// `BACKUP_SUCCESS_EVENT`.
const SUCCESS: u32 = 4;
/// How many hours to look back for a success.
const HOURS: i64 = 400 * 24;
/// For how many hours an unscheduled backup counts.
const BY_HAND: i64 = 35 * 24;
/// `SERVICE_DISABLED`.
const DISABLED: u64 = 4;

/// Registry keys whose change triggers a new collection of this section, without those that change with every backup.
pub(super) const WATCHED: &[&str] = &[CLASSIC, HISTORY_POLICY];

pub(super) fn collect(context: &CheckContext) -> Backup {
    let mut looked = Looked::default();
    looked.add(images(context));
    looked.add(classic(context));
    looked.add(history(context));
    looked.add(own(context));
    match makers::list(context) {
        Ok(found) => looked.found.extend(found),
        Err(error) => looked.trouble(why(&error)),
    }
    Backup { products: looked.products() }
}

/// What was found, and why it may be incomplete.
#[derive(Default)]
struct Looked {
    found: Vec<BackupProduct>,
    trouble: Option<Unknown>,
}

impl Looked {
    fn add(&mut self, answer: Result<Option<BackupProduct>, Unknown>) {
        match answer {
            Ok(found) => self.found.extend(found),
            Err(trouble) => self.trouble(trouble),
        }
    }

    fn trouble(&mut self, trouble: Unknown) {
        self.trouble.get_or_insert(trouble);
    }

    /// If a source did not answer and no other showed a working backup, it is unknown whether there is one.
    fn products(mut self) -> Fact<List<BackupProduct>> {
        let at_work = self.found.iter().any(|product| product.active == Fact::Known(true));
        match self.trouble {
            Some(trouble) if !at_work => Fact::Unknown(trouble),
            _ => {
                self.found.sort_by_key(|product| product.tool);
                Fact::Known(List::capped(self.found))
            }
        }
    }
}

fn why(error: &OsError) -> Unknown {
    match unknown::<bool>(error) {
        Fact::Unknown(unknown) => unknown,
        Fact::Known(_) => Unknown { reason: Reason::Unreadable, detail: String::new() },
    }
}

fn product(tool: BackupTool, active: Fact<bool>) -> BackupProduct {
    BackupProduct {
        tool,
        active,
        scheduled: untold(),
        last_success_at: untold(),
        last_start_at: untold(),
        place: untold(),
    }
}

/// A fact that the program does not reveal.
fn untold<T>() -> Fact<T> {
    Fact::unknown(Reason::NoReader, "this program does not tell it")
}

/// Images and server backups by wbadmin, which clients have as well.
fn images(context: &CheckContext) -> Result<Option<BackupProduct>, Unknown> {
    let scheduled = starts(context, r"Microsoft\Windows\Backup\Microsoft-Windows-WindowsBackup");
    let last = newest(context, IMAGES, &[SUCCESS], |_| true);
    let (scheduled, last_success_at) = match (scheduled, last) {
        (Ok(false), Ok(None)) => return Ok(None),
        (Err(error), Ok(None) | Err(_)) | (Ok(false), Err(error)) => return Err(why(&error)),
        (scheduled, last) => (
            answered(scheduled, Fact::Known),
            answered(last, |at| {
                at.map_or_else(|| Fact::unknown(Reason::SourceMissing, "none is written down"), Fact::Known)
            }),
        ),
    };
    // Without a schedule it only counts while somebody starts it.
    let active = match &last_success_at {
        Fact::Known(at) if context.now.duration_since(*at).as_hours() <= BY_HAND => Fact::Known(true),
        _ => scheduled.clone(),
    };
    Ok(Some(BackupProduct { scheduled, last_success_at, ..product(BackupTool::ServerBackup, active) }))
}

/// Windows 7's Backup and Restore, by the chosen destination.
fn classic(context: &CheckContext) -> Result<Option<BackupProduct>, Unknown> {
    let target = match context.text(&format!(r"{CLASSIC}\TargetDevice"), "PresentableName") {
        Setting::Set(target) => target,
        Setting::Absent => return Ok(None),
        Setting::Unreadable(error) => return Err(why(&error)),
    };
    let scheduled = answered(starts(context, r"Microsoft\Windows\WindowsBackup\AutomaticBackup"), Fact::Known);
    let active = match &scheduled {
        Fact::Known(false) => {
            Fact::unknown(Reason::NoReader, "nothing starts it, and it does not tell when it last ran")
        }
        scheduled => scheduled.clone(),
    };
    let place = place(context, &target);
    Ok(Some(BackupProduct { scheduled, place, ..product(BackupTool::WindowsBackup, active) }))
}

fn place(context: &CheckContext, target: &str) -> Fact<BackupPlace> {
    if target.starts_with(r"\\") && !target.starts_with(r"\\?\") {
        return Fact::Known(BackupPlace::Share);
    }
    let drive = target.trim_start_matches(r"\\?\").chars().next().map(|drive| drive.to_ascii_uppercase());
    answered(removable(context), |drives| {
        let is_removable = drive.is_some_and(|drive| drives.contains(&drive));
        Fact::Known(if is_removable { BackupPlace::Removable } else { BackupPlace::Local })
    })
}

/// File History, which each person sets up for themselves.
fn history(context: &CheckContext) -> Result<Option<BackupProduct>, Unknown> {
    // Windows 7 and servers do not have it.
    match context.service("fhsvc") {
        Ok(None) => return Ok(None),
        Ok(Some(_)) => {}
        Err(error) => return Err(why(&error)),
    }
    let set = |key: &str, name: &str, value: u64| {
        context.number(key, name).or(Fact::Known(false), |number| Fact::Known(number == value))
    };
    match (set(HISTORY_POLICY, "Disabled", 1), set(&format!(r"{SERVICES}\fhsvc"), "Start", DISABLED)) {
        (Fact::Known(true), _) | (_, Fact::Known(true)) => return Ok(None),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => return Err(unknown),
        (Fact::Known(false), Fact::Known(false)) => {}
    }
    let people = loaded(context).map_err(|error| why(&error))?;
    if people.is_empty() {
        let detail = "nobody is logged on, whose File History could be seen".to_owned();
        return Err(Unknown { reason: Reason::SourceMissing, detail });
    }
    let mut times = Vec::new();
    for sid in people {
        match context.number(&format!(r"HKU\{sid}\{HISTORY}"), "ProtectedUpToTime") {
            Setting::Set(ticks) => times.push(super::filetime(ticks)),
            Setting::Absent => {}
            Setting::Unreadable(error) => return Err(why(&error)),
        }
    }
    if times.is_empty() {
        return Ok(None);
    }
    // Windows sets it to 0 while copying.
    let last_success_at =
        match times.iter().copied().collect::<Option<Vec<Instant>>>().and_then(|times| times.into_iter().min()) {
            Some(at) if at > context.now => Fact::unknown(Reason::Contradictory, "a time that has not come yet"),
            Some(at) => Fact::Known(at),
            None => Fact::unknown(Reason::SourceMissing, "no time is written down at present"),
        };
    let scheduled = Fact::Known(true);
    Ok(Some(BackupProduct { scheduled, last_success_at, ..product(BackupTool::FileHistory, Fact::Known(true)) }))
}

/// A scheduled task that an officer made and named as a backup. Tasks outside any folder are made by people.
fn own(context: &CheckContext) -> Result<Option<BackupProduct>, Unknown> {
    let names = match context.os.keys(TREE) {
        Ok(names) => names,
        Err(OsError::Missing(_)) => Vec::new(),
        Err(error) => return Err(why(&error)),
    };
    let named = names.iter().filter(|name| named_backup(name) && !is_folder(context, name));
    let answers: Vec<Answer<bool>> = named.map(|name| starts(context, name)).collect();
    let on = answers.contains(&Ok(true));
    if let (false, Some(error)) = (on, answers.iter().find_map(|answer| answer.as_ref().err())) {
        return Err(why(error));
    }
    let scheduled = Fact::Known(on);
    Ok((!answers.is_empty()).then(|| BackupProduct { scheduled, ..product(BackupTool::Script, Fact::Known(on)) }))
}

/// The newest event within the period for which `counts` is true.
fn newest(
    context: &CheckContext,
    channel: &str,
    ids: &[u32],
    counts: impl Fn(&Event) -> bool,
) -> Answer<Option<Instant>> {
    /// Enough to find a success behind failures.
    const MOST: usize = 64;
    let since = context.now.checked_sub(HOURS.hours()).unwrap_or(Timestamp::MIN);
    let log = Log { channel, provider: None, ids, most: MOST };
    match log.since(context, since) {
        Ok(LogExcerpt { events, .. }) => {
            Ok(events.iter().find(|event| counts(event)).and_then(|event| Timestamp::from_millisecond(event.at).ok()))
        }
        // Where nothing of the kind is installed, the channel does not exist.
        Err(OsError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
