//! The recorded Windows door: replays a recording of a machine, or what a test sets up. Works on every system.

use std::collections::BTreeMap;
use std::io::Cursor;

use serde::{Deserialize, Serialize};

use super::WindowsOs;
use super::answer::{
    AccountRules, Adapter, Event, EventQuery, Join, LogFile, Member, NeighbourEntry, NetworkCategory, Registry, Row,
    Service, Socket, Subkey, UpdateSearch, UserAccount, WindowsProcess, WirelessLink,
};
use crate::{Answer, FileKind, Hardware, Os, OsError, Route, Source, Stat};

mod load;
mod reg_file;

/// A Windows machine whose answers are in memory. What was not set is missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recorded {
    /// Whether the caller counts as administrator.
    pub administrator: bool,
    /// Memory and processors.
    pub hardware: Hardware,
    /// Size of every volume, in bytes.
    pub disk: u64,
    /// Files by path, in lower case.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Registry: keys in lower case, values in lower case with their original name.
    pub registry: BTreeMap<String, BTreeMap<String, (String, Registry)>>,
    /// Original spelling of keys, by their lower case.
    pub spelled: BTreeMap<String, String>,
    /// When keys were last written.
    pub written_at: BTreeMap<String, i64>,
    /// Keys that may not be read, in lower case.
    pub denied: Vec<String>,
    /// Registry files by path, in lower case.
    pub saved: BTreeMap<String, Saved>,
    /// WMI: namespace in lower case, class in lower case, rows.
    pub wmi: BTreeMap<String, BTreeMap<String, Vec<Row>>>,
    /// WMI namespaces that hang.
    pub hanging: Vec<String>,
    /// Services.
    pub services: Option<Vec<Service>>,
    /// Processes.
    pub processes: Option<Vec<WindowsProcess>>,
    /// Computer's name.
    pub computer_name: Option<String>,
    /// Processor type (`IMAGE_FILE_MACHINE_*`).
    pub machine: Option<u16>,
    /// Domain or workgroup.
    pub join: Option<Join>,
    /// Adapters.
    pub adapters: Option<Vec<Adapter>>,
    /// Routes.
    pub routes: Option<Vec<Route>>,
    /// Neighbours.
    pub neighbours: Option<Vec<NeighbourEntry>>,
    /// Sockets.
    pub sockets: Option<Vec<Socket>>,
    /// Categories of networks.
    pub network_categories: Option<Vec<NetworkCategory>>,
    /// Wireless links.
    pub wireless: Option<Vec<WirelessLink>>,
    /// Accounts.
    pub accounts: Option<Vec<UserAccount>>,
    /// Members of groups by SID.
    pub members: BTreeMap<String, Vec<Member>>,
    /// Password and lockout rules.
    pub account_rules: Option<AccountRules>,
    /// Versions of files by path, in lower case.
    pub file_versions: BTreeMap<String, String>,
    /// Companies of files by path, in lower case.
    pub file_companies: BTreeMap<String, String>,
    /// Events by channel.
    pub events: BTreeMap<String, Vec<Event>>,
    /// Events of shared channels, by channel and provider; a provider that is not named has none.
    pub provided: BTreeMap<String, BTreeMap<String, Vec<Event>>>,
    /// Event logs.
    pub log_files: BTreeMap<String, LogFile>,
    /// Audit policy by subcategory.
    pub audit_policy: Option<BTreeMap<String, u32>>,
    /// Windows Update Agent.
    pub updates: Option<UpdateSearch>,
    /// SMBIOS tables.
    pub firmware: Option<Vec<u8>>,
}

/// The result of reading a registry file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saved {
    /// Keys in lower case, with the keys directly below them.
    Keys(BTreeMap<String, Vec<Subkey>>),
    /// It may not be read.
    Denied,
    /// It hangs.
    Hangs,
    /// It cannot be read for this reason.
    Unreadable(String),
}

impl Recorded {
    /// A machine with administrator rights on which nothing is set.
    pub fn new() -> Self {
        Self { administrator: true, ..Self::default() }
    }

    /// Adds a registry value, and its parent keys.
    #[must_use]
    pub fn set(mut self, key: &str, name: &str, value: Registry) -> Self {
        self.spell(key);
        self.registry.entry(key.to_lowercase()).or_default().insert(name.to_lowercase(), (name.to_owned(), value));
        self
    }

    /// Adds a number (`REG_DWORD`).
    #[must_use]
    pub fn number(self, key: &str, name: &str, value: u64) -> Self {
        self.set(key, name, Registry::Number(value))
    }

