//! What several collectors need during one check: the machine, the time, the processes. Read at most once per check.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::fact::{Fact, Reason};

use os::{Answer, LinuxOs, OsError};

pub(super) use crate::answer::{answered, unknown};
use crate::linux::ssh_settings::Ssh;
use crate::linux::text;

/// The most files read from one folder.
const FILES: usize = 1_000;

/// One check of one machine.
pub(super) struct CheckContext {
    /// The machine.
    pub(super) os: Arc<dyn LinuxOs>,
    /// The time of the check.
    pub(super) now: Timestamp,
    processes: OnceLock<(Vec<Process>, bool)>,
    missed: AtomicBool,
    ssh: OnceLock<Ssh>,
    zone: OnceLock<TimeZone>,
}

/// A running process of this machine (not of a container on it, if that can be determined).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Process id.
    pub(super) pid: u32,
    /// Its kernel name: at most 15 bytes.
    pub(super) name: String,
}

impl CheckContext {
    /// A recorded machine at an instant that does not matter.
    #[cfg(test)]
    pub(super) fn of(os: os::recorded::Recorded) -> Self {
        Self::new(Arc::new(os), Timestamp::UNIX_EPOCH)
    }

    pub(super) fn new(os: Arc<dyn LinuxOs>, now: Timestamp) -> Self {
        Self {
            os,
            now,
            processes: OnceLock::new(),
            missed: AtomicBool::new(false),
            ssh: OnceLock::new(),
            zone: OnceLock::new(),
        }
    }

    /// All processes by id, for a question whose answer is wrong when some are hidden. Empty only when `/proc` cannot be read.
    pub(super) fn processes(&self) -> &[Process] {
        self.missed.fetch_or(!self.looked_up().1, Ordering::Relaxed);
        self.visible_processes()
    }

    /// The processes that this user can see, by id.
    pub(super) fn visible_processes(&self) -> &[Process] {
        &self.looked_up().0
    }

    /// The processes, and whether they are complete: a `/proc` mounted with `hidepid` hides other users' processes,
    /// including process 1.
    fn looked_up(&self) -> &(Vec<Process>, bool) {
        self.processes.get_or_init(|| {
            let (mut processes, mut whole) = (Vec::new(), true);
            for pid in self.os.list("/proc").unwrap_or_default().iter().filter_map(|name| name.parse().ok()) {
                match self.os.head(&format!("/proc/{pid}/comm"), 64) {
                    Ok(name) => {
                        let name = String::from_utf8_lossy(&name).trim_end().to_owned();
                        processes.push(Process { pid, name });
                    }
                    Err(OsError::Denied(_)) => whole = false,
                    // It has ended meanwhile.
                    Err(_) => {}
                }
            }
            processes.sort_unstable_by_key(|process| process.pid);
            whole &= processes.first().is_some_and(|process| process.pid == 1);
            (processes, whole)
        })
    }

    /// Why an answer to "does it run?" given since the last call may be wrong: some processes are hidden.
    pub(super) fn missed_processes(&self) -> Option<(Reason, &'static str)> {
        let missed = self.missed.swap(false, Ordering::Relaxed);
        missed.then(|| match self.visible_processes() {
            [] => (Reason::Unreadable, "/proc shows no process"),
            _ => (Reason::NeedsAdministrator, "/proc does not show this user all processes"),
        })
    }

    /// True when a process called `name` runs on this machine. The kernel truncates names to 15 bytes, and `name` is
    /// truncated likewise.
    pub(super) fn runs(&self, name: &str) -> bool {
        let name = &name.as_bytes()[..name.len().min(15)];
        let found = self
            .visible_processes()
            .iter()
            .any(|process| process.name.as_bytes() == name && !self.contained(process.pid));
        self.missed.fetch_or(!found && !self.looked_up().1, Ordering::Relaxed);
        found
    }

    /// The settings that the SSH servers themselves report, when asked with `ask`.
    pub(super) fn ssh(&self, ask: impl FnOnce(&Self) -> Ssh) -> &Ssh {
        // If a server is hidden, later callers get the same doubt as the first.
        self.missed.fetch_or(!self.looked_up().1, Ordering::Relaxed);
        self.ssh.get_or_init(|| ask(self))
    }

