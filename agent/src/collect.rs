//! The collectors: answers of the machine in, facts out. One file per section.
//!
//! Each section is collected in a worker of its own. One that does not come back before its deadline becomes unknown
//! (`timed_out`), is left behind, and no second one is started for that section while it hangs. One that panics becomes
//! unknown (`unreadable`). The rest goes on.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use policies::fact::{Facts, Reason, Section};

use crate::os::Os;

mod accounts;
mod antivirus;
mod lan;
mod logging;
mod memory;
mod neighbours;
mod patches;
mod ports;
mod remote;
mod scene;
mod sharing;
mod system;
mod text;
mod time;

pub use memory::Memory;
use scene::Scene;

/// Collects facts; keeps what need not be worked out again and which workers hang.
#[derive(Clone)]
pub struct Collector {
    os: Arc<dyn Os>,
    memory: Arc<Memory>,
    hanging: Arc<Mutex<BTreeSet<Section>>>,
    deadlines: fn(Section) -> Duration,
}

impl Collector {
    /// A collector of the machine behind `os`.
    pub fn new(os: Arc<dyn Os>) -> Self {
        Self { os, memory: Arc::default(), hanging: Arc::default(), deadlines: deadline }
    }

    /// Collects `sections` as of `now`; every other section is unknown (`not_collected`). Blocks for at most the sum of the
    /// sections' deadlines, usually well under a second.
    pub fn collect(&self, sections: &[Section], now: Timestamp) -> Facts {
        let mut facts = Facts::unknown(Reason::NotCollected);
        let scene = Arc::new(Scene::new(Arc::clone(&self.os), now));
        for &section in sections {
            self.collect_one(section, &scene, &mut facts);
        }
        facts
    }