    /// Adds a text (`REG_SZ`).
    #[must_use]
    pub fn text(self, key: &str, name: &str, value: &str) -> Self {
        self.set(key, name, Registry::Text(value.to_owned()))
    }

    /// Adds a key without values.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.spell(key);
        self.registry.entry(key.to_lowercase()).or_default();
        self
    }

    /// Removes a key and everything below it.
    fn without_key(mut self, key: &str) -> Self {
        let gone = |known: &String| {
            known.strip_prefix(&key.to_lowercase()).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
        };
        self.registry.retain(|known, _| !gone(known));
        self.spelled.retain(|known, _| !gone(known));
        self
    }

    /// Removes a value.
    fn without_value(mut self, key: &str, name: &str) -> Self {
        if let Some(values) = self.registry.get_mut(&key.to_lowercase()) {
            values.remove(&name.to_lowercase());
        }
        self
    }

    /// Sets when a key was last written; milliseconds since 1970 UTC.
    #[must_use]
    pub fn written(mut self, key: &str, at: i64) -> Self {
        self.written_at.insert(key.to_lowercase(), at);
        self.key(key)
    }

    /// Makes a key unreadable.
    #[must_use]
    pub fn denying(mut self, key: &str) -> Self {
        self.denied.push(key.to_lowercase());
        self
    }

    /// Adds a text to a registry file, in the key `key` directly below `above`.
    #[must_use]
    pub fn saved(mut self, file: &str, above: &str, key: &str, name: &str, value: &str) -> Self {
        let saved = self.saved.entry(file.to_lowercase()).or_insert_with(|| Saved::Keys(BTreeMap::new()));
        if let Saved::Keys(keys) = saved {
            let below = keys.entry(above.to_lowercase()).or_default();
            let value = (name.to_owned(), Registry::Text(value.to_owned()));
            match below.iter_mut().find(|known| known.name == key) {
                Some(known) => known.values.push(value),
                None => below.push(Subkey { name: key.to_owned(), values: vec![value] }),
            }
        }
        self
    }

    /// Adds rows of a WMI class.
    #[must_use]
    pub fn rows(mut self, namespace: &str, class: &str, rows: Vec<Row>) -> Self {
        self.wmi.entry(namespace.to_lowercase()).or_default().insert(class.to_lowercase(), rows);
        self
    }

    /// Adds a running (or stopped) service.
    #[must_use]
    pub fn service(mut self, name: &str, running: bool) -> Self {
        let state = if running { 4 } else { 1 };
        let service = Service { name: name.to_owned(), state, kind: 0x10, pid: 0 };
        self.services.get_or_insert_default().push(service);
        self
    }

    /// Adds a running process.
    #[must_use]
    pub fn process(mut self, pid: u32, name: &str) -> Self {
        self.processes.get_or_insert_default().push(WindowsProcess { pid, name: name.to_owned() });
        self
    }

    /// Adds events that a provider wrote to a channel.
    #[must_use]
    pub fn provided(mut self, channel: &str, provider: &str, events: Vec<Event>) -> Self {
        self.provided.entry(channel.to_owned()).or_default().entry(provider.to_owned()).or_default().extend(events);
        self
    }

    /// Adds an event log whose oldest record is from this time; milliseconds since 1970 UTC.
    #[must_use]
    pub fn log(mut self, channel: &str, oldest_at: i64) -> Self {
        self.log_files.insert(channel.to_owned(), LogFile { size: 1 << 20, oldest_at: Some(oldest_at) });
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_lowercase(), content.as_ref().to_vec());
        self
    }

    fn spell(&mut self, key: &str) {
        let mut end = key.len();
        loop {
            self.spelled.entry(key[..end].to_lowercase()).or_insert_with(|| key[..end].to_owned());
            match key[..end].rfind('\\') {
                Some(shorter) => end = shorter,
                None => return,
            }
        }
    }

    fn known(&self, key: &str) -> Answer<String> {
        let lower = key.to_lowercase();
        let within = |denied: &&String| {
            lower.strip_prefix(denied.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
        };
        if self.denied.iter().any(|denied| within(&denied)) {
            return Err(OsError::Denied(key.to_owned()));
        }
        if self.spelled.contains_key(&lower) { Ok(lower) } else { Err(OsError::Missing(key.to_owned())) }
    }
}