    /// True when one of `names` runs.
    pub(super) fn runs_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.runs(name))
    }

    /// True when the process is known to be in another process namespace: a container's daemon does not serve the machine.
    pub(super) fn contained(&self, pid: u32) -> bool {
        let namespace = |pid: &str| self.os.link(&format!("/proc/{pid}/ns/pid")).ok();
        match (namespace("self"), namespace(&pid.to_string())) {
            (Some(own), Some(its)) => own != its,
            _ => false,
        }
    }

    /// True when systemd manages this machine.
    pub(super) fn systemd(&self) -> bool {
        self.os.exists("/run/systemd/system")
    }

    /// True when systemd runs processes for the unit: its control group exists.
    pub(super) fn unit_active(&self, unit: &str) -> bool {
        ["/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice"]
            .iter()
            .any(|slice| self.os.exists(&format!("{slice}/{unit}/cgroup.procs")))
    }

    /// True when the unit is enabled: a link in some `*.wants` folder of the administrator.
    pub(super) fn unit_enabled(&self, unit: &str) -> bool {
        ["multi-user", "timers", "sockets", "graphical", "sysinit"].iter().any(|target| {
            let path = format!("/etc/systemd/system/{target}.target.wants/{unit}");
            self.os.link(&path).is_ok() || self.os.exists(&path)
        })
    }

    /// The machine's time zone, UTC where it is not set.
    pub(super) fn zone(&self) -> &TimeZone {
        self.zone.get_or_init(|| {
            let rules = self.os.read("/etc/localtime", 1 << 16);
            rules.ok().and_then(|rules| TimeZone::tzif("localtime", &rules).ok()).unwrap_or(TimeZone::UTC)
        })
    }

    /// The text of the file, without carriage returns.
    pub(super) fn text(&self, path: &str) -> Answer<String> {
        self.os.text(path).map(|text| if text.contains('\r') { text.replace('\r', "") } else { text })
    }

    /// The first line of a small file, trimmed and capped; `None` when it is missing, unreadable or empty.
    pub(super) fn line(&self, path: &str) -> Option<String> {
        let bytes = self.os.head(path, 4096).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line = text.lines().next().unwrap_or_default().trim();
        (!line.is_empty()).then(|| text::capped(line))
    }

    /// The texts of the existing files among `places`, in order; `/etc/x.d/*.conf` stands for the matching files of a folder,
    /// by name.
    pub(super) fn gathered(&self, places: &[&str]) -> Answer<Vec<String>> {
        let mut texts = Vec::new();
        for place in places {
            match place.split_once("/*") {
                Some((folder, suffix)) => texts.extend(self.texts(folder, suffix)?.into_iter().map(|(_, text)| text)),
                None => texts.extend(optional(self.text(place))?),
            }
        }
        Ok(texts)
    }

    /// The files in `folder` whose names end in `suffix`, with their text, by name. A missing folder holds none.
    pub(super) fn texts(&self, folder: &str, suffix: &str) -> Answer<Vec<(String, String)>> {
        let names = optional(self.os.list(folder))?.unwrap_or_default();
        let names: Vec<String> = names.into_iter().filter(|name| name.ends_with(suffix)).collect();
        // Files left out might contain the opposite.
        if names.len() > FILES {
            return Err(OsError::Failed(folder.to_owned(), format!("holds {} files", names.len())));
        }
        let mut texts = Vec::new();
        for name in names {
            match optional(self.text(&format!("{folder}/{name}"))) {
                // A dangling link, or a folder: no program would read it either.
                Err(OsError::Failed(..)) if self.os.list(&format!("{folder}/{name}")).is_ok() => {}
                text => texts.extend(text?.map(|text| (name, text))),
            }
        }
        Ok(texts)
    }
}

/// The content of the source; `None` when there is none.
pub(super) fn optional<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Err(OsError::Missing(_)) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Why facts that no collector here fills are unknown.
pub(super) const WINDOWS_ONLY: &str = "this version reads it on Windows only";

/// The value found; unknown because of `why` when there is none.
pub(super) fn found<T>(found: Option<T>, why: &str) -> Fact<T> {
    found.map_or_else(|| Fact::unknown(Reason::SourceMissing, why), Fact::Known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    #[test]
    fn a_folder_with_too_many_files_is_not_read_in_part() {
        let folder = |files: usize| {
            (0..files).fold(Recorded::new(), |os, number| os.file(&format!("/etc/exports.d/{number}.exports"), "x"))
        };
        let texts = |files| CheckContext::of(folder(files)).texts("/etc/exports.d", ".exports");
        assert_eq!(texts(FILES).unwrap().len(), FILES);
        assert!(matches!(texts(FILES + 1), Err(OsError::Failed(..))));
    }
}
