//! The Windows door: registry, WMI, Win32 and COM, asked with numbers and identifiers only, never for text in the user's
//! language.
//!
//! The questions and the shapes of their answers are plain values that compile everywhere; [`this`] asks this machine,
//! [`recorded`] replays. What an answer means is decided by the collectors, from these plain values.

use super::{Answer, Os};

pub mod answer;
#[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "only the real machine needs all of it"))]
mod decode;
#[cfg(windows)]
pub mod native;
pub mod recorded;

pub use answer::{
    AccountRules, Adapter, Event, EventQuery, Join, LogFile, Member, NeighbourEntry, NetworkCategory, Registry, Row,
    Service, Socket, Subkey, UpdateSearch, UserAccount, Variant, WindowsProcess, WirelessLink,
};
pub use decode::filetime;
#[cfg(windows)]
pub use native::folder_watch::{FolderNews, FolderWatch};
#[cfg(windows)]
pub use native::key_watch::KeyWatch;
#[cfg(windows)]
pub use native::network_watch::NetworkWatch;
#[cfg(windows)]
pub use native::{Windows, priority};

/// What only Windows answers. Every call that may hang (WMI, COM, network management) is given up at its deadline with
/// [`super::OsError::TimedOut`], and not started again while it hangs.
///
/// Registry keys are written `HKLM\SOFTWARE\...`, `HKU\S-1-5-...\...`; a 32-bit agent sees the 64-bit view. Names of keys and
/// values are compared without regard to case, as Windows does.
pub trait WindowsOs: Os {
    /// The value `name` of a key; the empty name is the key's own value.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when key or value is absent, [`super::OsError::Denied`] when it may not be read.
    fn value(&self, key: &str, name: &str) -> Answer<Registry>;

    /// All values of a key, by name.
    ///
    /// # Errors
    /// As [`WindowsOs::value`].
    fn values(&self, key: &str) -> Answer<Vec<(String, Registry)>>;

    /// The names of the keys below a key, sorted.
    ///
    /// # Errors
    /// As [`WindowsOs::value`].
    fn keys(&self, key: &str) -> Answer<Vec<String>>;

    /// When a value of the key was last written; milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// As [`WindowsOs::value`].
    fn written_at(&self, key: &str) -> Answer<i64>;

    /// What a file holds that Windows keeps a part of the registry in (`NTUSER.DAT`) and has not loaded: for each of `keys`
    /// (`Software\Microsoft`) the keys directly below it, none where there is no such key. Nothing is loaded or written. The file is open only
    /// for that moment, and under a lock that has whoever wants it wait instead of fail.
    ///
    /// # Errors
    /// As [`Os::open`]; `Failed` also when the file is in use, is no registry or is damaged, `TimedOut`.
    fn saved(&self, file: &str, keys: &[&str]) -> Answer<Vec<Vec<Subkey>>>;

    /// The rows of a WMI query (`SELECT a, b FROM class`) in a namespace (`ROOT\CIMV2`): the properties asked for, by name.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when there is no such namespace or class (servers have no Security Center), `Denied`,
    /// `TimedOut`, `Failed`.
    fn wmi(&self, namespace: &str, query: &str) -> Answer<Vec<Row>>;

    /// Services and drivers with their state, by name.
    ///
    /// # Errors
    /// When the service manager cannot be asked.
    fn services(&self) -> Answer<Vec<Service>>;

    /// Running processes.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn processes(&self) -> Answer<Vec<WindowsProcess>>;

    /// The computer's name.
    ///
    /// # Errors
    /// When it cannot be read.
    fn computer_name(&self) -> Answer<String>;

    /// The machine's own kind of processor, whatever the agent's program was built for: `IMAGE_FILE_MACHINE_*` (0x8664 x64, 0x14C
    /// x86, 0xAA64 ARM64).
    ///
    /// # Errors
    /// When Windows tells a kind of processor that has no such number.
    fn machine(&self) -> Answer<u16>;

    /// The domain or workgroup.
    ///
    /// # Errors
    /// When network management cannot be asked.
    fn join(&self) -> Answer<Join>;

    /// Network adapters (`GetAdaptersAddresses`).
    ///
    /// # Errors
    /// When they cannot be listed.
    fn adapters(&self) -> Answer<Vec<Adapter>>;

    /// The neighbour table (`GetIpNetTable2`).
    ///
    /// # Errors
    /// When it cannot be read.
    fn neighbours(&self) -> Answer<Vec<NeighbourEntry>>;

    /// Listening TCP sockets and bound UDP sockets with their process.
    ///
    /// # Errors
    /// When the tables cannot be read.
    fn sockets(&self) -> Answer<Vec<Socket>>;

    /// The category of each connected network (`INetworkListManager`).
    ///
    /// # Errors
    /// When the list cannot be had.
    fn network_categories(&self) -> Answer<Vec<NetworkCategory>>;

    /// The wireless links that are up (`WlanQueryInterface`).
    ///
    /// # Errors
    /// [`super::OsError::Missing`] where there is no wireless service (most servers).
    fn wireless(&self) -> Answer<Vec<WirelessLink>>;

    /// Local accounts (`NetUserEnum`, level 3).
    ///
    /// # Errors
    /// When network management cannot be asked.
    fn accounts(&self) -> Answer<Vec<UserAccount>>;

    /// Direct members of the local group with this SID (such as `S-1-5-32-544`).
    ///
    /// # Errors
    /// When network management cannot be asked.
    fn members(&self, group: &str) -> Answer<Vec<Member>>;

    /// Rules for passwords and lockout (`NetUserModalsGet`, levels 0 and 3).
    ///
    /// # Errors
    /// When network management cannot be asked.
    fn account_rules(&self) -> Answer<AccountRules>;

    /// The version a program file states of itself, `a.b.c.d` from its fixed version block.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when there is no such file or it states none.
    fn file_version(&self, path: &str) -> Answer<String>;

    /// The company a program file says it is of (`CompanyName` of its version information): the maker's own words, not translated by Windows.
    ///
    /// # Errors
    /// As [`WindowsOs::file_version`].
    fn file_company(&self, path: &str) -> Answer<String>;

    /// Events of a channel, those that were written last first, whatever the clock said then.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when there is no such channel.
    fn events(&self, query: &EventQuery) -> Answer<Vec<Event>>;

    /// Events that one provider wrote to a channel many write to (`System`, `Application`), newest first. A number has a meaning only
    /// with the provider's name, which is not translated.
    ///
    /// # Errors
    /// As [`WindowsOs::events`]. A provider that wrote nothing, or is not there, has no events.
    fn events_of(&self, provider: &str, query: &EventQuery) -> Answer<Vec<Event>>;

    /// Size and oldest record of an event log.
    ///
    /// # Errors
    /// As [`WindowsOs::events`].
    fn log_file(&self, channel: &str) -> Answer<LogFile>;

    /// The audit setting of each subcategory (GUID in braces, upper case): bit 0 success, bit 1 failure.
    ///
    /// # Errors
    /// [`super::OsError::Denied`] without the right to manage auditing.
    fn audit_policy(&self, subcategories: &[&str]) -> Answer<Vec<(String, u32)>>;

    /// What the Windows Update Agent knows without going online.
    ///
    /// # Errors
    /// `TimedOut` after its deadline (it may take a minute), `Failed` with its HRESULT when the agent itself cannot be had.
    fn updates(&self) -> Answer<UpdateSearch>;

    /// The firmware's tables as they are (SMBIOS, `GetSystemFirmwareTable('RSMB')`).
    ///
    /// # Errors
    /// When the firmware gives none.
    fn firmware(&self) -> Answer<Vec<u8>>;
}
