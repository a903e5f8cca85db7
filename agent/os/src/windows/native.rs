//! The native Windows door. One file per kind of question.
#![expect(unsafe_code, reason = "reads texts that Windows points to")]

use std::fs::File;
use std::os::windows::fs::OpenOptionsExt;
use std::time::Duration;

use windows::core::PWSTR;

use super::{
    AccountRules, Adapter, Event, EventQuery, Join, LogFile, Member, NeighbourEntry, NetworkCategory, Registry, Row,
    Service, Socket, Subkey, UpdateSearch, UserAccount, WindowsOs, WindowsProcess, WirelessLink, decode,
};
use crate::isolated::{Isolated, Trouble};
use crate::{Answer, Hardware, Os, OsError, Route, Source, Stat, failed, files, hardware};

mod accounts;
mod adapters;
mod audit;
mod com;
mod events;
pub mod folder_watch;
mod hive;
pub mod key_watch;
pub mod network_watch;
mod networks;
mod processes;
mod registry;
mod services;
mod signal;
mod sockets;
mod system;
mod updates;
mod version;
mod wireless;
mod wmi;

/// Deadline of a WMI query; the first one after boot takes seconds.
const WMI: Duration = Duration::from_secs(30);
/// Deadline of network management, events and the lists of networks.
const ORDINARY: Duration = Duration::from_secs(15);
/// Deadline of the Windows Update Agent: even offline it may work for a minute. Together with the other questions of its section it must
/// stay below the section's deadline.
const UPDATES: Duration = Duration::from_secs(75);

/// This machine. Questions that may hang are isolated calls, one worker per source (for WMI: per namespace).
#[derive(Clone, Debug, Default)]
pub struct Windows {
    isolated: Isolated<String>,
}

impl Windows {
    /// Asks `source` in an isolated call.
    fn ask<T: Send + 'static>(
        &self,
        source: &str,
        deadline: Duration,
        work: impl FnOnce() -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        self.isolated.run(source.to_owned(), "windows", deadline, work).map_err(|trouble| match trouble {
            Trouble::Hangs | Trouble::TimedOut => OsError::TimedOut(source.to_owned()),
            Trouble::Panicked(_) | Trouble::NotStarted(_) => OsError::Failed(source.to_owned(), trouble.to_string()),
        })?
    }
}

/// `FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE`: reading must not disturb anybody.
const SHARE_ALL: u32 = 7;

impl Os for Windows {
    fn open(&self, path: &str) -> Answer<Box<dyn Source>> {
        let file: File = std::fs::OpenOptions::new()
            .read(true)
            .share_mode(SHARE_ALL)
            .open(path)
            .map_err(|error| failed(path, &error))?;
        let metadata = file.metadata().map_err(|error| failed(path, &error))?;
        if !metadata.is_file() {
            return Err(OsError::Failed(path.to_owned(), "is no ordinary file".to_owned()));
        }
        Ok(Box::new(file))
    }

    fn list(&self, path: &str) -> Answer<Vec<String>> {
        files::list(path)
    }

    fn stat(&self, path: &str) -> Answer<Stat> {
        files::stat(path)
    }

    fn hardware(&self) -> Hardware {
        hardware::read()
    }

    fn administrator(&self) -> bool {
        system::administrator()
    }

    fn disk_size(&self, path: &str) -> Answer<u64> {
        system::disk_size(path)
    }
}

impl WindowsOs for Windows {
    fn value(&self, key: &str, name: &str) -> Answer<Registry> {
        registry::value(key, name)
    }

    fn values(&self, key: &str) -> Answer<Vec<(String, Registry)>> {
        registry::values(key)
    }

    fn keys(&self, key: &str) -> Answer<Vec<String>> {
        registry::keys(key)
    }

    fn written_at(&self, key: &str) -> Answer<i64> {
        registry::written_at(key)
    }

    fn saved(&self, file: &str, keys: &[&str]) -> Answer<Vec<Vec<Subkey>>> {
        let (path, keys) = (file.to_owned(), keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>());
        self.ask(file, ORDINARY, move || hive::saved(&path, &keys))
    }

