//! The Windows collectors: one file per section. They see numbers, identifiers and values only, never text in the user's language.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use policies::fact::{Facts, Reason, Section};
use policies::policy::{PolicySet, WindowsCatalogue};

use super::{Check, Reader};
use crate::os::windows::WindowsOs;

mod antivirus;
mod accounts;
mod logging;
mod patches;
mod scene;
mod software;
mod system;
mod time;
mod version;

use scene::Scene;

/// A Windows machine.
#[derive(Clone)]
pub struct Machine {
    os: Arc<dyn WindowsOs>,
    /// What the policy knows of Windows, where that is newer than what the agent came with.
    newer: Arc<Mutex<Option<Arc<WindowsCatalogue>>>>,
}

impl Machine {
    /// The machine behind `os`.
    pub fn new(os: Arc<dyn WindowsOs>) -> Self {
        Self { os, newer: Arc::default() }
    }

    /// This machine.
    #[cfg(windows)]
    pub fn this() -> Self {
        Self::new(Arc::new(crate::os::windows::Windows::default()))
    }
}

impl Reader for Machine {
    fn begin(&self, now: Timestamp) -> Arc<dyn Check> {
        let newer = self.newer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Arc::new(Scene::new(Arc::clone(&self.os), now).knowing(newer))
    }

    fn learn(&self, policy: &PolicySet) {
        let shipped = scene::shipped().map(|catalogue| catalogue.as_of);
        let newer = policy.catalogue().filter(|catalogue| Some(catalogue.as_of) > shipped);
        *self.newer.lock().unwrap_or_else(PoisonError::into_inner) = newer.cloned().map(Arc::new);
    }
}

impl Check for Scene {
    fn fill(&self, section: Section, facts: &mut Facts) {
        match section {
            Section::Accounts => facts.accounts = accounts::collect(self),
            Section::Logging => facts.logging = logging::collect(self),
            Section::Patches => facts.patches = patches::collect(self),
            Section::Software => facts.software = software::collect(self),
            Section::System => facts.system = system::collect(self),
            Section::Antivirus => facts.antivirus = antivirus::collect(self),
            Section::Time => facts.time = time::collect(self),
            // No collector yet. The judge believes no such excuse from a Windows machine: these facts earn nothing.
            Section::Lan
            | Section::Ports
            | Section::Neighbours
            | Section::Sharing
            | Section::Remote => facts.forget(section, Reason::NoReader, "this version reads it on Linux only"),
        }
    }
}

/// The files and folders whose change makes it worth collecting `section` again at once: what is read lies in the registry.
pub fn watched(_section: Section) -> Vec<PathBuf> {
    Vec::new()
}

/// The registry keys whose change, or that of a value in them or below, makes it worth collecting `section` again at once. Some may not
/// exist; `HKU\*\...` is a key of every user.
pub fn watched_keys(section: Section) -> &'static [&'static str] {
    match section {
        Section::Software => software::WATCHED,
        Section::System => system::WATCHED,
        Section::Patches => patches::WATCHED,
        Section::Accounts => accounts::WATCHED,
        Section::Logging => logging::WATCHED,
        Section::Time => time::WATCHED,
        Section::Antivirus
        | Section::Lan
        | Section::Ports
        | Section::Neighbours
        | Section::Sharing
        | Section::Remote => &[],
    }
}

/// 100 nanoseconds since 1601 UTC; `None` for what cannot be a time of this system.
fn filetime(ticks: u64) -> Option<Timestamp> {
    const FROM_1601_TO_1970: i64 = 11_644_473_600;
    let second = i64::try_from(ticks / 10_000_000).ok()?.checked_sub(FROM_1601_TO_1970)?;
    Timestamp::from_second(second).ok().filter(|at| at.as_second() > 0)
}

#[cfg(test)]
mod tests {
    use policies::policy::{CATALOGUE_FILE, SHIPPED};

    use super::*;
    use crate::collect::Collector;
    use crate::os::windows::recorded::Recorded;

    fn machine() -> Recorded {
        Recorded::new().text(version::VERSION, "CurrentBuildNumber", "40000").number(version::VERSION, "UBR", 5).text(
            version::VERSION,
            "InstallationType",
            "Client",
        )
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
