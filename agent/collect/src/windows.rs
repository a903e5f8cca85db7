//! The Windows collectors: one file per section. They see numbers, identifiers and values only, never text in the user's language.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use policies::fact::{Facts, Section};
use policies::policy::{PolicySet, WindowsCatalogue};

use super::{Check, Reader};
use os::windows::WindowsOs;

mod accounts;
mod antivirus;
mod backup;
mod center;
mod context;
mod drives;
mod lan;
mod log;
mod logging;
mod neighbours;
mod patches;
mod ports;
mod remote;
mod sharing;
mod software;
mod system;
mod time;
mod version;

use context::CheckContext;

/// A Windows machine.
#[derive(Clone)]
pub struct Machine {
    os: Arc<dyn WindowsOs>,
    /// What the policy knows about Windows, if newer than what ships with the agent.
    newer: Arc<Mutex<Option<Arc<WindowsCatalogue>>>>,
    memory: Arc<patches::Memory>,
}

impl Machine {
    /// The machine read through `os`.
    pub fn new(os: Arc<dyn WindowsOs>) -> Self {
        Self { os, newer: Arc::default(), memory: Arc::default() }
    }
}

impl Reader for Machine {
    fn begin(&self, now: Timestamp) -> Arc<dyn Check> {
        let newer = self.newer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let context = CheckContext::new(Arc::clone(&self.os), now).knowing(newer);
        Arc::new(Round { context, memory: Arc::clone(&self.memory) })
    }

    fn learn(&self, policy: &PolicySet) {
        let shipped = context::shipped().map(|catalogue| catalogue.as_of);
        let newer = policy.catalogue().filter(|catalogue| Some(catalogue.as_of) > shipped);
        *self.newer.lock().unwrap_or_else(PoisonError::into_inner) = newer.cloned().map(Arc::new);
    }
}

/// One check.
struct Round {
    context: CheckContext,
    memory: Arc<patches::Memory>,
}

impl Check for Round {
    fn fill(&self, section: Section, facts: &mut Facts) {
        let context = &self.context;
        match section {
            Section::Accounts => facts.accounts = accounts::collect(context),
            Section::Logging => facts.logging = logging::collect(context),
            Section::Patches => facts.patches = patches::collect(context, &self.memory),
            Section::Software => facts.software = software::collect(context),
            Section::System => facts.system = system::collect(context),
            Section::Antivirus => facts.antivirus = antivirus::collect(context),
            Section::Time => facts.time = time::collect(context),
            Section::Lan => facts.lan = lan::collect(context),
            Section::Ports => facts.ports = ports::collect(context),
            Section::Neighbours => facts.neighbours = neighbours::collect(context),
            Section::Sharing => facts.sharing = sharing::collect(context),
            Section::Remote => facts.remote = remote::collect(context),
            Section::Backup => facts.backup = backup::collect(context),
        }
    }
}

/// Files and folders whose change triggers a new collection of `section`; most sources are in the registry ([`watched_keys`]).
pub fn watched(section: Section) -> Vec<PathBuf> {
    match section {
        Section::Lan => {
            let system = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
            vec![PathBuf::from(system).join(r"System32\drivers\etc")]
        }
        _ => Vec::new(),
    }
}