    fn wmi(&self, namespace: &str, query: &str) -> Answer<Vec<Row>> {
        let (namespace, query) = (namespace.to_owned(), query.to_owned());
        self.ask(&format!("WMI {}", namespace.to_uppercase()), WMI, move || wmi::query(&namespace, &query))
    }

    fn services(&self) -> Answer<Vec<Service>> {
        self.ask("services", ORDINARY, services::list)
    }

    fn processes(&self) -> Answer<Vec<WindowsProcess>> {
        processes::list()
    }

    fn computer_name(&self) -> Answer<String> {
        system::computer_name()
    }

    fn machine(&self) -> Answer<u16> {
        system::machine()
    }

    fn join(&self) -> Answer<Join> {
        self.ask("domain or workgroup", ORDINARY, accounts::join)
    }

    fn adapters(&self) -> Answer<Vec<Adapter>> {
        adapters::adapters()
    }

    fn routes(&self) -> Answer<Vec<Route>> {
        adapters::routes()
    }

    fn neighbours(&self) -> Answer<Vec<NeighbourEntry>> {
        adapters::neighbours()
    }

    fn sockets(&self) -> Answer<Vec<Socket>> {
        sockets::list()
    }

    fn network_categories(&self) -> Answer<Vec<NetworkCategory>> {
        self.ask("networks", ORDINARY, networks::categories)
    }

    fn wireless(&self) -> Answer<Vec<WirelessLink>> {
        self.ask("wireless", ORDINARY, wireless::links)
    }

    fn accounts(&self) -> Answer<Vec<UserAccount>> {
        self.ask("accounts", ORDINARY, accounts::list)
    }

    fn members(&self, group: &str) -> Answer<Vec<Member>> {
        let group = group.to_owned();
        self.ask("members of a group", ORDINARY, move || accounts::members(&group))
    }

    fn account_rules(&self) -> Answer<AccountRules> {
        self.ask("account rules", ORDINARY, accounts::rules)
    }

    fn file_version(&self, path: &str) -> Answer<String> {
        version::of(path)
    }

    fn file_company(&self, path: &str) -> Answer<String> {
        version::company(path)
    }

    fn events(&self, query: &EventQuery) -> Answer<Vec<Event>> {
        let query = query.clone();
        self.ask("events", ORDINARY, move || events::list(None, &query))
    }

    fn events_of(&self, provider: &str, query: &EventQuery) -> Answer<Vec<Event>> {
        let (provider, query) = (provider.to_owned(), query.clone());
        self.ask("events", ORDINARY, move || events::list(Some(&provider), &query))
    }

    fn log_file(&self, channel: &str) -> Answer<LogFile> {
        let channel = channel.to_owned();
        self.ask("event log", ORDINARY, move || events::log_file(&channel))
    }

    fn audit_policy(&self, subcategories: &[&str]) -> Answer<Vec<(String, u32)>> {
        let subcategories: Vec<String> = subcategories.iter().map(|&guid| guid.to_owned()).collect();
        self.ask("audit policy", ORDINARY, move || audit::policy(&subcategories))
    }

    fn updates(&self) -> Answer<UpdateSearch> {
        self.ask("updates", UPDATES, updates::search)
    }

    fn firmware(&self) -> Answer<Vec<u8>> {
        system::firmware()
    }
}

/// Translates a Windows error into an [`OsError`].
fn refused(what: &str, error: &windows::core::Error) -> OsError {
    decode::refused(what, error.code().0.cast_unsigned())
}

/// The error of this thread's last call.
fn last_error(what: &str) -> OsError {
    refused(what, &windows::core::Error::from_thread())
}

/// A NUL-terminated text; empty for null.
///
/// # Safety
/// `text` is null or points to units that end with NUL.
unsafe fn text(text: PWSTR) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: guaranteed by the caller.
    String::from_utf16_lossy(unsafe { text.as_wide() })
}
