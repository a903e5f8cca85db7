//! Answers of Windows as plain values: nothing is interpreted here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A registry value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registry {
    /// `REG_DWORD`, `REG_QWORD`.
    Number(u64),
    /// `REG_SZ`, `REG_EXPAND_SZ` (not expanded).
    Text(String),
    /// `REG_MULTI_SZ`.
    Texts(Vec<String>),
    /// `REG_BINARY` and all other types.
    Bytes(Vec<u8>),
}

/// A registry key with its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subkey {
    /// Its own name, without its parent keys.
    pub name: String,
    /// Its values by name.
    pub values: Vec<(String, Registry)>,
}

/// A property of a WMI row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Present without a value.
    Null,
    /// Yes or no.
    Bool(bool),
    /// Any integer.
    Number(i64),
    /// Text; times are in CIM form (`20260101103000.000000+420`).
    Text(String),
    /// An array.
    List(Vec<Self>),
}

/// A WMI row: properties by name, spelled as in the class.
pub type Row = BTreeMap<String, Variant>;

/// A service or driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The name of its key, never its display name.
    pub name: String,
    /// `SERVICE_STATUS_PROCESS.dwCurrentState`: 1 stopped, 4 running.
    pub state: u32,
    /// `dwServiceType`: bits 0x1, 0x2 driver; 0x10, 0x20 Win32.
    pub kind: u32,
    /// Process id; 0 when it has no process.
    #[serde(default)]
    pub pid: u32,
}

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsProcess {
    /// Process id.
    pub pid: u32,
    /// File name of its program, such as `MsMpEng.exe`.
    pub name: String,
}

/// What the computer is joined to (`NetGetJoinInformation`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Neither.
    None,
    /// A workgroup of this name.
    Workgroup(String),
    /// A domain of this name.
    Domain(String),
}

/// A network adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Adapter {
    /// Its GUID in braces, upper case.
    pub guid: String,
    /// The name a person gave it; in the user's language, for display only.
    pub name: String,
    /// Interface index.
    pub index: u32,
    /// `IfType`: 6 Ethernet, 71 Wi-Fi, 24 loopback, 131 tunnel, 23 PPP ...
    pub kind: u32,
    /// True when `OperStatus` is up.
    pub up: bool,
    /// Hardware address.
    pub mac: Vec<u8>,
    /// Addresses with prefix length, such as `10.0.0.5/24`.
    pub addresses: Vec<String>,
    /// True when its IPv4 address comes from a DHCP server.
    pub dhcp: bool,
    /// Name servers, in order.
    pub dns: Vec<String>,
    /// Default gateways.
    pub gateways: Vec<String>,
    /// Interface metric; smaller is preferred.
    pub metric: u32,
    /// True when it is backed by hardware (`InterfaceAndOperStatusFlags.HardwareInterface`).
    pub hardware: bool,
}

/// An entry of the neighbour table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourEntry {
    /// IP address.
    pub address: String,
    /// Hardware address; empty when it did not answer.
    pub mac: Vec<u8>,
    /// Interface index.
    pub index: u32,
    /// `NL_NEIGHBOR_STATE`: 2 incomplete to 6 permanent.
    pub state: u32,
}

/// A listening TCP or bound UDP socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// True for TCP, false for UDP.
    pub tcp: bool,
    /// The address it is bound to.
    pub address: String,
    /// Port.
    pub port: u16,
    /// Process id.
    pub pid: u32,
}

/// The category of a connected network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkCategory {
    /// The adapter's GUID in braces, upper case.
    pub adapter: String,
    /// `NLM_NETWORK_CATEGORY`: 0 public, 1 private, 2 domain.
    pub category: u32,
}

/// A wireless link that is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WirelessLink {
    /// The adapter's GUID in braces, upper case.
    pub adapter: String,
    /// `DOT11_AUTH_ALGORITHM`: 1 open, 2 shared key, 3 WPA, 4 WPA-PSK, 6 RSNA (WPA2), 7 RSNA-PSK, 8 WPA3, 9 WPA3-SAE.
    pub authentication: u32,
    /// `DOT11_CIPHER_ALGORITHM`: 0 none, 1 or 5 WEP, 2 TKIP, 4 CCMP.
    pub cipher: u32,
}