fn given<T: Clone>(answer: Option<&T>, what: &str) -> Answer<T> {
    answer.cloned().ok_or_else(|| OsError::Missing(what.to_owned()))
}

fn picked(events: Vec<Event>, query: &EventQuery) -> Vec<Event> {
    let wanted = |event: &Event| event.at >= query.since && query.ids.contains(&event.id);
    let mut events: Vec<Event> = events.into_iter().filter(wanted).collect();
    events.sort_by_key(|event| std::cmp::Reverse((event.record, event.at)));
    events.truncate(query.most);
    events
}

impl Os for Recorded {
    fn open(&self, path: &str) -> Answer<Box<dyn Source>> {
        let bytes = given(self.files.get(&path.to_lowercase()), path)?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn list(&self, path: &str) -> Answer<Vec<String>> {
        let start = format!("{}\\", path.trim_end_matches('\\').to_lowercase());
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|known| known.strip_prefix(&start))
            .filter_map(|rest| rest.split('\\').next().map(str::to_owned))
            .collect();
        names.dedup();
        if names.is_empty() { Err(OsError::Missing(path.to_owned())) } else { Ok(names) }
    }

    fn stat(&self, path: &str) -> Answer<Stat> {
        if let Some(bytes) = self.files.get(&path.to_lowercase()) {
            return Ok(Stat { kind: FileKind::File, size: bytes.len() as u64, modified_at: 0, number: 0 });
        }
        self.list(path).map(|_| Stat { kind: FileKind::Folder, size: 0, modified_at: 0, number: 0 })
    }

    fn administrator(&self) -> bool {
        self.administrator
    }

    fn hardware(&self) -> Hardware {
        self.hardware.clone()
    }

    fn disk_size(&self, path: &str) -> Answer<u64> {
        if self.disk == 0 { Err(OsError::Missing(path.to_owned())) } else { Ok(self.disk) }
    }
}

impl WindowsOs for Recorded {
    fn value(&self, key: &str, name: &str) -> Answer<Registry> {
        let known = self.known(key)?;
        let value = self.registry.get(&known).and_then(|values| values.get(&name.to_lowercase()));
        value.map(|(_, value)| value.clone()).ok_or_else(|| OsError::Missing(format!("{key} : {name}")))
    }

    fn values(&self, key: &str) -> Answer<Vec<(String, Registry)>> {
        let known = self.known(key)?;
        Ok(self.registry.get(&known).map(|values| values.values().cloned().collect()).unwrap_or_default())
    }

    fn keys(&self, key: &str) -> Answer<Vec<String>> {
        let start = format!("{}\\", self.known(key)?);
        let below = self
            .spelled
            .iter()
            .filter(|(known, _)| known.strip_prefix(&start).is_some_and(|rest| !rest.contains('\\')));
        Ok(below.filter_map(|(_, spelled)| spelled.rsplit('\\').next().map(str::to_owned)).collect())
    }

    fn written_at(&self, key: &str) -> Answer<i64> {
        let known = self.known(key)?;
        given(self.written_at.get(&known), key)
    }

    fn saved(&self, file: &str, keys: &[&str]) -> Answer<Vec<Vec<Subkey>>> {
        match self.saved.get(&file.to_lowercase()) {
            Some(Saved::Keys(known)) => {
                Ok(keys.iter().map(|key| known.get(&key.to_lowercase()).cloned().unwrap_or_default()).collect())
            }
            Some(Saved::Denied) => Err(OsError::Denied(file.to_owned())),
            Some(Saved::Hangs) => Err(OsError::TimedOut(file.to_owned())),
            Some(Saved::Unreadable(how)) => Err(OsError::Failed(file.to_owned(), how.clone())),
            None => Err(OsError::Missing(file.to_owned())),
        }
    }

    fn wmi(&self, namespace: &str, query: &str) -> Answer<Vec<Row>> {
        if self.hanging.iter().any(|hanging| hanging.eq_ignore_ascii_case(namespace)) {
            return Err(OsError::TimedOut(namespace.to_owned()));
        }
        let classes = given(self.wmi.get(&namespace.to_lowercase()), namespace)?;
        let words: Vec<&str> = query.split_ascii_whitespace().collect();
        let class = words.iter().position(|word| word.eq_ignore_ascii_case("from")).and_then(|at| words.get(at + 1));
        let class = class.ok_or_else(|| OsError::Failed(namespace.to_owned(), format!("no class in {query}")))?;
        given(classes.get(&class.to_lowercase()), class)
    }

