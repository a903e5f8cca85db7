//! What several Windows collectors need during one check, read at most once, and their shared ways of reading the registry.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use policies::fact::Fact;
use policies::policy::WindowsCatalogue;

pub(super) use crate::answer::{answered, unknown};
use crate::text::capped;
use os::windows::{Registry, Service, WindowsOs, WindowsProcess};
use os::{Answer, OsError};

/// One check of one Windows machine.
pub(super) struct CheckContext {
    /// The machine.
    pub(super) os: Arc<dyn WindowsOs>,
    /// The time of the check.
    pub(super) now: Timestamp,
    processes: OnceLock<Answer<Vec<WindowsProcess>>>,
    services: OnceLock<Answer<Vec<Service>>>,
    /// What the policy knows about Windows, if newer than what ships with the agent.
    newer: Option<Arc<WindowsCatalogue>>,
}

/// The state of a setting. What `Absent` means depends on the setting; each collector knows it from the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting<T> {
    /// It has this value.
    Set(T),
    /// Key or value does not exist.
    Absent,
    /// It cannot be read.
    Unreadable(OsError),
}

impl<T> Setting<T> {
    /// The fact, with `absent` when the setting is absent.
    pub(super) fn or<U>(self, absent: Fact<U>, read: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Set(value) => read(value),
            Self::Absent => absent,
            Self::Unreadable(error) => unknown(&error),
        }
    }

    /// This setting, or `other` when it is absent: a policy over a local setting.
    pub(super) fn else_by(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Absent => other(),
            known => known,
        }
    }
}

impl CheckContext {
    /// A recorded machine at an instant that does not matter.
    #[cfg(test)]
    pub(super) fn of(os: os::windows::recorded::Recorded) -> Self {
        Self::new(Arc::new(os), Timestamp::UNIX_EPOCH)
    }

    pub(super) fn new(os: Arc<dyn WindowsOs>, now: Timestamp) -> Self {
        Self { os, now, processes: OnceLock::new(), services: OnceLock::new(), newer: None }
    }

    /// Adds what a policy knows about Windows.
    pub(super) fn knowing(mut self, catalogue: Option<Arc<WindowsCatalogue>>) -> Self {
        self.newer = catalogue;
        self
    }

    /// The catalogue of Windows versions in use.
    pub(super) fn catalogue(&self) -> Option<&WindowsCatalogue> {
        self.newer.as_deref().or_else(|| shipped())
    }

    /// A registry number. A number written as text counts as well, as in most of Windows.
    pub(super) fn number(&self, key: &str, name: &str) -> Setting<u64> {
        match self.os.value(key, name) {
            Ok(Registry::Number(number)) => Setting::Set(number),
            Ok(Registry::Text(text)) => match text.trim().parse() {
                Ok(number) => Setting::Set(number),
                Err(_) => odd(key, name),
            },
            Ok(_) => odd(key, name),
            Err(OsError::Missing(_)) => Setting::Absent,
            Err(error) => Setting::Unreadable(error),
        }
    }

    /// A registry text, truncated; an empty one counts as absent.
    pub(super) fn text(&self, key: &str, name: &str) -> Setting<String> {
        match self.os.value(key, name) {
            Ok(Registry::Text(text)) if text.trim().is_empty() => Setting::Absent,
            Ok(Registry::Text(text)) => Setting::Set(capped(&text)),
            Ok(Registry::Number(number)) => Setting::Set(number.to_string()),
            Ok(_) => odd(key, name),
            Err(OsError::Missing(_)) => Setting::Absent,
            Err(error) => Setting::Unreadable(error),
        }
    }

    /// All services and drivers.
    pub(super) fn services(&self) -> Answer<&[Service]> {
        self.services.get_or_init(|| self.os.services()).as_deref().map_err(Clone::clone)
    }

    /// The service called `name`; `None` when there is none.
    pub(super) fn service(&self, name: &str) -> Answer<Option<&Service>> {
        Ok(self.services()?.iter().find(|service| service.name.eq_ignore_ascii_case(name)))
    }

    /// True when the service runs.
    pub(super) fn service_runs(&self, name: &str) -> Answer<bool> {
        Ok(self.service(name)?.is_some_and(|service| service.state == RUNNING))
    }

    /// All processes.
    pub(super) fn processes(&self) -> Answer<&[WindowsProcess]> {
        self.processes.get_or_init(|| self.os.processes()).as_deref().map_err(Clone::clone)
    }
}

/// The catalogue shipped with the agent, parsed once. A test ensures that it is valid.
pub(super) fn shipped() -> Option<&'static WindowsCatalogue> {
    static SHIPPED: OnceLock<Option<WindowsCatalogue>> = OnceLock::new();
    SHIPPED.get_or_init(|| WindowsCatalogue::shipped().ok()).as_ref()
}

/// `SERVICE_RUNNING`.
pub(super) const RUNNING: u32 = 4;

fn odd<T>(key: &str, name: &str) -> Setting<T> {
    Setting::Unreadable(OsError::Failed(format!("{key} : {name}"), "is of another type".to_owned()))
}