/// A local account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAccount {
    /// Login name.
    pub name: String,
    /// Relative id: 500 the built-in administrator, 501 the guest.
    pub rid: u32,
    /// `usri3_flags` (`UF_*`).
    pub flags: u32,
    /// Seconds since the password was set, at the time of the query.
    pub password_age: u32,
    /// Seconds since 1970 UTC; 0 for never.
    pub last_logon: u32,
}

/// A member of a local group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its SID, `S-1-5-21-...`.
    pub sid: String,
    /// `SID_NAME_USE`: 1 user, 2 group, 5 well-known group.
    pub kind: u32,
    /// Its display name.
    pub name: String,
}

/// Password and lockout rules; times in seconds, `u32::MAX` for unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRules {
    /// Minimum password length.
    pub min_length: u32,
    /// Maximum password age.
    pub max_age: u32,
    /// How many former passwords are refused.
    pub history: u32,
    /// Failed attempts before an account is locked; 0 for never.
    pub lockout_tries: u32,
    /// How long it stays locked.
    pub lockout_time: u32,
}

/// Which events to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventQuery {
    /// Channel, such as `Microsoft-Windows-Windows Defender/Operational`.
    pub channel: String,
    /// Event numbers.
    pub ids: Vec<u32>,
    /// Earliest time; milliseconds since 1970 UTC.
    pub since: i64,
    /// The most events to return.
    pub most: usize,
}

/// One event, without a rendered message: that would be in the user's language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Event number.
    pub id: u32,
    /// Level: 1 critical, 2 error, 3 warning, 4 information, 0 not given.
    #[serde(default)]
    pub level: u8,
    /// When it was written, by the clock at the time; milliseconds since 1970 UTC.
    pub at: i64,
    /// Its position in the log (`EventRecordID`), which rises whatever the clock did; 0 when not given.
    #[serde(default)]
    pub record: u64,
    /// Named data, in the event's order.
    pub data: Vec<(String, String)>,
}

/// An event log's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// Its size in bytes.
    pub size: u64,
    /// Time of its oldest record; milliseconds since 1970 UTC, `None` when it is empty.
    pub oldest_at: Option<i64>,
}

/// The most history entries to ask for: definition updates come several times a day.
pub const MOST_HISTORY: i32 = 300;

/// What the Windows Update Agent knows. The search may fail while the rest is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateSearch {
    /// Updates that are available but not installed: KB numbers from the title, severity, categories by GUID.
    pub waiting: Vec<WaitingUpdate>,
    /// Why that list is missing, if it is: an `HRESULT` such as `0x8024402C`.
    pub refused: Option<String>,
    /// `IAutomaticUpdatesResults.LastSearchSuccessDate`; milliseconds since 1970 UTC.
    pub searched_at: Option<i64>,
    /// `LastInstallationSuccessDate`; milliseconds since 1970 UTC.
    pub installed_at: Option<i64>,
    /// `ISystemInformation.RebootRequired`.
    pub reboot: Option<bool>,
    /// Past installations and attempts, newest first; none when unavailable.
    pub history: Option<Vec<PastInstallation>>,
    /// Why the history is missing, if it is: an `HRESULT`.
    pub history_refused: Option<String>,
}

/// An attempt to install an update (`IUpdateHistoryEntry`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastInstallation {
    /// Its id, a GUID.
    pub id: String,
    /// Its title, in the user's language.
    pub title: String,
    /// When it was attempted; milliseconds since 1970 UTC.
    pub at: i64,
    /// `OperationResultCode`: 2 succeeded, 3 succeeded with errors, 4 failed, 5 aborted.
    pub result: i32,
    /// `HRESULT`.
    pub code: i32,
}

/// An update that is not installed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingUpdate {
    /// KB numbers without `KB`.
    pub kb: Vec<String>,
    /// Category GUIDs, lower case.
    pub categories: Vec<String>,
    /// `MsrcSeverity`, an English word that Windows does not translate; empty when none.
    pub severity: String,
    /// True when somebody hid it, so that Windows does not offer it.
    #[serde(default)]
    pub hidden: bool,
}
