//! The Linux collectors: one file per section.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use policies::fact::{Facts, Reason, Section};

use super::{Check, Reader};
use os::LinuxOs;

mod accounts;
mod antivirus;
mod backup;
mod context;
mod lan;
mod logging;
mod memory;
mod neighbours;
mod patches;
mod ports;
mod remote;
mod sharing;
mod ssh_settings;
mod system;
mod text;
mod time;

use context::CheckContext;
use memory::Memory;

/// A Linux machine, with what is cached between checks.
#[derive(Clone)]
pub struct Machine {
    os: Arc<dyn LinuxOs>,
    memory: Arc<Memory<patches::Updates>>,
}

impl Machine {
    /// The machine read through `os`.
    pub fn new(os: Arc<dyn LinuxOs>) -> Self {
        Self { os, memory: Arc::default() }
    }
}

impl Reader for Machine {
    fn begin(&self, now: Timestamp) -> Arc<dyn Check> {
        Arc::new(Round { context: CheckContext::new(Arc::clone(&self.os), now), memory: Arc::clone(&self.memory) })
    }
}

/// One check.
struct Round {
    context: CheckContext,
    memory: Arc<Memory<patches::Updates>>,
}

impl Check for Round {
    fn fill(&self, section: Section, facts: &mut Facts) {
        let context = &self.context;
        match section {
            Section::System => facts.system = system::collect(context),
            Section::Antivirus => facts.antivirus = antivirus::collect(context),
            Section::Patches => facts.patches = patches::collect(context, &self.memory),
            Section::Lan => facts.lan = lan::collect(context),
            Section::Ports => facts.ports = ports::collect(context),
            Section::Neighbours => facts.neighbours = neighbours::collect(context),
            Section::Sharing => facts.sharing = sharing::collect(context),
            Section::Remote => facts.remote = remote::collect(context),
            Section::Accounts => facts.accounts = accounts::collect(context),
            Section::Time => facts.time = time::collect(context),
            Section::Logging => facts.logging = logging::collect(context),
            Section::Backup => facts.backup = backup::collect(context),
            Section::Software => facts.forget(section, Reason::NoReader, "this version reads it on Windows only"),
        }
        if let Some((reason, why)) = context.missed_processes() {
            facts.forget(section, reason, why);
        }
    }
}

/// Registry keys to watch: none here.
pub fn watched_keys(_section: Section) -> &'static [&'static str] {
    &[]
}

/// Files and folders whose change triggers a new collection of `section`. Some may not exist.
pub fn watched(section: Section) -> Vec<PathBuf> {
    let paths: &[&str] = match section {
        Section::System => &["/etc/os-release", "/etc/hostname"],
        // The socket appears and disappears with the daemon.
        Section::Antivirus => &["/var/lib/clamav", "/run/clamav", "/etc/clamav", "/etc/clamd.d", "/etc/freshclam.conf"],
        Section::Patches => &[
            "/var/lib/dpkg/status",
            "/var/lib/apt/lists",
            "/etc/apt/apt.conf.d",
            "/etc/apt/preferences.d",
            "/var/lib/rpm",
            "/run/reboot-required",
        ],
        Section::Lan => &[
            "/etc/hosts",
            "/etc/resolv.conf",
            "/etc/nsswitch.conf",
            "/run/systemd/resolve/resolv.conf",
            "/etc/environment",
            "/etc/ufw/ufw.conf",
            "/etc/nftables.conf",
        ],
        Section::Ports | Section::Neighbours | Section::Software => &[],
        Section::Sharing => &["/etc/samba/smb.conf", "/etc/exports", "/etc/exports.d"],
        Section::Remote => &["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"],
        Section::Accounts => &[
            "/etc/passwd",
            "/etc/shadow",
            "/etc/group",
            "/etc/sudoers",
            "/etc/sudoers.d",
            "/etc/login.defs",
            "/etc/security",
            "/etc/pam.d",
            "/etc/profile.d",
            "/etc/gdm3",
            "/etc/lightdm",
        ],
        Section::Time => &["/etc/localtime", "/etc/chrony", "/etc/chrony.conf", "/etc/systemd/timesyncd.conf"],
        Section::Backup => &["/etc/cron.d", "/etc/crontab", "/etc/systemd/system/timers.target.wants"],
        Section::Logging => &["/etc/systemd/journald.conf", "/etc/rsyslog.conf", "/etc/rsyslog.d", "/etc/logrotate.d"],
    };
    paths.iter().map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use policies::fact::{Fact, Family, Reason};

    use super::*;
    use crate::Collector;
    use os::recorded::Recorded;

    #[test]
    fn hidden_processes_are_not_taken_for_absent_ones() {
        // A /proc mounted with hidepid=2: the user's own processes are shown, but neither process 1 nor the scanner.
        let os = Recorded::new().unprivileged().file("/proc/900/comm", "bash\n");
        let collector = Collector::new(Arc::new(Machine::new(Arc::new(os.clone()))));
        let facts = collector.collect(Section::ALL, Timestamp::UNIX_EPOCH);
        assert!(facts.antivirus.protection.known().is_none() && facts.remote.control_programs.known().is_none());
        assert!(facts.logging.running.known().is_none() && facts.remote.ssh_server.known().is_none());
        // With hidepid=1 they are listed but cannot be read.
        let os = os.file("/proc/1/comm", "systemd\n").denying("/proc/1/comm");
        let collector = Collector::new(Arc::new(Machine::new(Arc::new(os))));
        assert!(collector.collect(Section::ALL, Timestamp::UNIX_EPOCH).antivirus.protection.known().is_none());
    }

    #[test]
    fn an_empty_machine_is_unknown_and_nothing_worse() {
        for os in [Recorded::new(), Recorded::new().unprivileged()] {
            let collector = Collector::new(Arc::new(Machine::new(Arc::new(os))));
            let facts = collector.collect(Section::ALL, Timestamp::UNIX_EPOCH);
            assert_eq!(facts.system.family, Fact::Known(Family::Linux));
            assert!(facts.patches.pending.known().is_none() && facts.logging.running.known().is_none());
            assert!(facts.accounts.users.known().is_none() && facts.antivirus.protection.known().is_none());
            assert!(
                matches!(facts.antivirus.protection, Fact::Unknown(unknown) if unknown.reason == Reason::Unreadable)
            );
        }
    }

    #[test]
    fn what_is_watched_is_absolute_and_small() {
        let watched: Vec<PathBuf> = Section::ALL.iter().flat_map(|&section| watched(section)).collect();
        assert!(watched.iter().all(|path| path.is_absolute() && !path.starts_with("/proc")));
        assert!(watched.len() < 64, "each is one watch of the kernel");
    }
}