/// Registry keys for which a change in their values, or below them, triggers a new collection of `section`. Some may not exist;
/// `HKU\*\...` is a key of every user.
pub fn watched_keys(section: Section) -> &'static [&'static str] {
    match section {
        Section::Software => software::WATCHED,
        Section::System => system::WATCHED,
        Section::Patches => patches::WATCHED,
        Section::Accounts => accounts::WATCHED,
        Section::Logging => logging::WATCHED,
        Section::Backup => backup::WATCHED,
        Section::Time => time::WATCHED,
        Section::Antivirus => &[
            r"HKLM\SOFTWARE\Microsoft\Security Center\Provider",
            r"HKLM\SOFTWARE\Microsoft\Windows Defender\Real-Time Protection",
            r"HKLM\SOFTWARE\Microsoft\Windows Defender\Signature Updates",
            r"HKLM\SOFTWARE\Policies\Microsoft\Windows Defender",
        ],
        Section::Lan => &[
            r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall",
            r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy",
            r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters",
            r"HKLM\SYSTEM\CurrentControlSet\Services\NetBT\Parameters",
            r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient",
            r"HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings",
            r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings",
            r"HKU\*\Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings",
            r"HKU\*\Software\Microsoft\Windows\CurrentVersion\Internet Settings",
        ],
        Section::Sharing => &[
            r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares",
            r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters",
        ],
        Section::Remote => &[
            r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services",
            r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server",
            r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WinRM",
            r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener",
        ],
        Section::Ports | Section::Neighbours => &[],
    }
}

/// 100 nanoseconds since 1601 UTC; `None` for what cannot be a time on this system.
fn filetime(ticks: u64) -> Option<Timestamp> {
    const FROM_1601_TO_1970: i64 = 11_644_473_600;
    let second = i64::try_from(ticks / 10_000_000).ok()?.checked_sub(FROM_1601_TO_1970)?;
    Timestamp::from_second(second).ok().filter(|at| at.as_second() > 0)
}

#[cfg(test)]
mod tests {
    use policies::policy::{CATALOGUE_FILE, SHIPPED};

    use super::*;
    use crate::Collector;
    use os::windows::recorded::Recorded;

    fn machine() -> Recorded {
        Recorded::new().text(version::VERSION, "CurrentBuildNumber", "40000").number(version::VERSION, "UBR", 5).text(
            version::VERSION,
            "InstallationType",
            "Client",
        )
    }

    #[test]
    fn what_is_watched_is_spelled_as_the_watch_reads_it_and_is_small() {
        let keys: Vec<&str> = Section::ALL.iter().flat_map(|&section| watched_keys(section)).copied().collect();
        let known = |key: &&&str| (key.starts_with(r"HKLM\") || key.starts_with(r"HKU\")) && !key.ends_with('\\');
        assert_eq!(keys.iter().filter(known).count(), keys.len(), "{keys:?}");
        assert!(keys.len() < 60, "each is a handle and a wait");
    }

    #[test]
    fn a_policy_teaches_what_is_newer_than_the_agent_and_nothing_older() {
        let collector = Collector::new(Arc::new(Machine::new(Arc::new(machine()))));
        let now: Timestamp = "2027-03-01T00:00:00Z".parse().unwrap();
        let collect = || collector.collect(&[Section::System, Section::Patches], now);
        let teach = |as_of: &str| {
            let catalogue = format!(
                "format = 1\nas_of = {as_of}\n[[build]]\nbuild = 40000\nkind = \"client\"\nid = \"windows-12\"\nrelease = \"27H1\"\n\
                 until = 2029-03-13\nupdates = [{{ revision = 6, date = 2027-02-09 }}]\n"
            );
            let files = SHIPPED.map(|(name, text)| (name, text.to_owned()));
            let set = PolicySet::read(files.into_iter().chain([(CATALOGUE_FILE, catalogue)])).unwrap();
            assert!(set.files().contains_key(CATALOGUE_FILE), "it is signed with the policy");
            collector.learn(&set);
        };
        assert!(collect().system.supported_until.known().is_none());
        teach("2020-01-01");
        assert!(collect().system.supported_until.known().is_none());
        teach("2027-02-20");
        let facts = collect();
        assert_eq!(facts.system.id.known().unwrap(), "windows-12");
        assert_eq!(facts.patches.missing.known().unwrap().items[0].build, "40000.6");
        collector.learn(&PolicySet::shipped().unwrap());
        assert!(collect().system.supported_until.known().is_none(), "a policy without a catalogue takes it back");
    }
}