    fn collect_one(&self, section: Section, scene: &Arc<Scene>, facts: &mut Facts) {
        if !locked(&self.hanging).insert(section) {
            facts.forget(section, Reason::TimedOut, "an earlier collection still hangs");
            return;
        }
        let (sender, answer) = mpsc::channel();
        let (scene, memory, hanging) = (Arc::clone(scene), Arc::clone(&self.memory), Arc::clone(&self.hanging));
        let work = move || {
            let filled = catch_unwind(AssertUnwindSafe(|| {
                let mut facts = Facts::unknown(Reason::NotCollected);
                fill(section, &scene, &memory, &mut facts);
                facts
            }));
            locked(&hanging).remove(&section);
            let _ = sender.send(filled);
        };
        let worker = thread::Builder::new().name(section.name().to_owned()).stack_size(512 << 10).spawn(work);
        if let Err(error) = worker {
            locked(&self.hanging).remove(&section);
            facts.forget(section, Reason::Unreadable, &format!("start a worker: {error}"));
            return;
        }
        match answer.recv_timeout((self.deadlines)(section)) {
            Ok(Ok(mut filled)) => facts.take(section, &mut filled),
            Ok(Err(panic)) => {
                let said = panic
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                let detail = format!("the collector failed: {}", said.unwrap_or("no message"));
                tracing::error!(section = section.name(), detail, "collector panicked");
                facts.forget(section, Reason::Unreadable, &text::capped(&detail));
            }
            Err(_) => {
                tracing::warn!(section = section.name(), "collector did not answer before its deadline");
                facts.forget(section, Reason::TimedOut, "");
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a section may take.
const fn deadline(section: Section) -> Duration {
    Duration::from_secs(match section {
        Section::Patches => 90,
        _ => 15,
    })
}

fn fill(section: Section, scene: &Scene, memory: &Memory, facts: &mut Facts) {
    match section {
        Section::System => facts.system = system::collect(scene),
        Section::Antivirus => facts.antivirus = antivirus::collect(scene),
        Section::Patches => facts.patches = patches::collect(scene, memory),
        Section::Lan => facts.lan = lan::collect(scene),
        Section::Ports => facts.ports = ports::collect(scene),
        Section::Neighbours => facts.neighbours = neighbours::collect(scene),
        Section::Sharing => facts.sharing = sharing::collect(scene),
        Section::Remote => facts.remote = remote::collect(scene),
        Section::Accounts => facts.accounts = accounts::collect(scene),
        Section::Time => facts.time = time::collect(scene),
        Section::Logging => facts.logging = logging::collect(scene),
    }
}

/// The files and folders whose change makes it worth collecting `section` again at once. Some may not exist.
pub fn watched(section: Section) -> Vec<PathBuf> {
    let paths: &[&str] = match section {
        Section::System => &["/etc/os-release", "/etc/hostname"],
        // The daemon's socket comes and goes with it.
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
            "/run/systemd/resolve/resolv.conf",
            "/etc/environment",
            "/etc/ufw/ufw.conf",
            "/etc/nftables.conf",
        ],
        Section::Ports | Section::Neighbours => &[],
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
        Section::Logging => &["/etc/systemd/journald.conf", "/etc/rsyslog.conf", "/etc/rsyslog.d", "/etc/logrotate.d"],
    };
    paths.iter().map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Condvar;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use policies::fact::Fact;

    use super::*;
    use crate::os::recorded::Recorded;
    use crate::os::{Answer, Hardware, KernelClock, Output, Program, Source, Stat};

    /// A machine on which asking for one path hangs until it is let go, or panics.
    struct Troubled {
        machine: Recorded,
        path: &'static str,
        gate: Option<(Mutex<bool>, Condvar)>,
        asked: AtomicUsize,
    }

    impl Troubled {
        fn trouble(&self, path: &str) {
            if path != self.path {
                return;
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            let (open, changed) = self.gate.as_ref().expect("a machine that fails");
            drop(changed.wait_while(locked(open), |open| !*open));
        }
    }

    impl Os for Troubled {
        fn open(&self, path: &str) -> Answer<Box<dyn Source>> {
            self.trouble(path);
            self.machine.open(path)
        }
        fn list(&self, path: &str) -> Answer<Vec<String>> {
            self.trouble(path);
            self.machine.list(path)
        }
        fn stat(&self, path: &str) -> Answer<Stat> {
            self.machine.stat(path)
        }
        fn link(&self, path: &str) -> Answer<String> {
            self.machine.link(path)
        }
        fn run(&self, program: Program, arguments: &[&str]) -> Answer<Output> {
            self.machine.run(program, arguments)
        }
        fn administrator(&self) -> bool {
            true
        }
        fn hardware(&self) -> Hardware {
            Hardware::default()
        }
        fn addresses(&self) -> Answer<Vec<(String, String)>> {
            Ok(Vec::new())
        }
        fn disk_size(&self, path: &str) -> Answer<u64> {
            self.machine.disk_size(path)
        }
        fn kernel_clock(&self) -> Answer<KernelClock> {
            self.machine.kernel_clock()
        }
    }

    fn machine() -> Recorded {
        Recorded::new().file("/etc/hosts", "10.0.0.1 a.example\n").file("/proc/net/arp", "IP\n")
    }

    #[test]
    fn a_hung_collector_times_out_once_and_the_rest_goes_on() {
        let gate = Some((Mutex::new(false), Condvar::new()));
        let os = Arc::new(Troubled { machine: machine(), path: "/etc/hosts", gate, asked: AtomicUsize::new(0) });
        let mut collector = Collector::new(Arc::clone(&os) as Arc<dyn Os>);
        collector.deadlines = |section| match section {
            Section::Lan => Duration::from_millis(50),
            _ => Duration::from_secs(30),
        };
        for _ in 0..3 {
            let facts = collector.collect(&[Section::Lan, Section::Neighbours], Timestamp::UNIX_EPOCH);
            assert!(matches!(facts.lan.host_overrides, Fact::Unknown(unknown) if unknown.reason == Reason::TimedOut));
            assert!(facts.neighbours.seen.known().is_some());
            assert!(matches!(facts.time.zone, Fact::Unknown(unknown) if unknown.reason == Reason::NotCollected));
        }
        assert_eq!(os.asked.load(Ordering::SeqCst), 1, "no second worker is started while the first hangs");

        let (open, changed) = os.gate.as_ref().unwrap();
        *locked(open) = true;
        changed.notify_all();
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while locked(&collector.hanging).contains(&Section::Lan) && std::time::Instant::now() < until {
            thread::yield_now();
        }
        let facts = collector.collect(&[Section::Lan], Timestamp::UNIX_EPOCH);
        assert_eq!(facts.lan.host_overrides.known().unwrap().items[0].name, "a.example");
    }

    #[test]
    fn a_collector_that_panics_costs_its_section_and_can_be_asked_again() {
        let os = Troubled { machine: machine(), path: "/etc/hosts", gate: None, asked: AtomicUsize::new(0) };
        let collector = Collector::new(Arc::new(os));
        for _ in 0..2 {
            let facts = collector.collect(&[Section::Lan, Section::Neighbours], Timestamp::UNIX_EPOCH);
            let Fact::Unknown(unknown) = facts.lan.host_overrides else { panic!("it cannot be known") };
            assert_eq!(unknown.reason, Reason::Unreadable);
            assert!(unknown.detail.contains("a machine that fails"), "{}", unknown.detail);
            assert!(facts.neighbours.seen.known().is_some());
        }
    }

    #[test]
    fn an_empty_machine_is_unknown_and_nothing_worse() {
        for os in [Recorded::new(), Recorded::new().unprivileged()] {
            let facts = Collector::new(Arc::new(os)).collect(Section::ALL, Timestamp::UNIX_EPOCH);
            assert_eq!(facts.system.family, Fact::Known(policies::fact::Family::Linux));
            for part in [facts.patches.pending.known().is_some(), facts.logging.running.known().is_some()] {
                assert!(!part);
            }
            assert!(facts.accounts.users.known().is_none() && facts.antivirus.protection.known().is_none());
        }
    }

    #[test]
    fn what_is_watched_is_absolute_and_small() {
        let watched: Vec<PathBuf> = Section::ALL.iter().flat_map(|&section| watched(section)).collect();
        assert!(watched.iter().all(|path| path.is_absolute() && !path.starts_with("/proc")));
        assert!(watched.len() < 64, "each is one watch of the kernel");
    }
}
