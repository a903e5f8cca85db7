//! What Windows answers, as plain values: nothing is interpreted here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A value of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registry {
    /// `REG_DWORD`, `REG_QWORD`.
    Number(u64),
    /// `REG_SZ`, `REG_EXPAND_SZ` (not expanded).
    Text(String),
    /// `REG_MULTI_SZ`.
    Texts(Vec<String>),
    /// `REG_BINARY` and whatever else.
    Bytes(Vec<u8>),
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
    /// Text; instants are in CIM form (`20260101103000.000000+420`).
    Text(String),
    /// An array.
    List(Vec<Self>),
}

/// A row of WMI: properties by name as the class spells them.
pub type Row = BTreeMap<String, Variant>;

/// A service or driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its key's name, never the name that is shown.
    pub name: String,
    /// `SERVICE_STATUS_PROCESS.dwCurrentState`: 1 stopped, 4 running.
    pub state: u32,
    /// `dwServiceType`: bits 0x1, 0x2 driver; 0x10, 0x20 Win32.
    pub kind: u32,
    /// Its process; 0 when it has none.
    #[serde(default)]
    pub pid: u32,
}

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsProcess {
    /// Its number.
    pub pid: u32,
    /// File name of its program, such as `MsMpEng.exe`.
    pub name: String,
}