    fn services(&self) -> Answer<Vec<Service>> {
        given(self.services.as_ref(), "services")
    }

    fn processes(&self) -> Answer<Vec<WindowsProcess>> {
        given(self.processes.as_ref(), "processes")
    }

    fn computer_name(&self) -> Answer<String> {
        given(self.computer_name.as_ref(), "computer name")
    }

    fn machine(&self) -> Answer<u16> {
        given(self.machine.as_ref(), "GetNativeSystemInfo")
    }

    fn join(&self) -> Answer<Join> {
        given(self.join.as_ref(), "NetGetJoinInformation")
    }

    fn adapters(&self) -> Answer<Vec<Adapter>> {
        given(self.adapters.as_ref(), "GetAdaptersAddresses")
    }

    fn routes(&self) -> Answer<Vec<Route>> {
        given(self.routes.as_ref(), "GetIpForwardTable2")
    }

    fn neighbours(&self) -> Answer<Vec<NeighbourEntry>> {
        given(self.neighbours.as_ref(), "GetIpNetTable2")
    }

    fn sockets(&self) -> Answer<Vec<Socket>> {
        given(self.sockets.as_ref(), "GetExtendedTcpTable")
    }

    fn network_categories(&self) -> Answer<Vec<NetworkCategory>> {
        given(self.network_categories.as_ref(), "INetworkListManager")
    }

    fn wireless(&self) -> Answer<Vec<WirelessLink>> {
        given(self.wireless.as_ref(), "WlanQueryInterface")
    }

    fn accounts(&self) -> Answer<Vec<UserAccount>> {
        given(self.accounts.as_ref(), "NetUserEnum")
    }

    fn members(&self, group: &str) -> Answer<Vec<Member>> {
        given(self.members.get(group), group)
    }

    fn account_rules(&self) -> Answer<AccountRules> {
        given(self.account_rules.as_ref(), "NetUserModalsGet")
    }

    fn file_version(&self, path: &str) -> Answer<String> {
        given(self.file_versions.get(&path.to_lowercase()), path)
    }

    fn file_company(&self, path: &str) -> Answer<String> {
        given(self.file_companies.get(&path.to_lowercase()), path)
    }

    fn events(&self, query: &EventQuery) -> Answer<Vec<Event>> {
        Ok(picked(given(self.events.get(&query.channel), &query.channel)?, query))
    }

    fn events_of(&self, provider: &str, query: &EventQuery) -> Answer<Vec<Event>> {
        let providers = given(self.provided.get(&query.channel), &query.channel)?;
        Ok(picked(providers.get(provider).cloned().unwrap_or_default(), query))
    }

    fn log_file(&self, channel: &str) -> Answer<LogFile> {
        given(self.log_files.get(channel), channel)
    }

    fn audit_policy(&self, subcategories: &[&str]) -> Answer<Vec<(String, u32)>> {
        let known = given(self.audit_policy.as_ref(), "AuditQuerySystemPolicy")?;
        Ok(subcategories.iter().filter_map(|&guid| Some((guid.to_owned(), *known.get(guid)?))).collect())
    }

    fn updates(&self) -> Answer<UpdateSearch> {
        given(self.updates.as_ref(), "IUpdateSearcher")
    }

    fn firmware(&self) -> Answer<Vec<u8>> {
        given(self.firmware.as_ref(), "GetSystemFirmwareTable")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_knows_no_case_and_lists_keys_as_they_are_spelled() {
        let os = Recorded::new().number(r"HKLM\SOFTWARE\Tram An\One", "Start", 4).key(r"HKLM\SOFTWARE\Tram An\Two");
        assert_eq!(os.value(r"hklm\software\tram an\ONE", "START"), Ok(Registry::Number(4)));
        assert_eq!(os.keys(r"HKLM\Software\Tram An").unwrap(), ["One", "Two"]);
        assert_eq!(os.values(r"HKLM\SOFTWARE\Tram An\One").unwrap(), [("Start".to_owned(), Registry::Number(4))]);
        assert!(matches!(os.value(r"HKLM\SOFTWARE\Tram An\One", "none"), Err(OsError::Missing(_))));
        let os = os.denying(r"HKLM\SOFTWARE\Tram An\One");
        assert!(matches!(os.value(r"HKLM\SOFTWARE\Tram An\One", "Start"), Err(OsError::Denied(_))));
        assert!(os.keys(r"HKLM\SOFTWARE\Tram An\Two").unwrap().is_empty());
    }
}
