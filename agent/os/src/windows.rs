//! The Windows door: registry, WMI, Win32 and COM, queried by numbers and identifiers only, never by text in the user's
//! language.
//!
//! Questions and answers are plain values that compile everywhere; `native` asks this machine, [`recorded`] replays a
//! recording. Collectors decide what an answer means, from these plain values.

use super::{Answer, Os, Route};

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
pub use native::Windows;
#[cfg(windows)]
pub use native::folder_watch::{FolderNews, FolderWatch};
#[cfg(windows)]
pub use native::key_watch::KeyWatch;
#[cfg(windows)]
pub use native::network_watch::NetworkWatch;

/// The questions only Windows answers. Every call that may hang (WMI, COM, network management) is given up at its
/// deadline with [`super::OsError::TimedOut`], and not started again while it hangs.
///
/// Registry keys are written `HKLM\SOFTWARE\...`, `HKU\S-1-5-...\...`; a 32-bit agent sees the 64-bit view. Names of keys and
/// values are case-insensitive, as in Windows.
pub trait WindowsOs: Os {
    /// The value `name` of a key; the empty name is the key's default value.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when key or value is absent, [`super::OsError::Denied`] when it may not be read.
    fn value(&self, key: &str, name: &str) -> Answer<Registry>;

    /// All values of a key, by name.
    ///
    /// # Errors
    /// See [`WindowsOs::value`].
    fn values(&self, key: &str) -> Answer<Vec<(String, Registry)>>;

    /// The names of the direct subkeys of a key, sorted.
    ///
    /// # Errors
    /// See [`WindowsOs::value`].
    fn keys(&self, key: &str) -> Answer<Vec<String>>;

    /// When a value of the key was last written; milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// See [`WindowsOs::value`].
    fn written_at(&self, key: &str) -> Answer<i64>;

    /// Reads a registry file that Windows has not loaded (`NTUSER.DAT`): for each of `keys` (`Software\Microsoft`) the keys directly below
    /// it, none where there is no such key. Loads and writes nothing. The file is open only for a moment, and under a lock that makes
    /// others who open it wait instead of fail.
    ///
    /// # Errors
    /// See [`Os::open`]; also `Failed` when the file is in use, damaged or not a registry file, and `TimedOut`.
    fn saved(&self, file: &str, keys: &[&str]) -> Answer<Vec<Vec<Subkey>>>;

    /// The rows of a WMI query (`SELECT a, b FROM class`) in a namespace (`ROOT\CIMV2`): the selected properties by name.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when there is no such namespace or class (servers have no Security Center), `Denied`,
    /// `TimedOut`, `Failed`.
    fn wmi(&self, namespace: &str, query: &str) -> Answer<Vec<Row>>;

    /// Services and drivers by name, with their state.
    ///
    /// # Errors
    /// When the service manager cannot be queried.
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

    /// The machine's native processor type, whatever the program was built for: `IMAGE_FILE_MACHINE_*` (0x8664 x64, 0x14C x86,
    /// 0xAA64 ARM64).
    ///
    /// # Errors
    /// When Windows reports a processor type that has no such number.
    fn machine(&self) -> Answer<u16>;

    /// The domain or workgroup.
    ///
    /// # Errors
    /// When network management cannot be queried.
    fn join(&self) -> Answer<Join>;

    /// Network adapters (`GetAdaptersAddresses`).
    ///
    /// # Errors
    /// When they cannot be listed.
    fn adapters(&self) -> Answer<Vec<Adapter>>;

    /// The routes of both IP versions (`GetIpForwardTable2`), by the index of their interface.
    ///
    /// # Errors
    /// When they cannot be read.
    fn routes(&self) -> Answer<Vec<Route>>;

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
    /// When the list cannot be obtained.
    fn network_categories(&self) -> Answer<Vec<NetworkCategory>>;

    /// The wireless links that are up (`WlanQueryInterface`).
    ///
    /// # Errors
    /// [`super::OsError::Missing`] where there is no wireless service (most servers).
    fn wireless(&self) -> Answer<Vec<WirelessLink>>;

    /// Local accounts (`NetUserEnum`, level 3).
    ///
    /// # Errors
    /// When network management cannot be queried.
    fn accounts(&self) -> Answer<Vec<UserAccount>>;

    /// Direct members of the local group with this SID (such as `S-1-5-32-544`).
    ///
    /// # Errors
    /// When network management cannot be queried.
    fn members(&self, group: &str) -> Answer<Vec<Member>>;

    /// Password and lockout rules (`NetUserModalsGet`, levels 0 and 3).
    ///
    /// # Errors
    /// When network management cannot be queried.
    fn account_rules(&self) -> Answer<AccountRules>;

    /// The version in a program file's fixed version block, `a.b.c.d`.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when there is no such file or it has no version.
    fn file_version(&self, path: &str) -> Answer<String>;

    /// The company named in a program file (`CompanyName` of its version information): the maker's own text, not translated by Windows.
    ///
    /// # Errors
    /// See [`WindowsOs::file_version`].
    fn file_company(&self, path: &str) -> Answer<String>;

    /// Events of a channel, the last written first, whatever the clock said at the time.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when there is no such channel.
    fn events(&self, query: &EventQuery) -> Answer<Vec<Event>>;

    /// Events of one provider in a shared channel (`System`, `Application`), newest first. An event number is only meaningful
    /// together with the provider's name, which is not translated.
    ///
    /// # Errors
    /// See [`WindowsOs::events`]. A provider that wrote nothing, or does not exist, has no events.
    fn events_of(&self, provider: &str, query: &EventQuery) -> Answer<Vec<Event>>;

    /// Size and oldest record of an event log.
    ///
    /// # Errors
    /// See [`WindowsOs::events`].
    fn log_file(&self, channel: &str) -> Answer<LogFile>;

    /// The audit setting of each subcategory (GUID in braces, upper case): bit 0 success, bit 1 failure.
    ///
    /// # Errors
    /// [`super::OsError::Denied`] without the right to manage auditing.
    fn audit_policy(&self, subcategories: &[&str]) -> Answer<Vec<(String, u32)>>;

    /// What the Windows Update Agent knows without going online.
    ///
    /// # Errors
    /// `TimedOut` after its deadline (it may take a minute); `Failed` with its HRESULT when the Windows Update Agent itself
    /// is unavailable.
    fn updates(&self) -> Answer<UpdateSearch>;

    /// The raw firmware tables (SMBIOS, `GetSystemFirmwareTable('RSMB')`).
    ///
    /// # Errors
    /// When the firmware provides none.
    fn firmware(&self) -> Answer<Vec<u8>>;
}
