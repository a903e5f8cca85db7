//! The registry (crate `windows-registry`), always in its 64-bit view.
#![expect(unsafe_code, reason = "the crate does not tell when a key was last written")]

use windows::Win32::Foundation::FILETIME;
use windows::Win32::System::Registry::{HKEY, RegQueryInfoKeyW};
use windows_registry::{CLASSES_ROOT, CURRENT_USER, Key, LOCAL_MACHINE, USERS, Value};

use crate::windows::{Registry, decode};
use crate::{Answer, OsError};

/// `KEY_WOW64_64KEY`: a 32-bit agent on 64-bit Windows sees what everyone else sees.
const VIEW: u32 = 0x100;

/// [`super::super::WindowsOs::value`].
pub(super) fn value(key: &str, name: &str) -> Answer<Registry> {
    let value = open(key)?.get_value(name).map_err(|error| refused(&format!("{key} : {name}"), &error))?;
    Ok(plain(&value))
}

/// [`super::super::WindowsOs::values`].
pub(super) fn values(key: &str) -> Answer<Vec<(String, Registry)>> {
    let opened = open(key)?;
    let values = opened.values().map_err(|error| refused(key, &error))?;
    let mut values: Vec<_> = values.map(|(name, value)| (name, plain(&value))).collect();
    values.sort_by_key(|(name, _)| name.to_lowercase());
    Ok(values)
}

/// [`super::super::WindowsOs::keys`].
pub(super) fn keys(key: &str) -> Answer<Vec<String>> {
    let opened = open(key)?;
    let mut names: Vec<String> = opened.keys().map_err(|error| refused(key, &error))?.collect();
    names.sort_by_key(|name| name.to_lowercase());
    Ok(names)
}

/// [`super::super::WindowsOs::written_at`].
pub(super) fn written_at(key: &str) -> Answer<i64> {
    let opened = open(key)?;
    let mut time = FILETIME::default();
    // SAFETY: the key is open while `opened` lives; only the time is asked for, into an output that outlives the call.
    let status = unsafe {
        RegQueryInfoKeyW(
            HKEY(opened.as_raw()),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            Some(&raw mut time),
        )
    };
    if status.is_err() {
        return Err(decode::refused(key, status.0));
    }
    Ok(decode::filetime(u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)))
}

/// Opens a key for reading.
pub(super) fn open(key: &str) -> Answer<Key> {
    let (root, below) = key.split_once('\\').unwrap_or((key, ""));
    let root = match root.to_ascii_uppercase().as_str() {
        "HKLM" => LOCAL_MACHINE,
        "HKU" => USERS,
        "HKCU" => CURRENT_USER,
        "HKCR" => CLASSES_ROOT,
        _ => return Err(OsError::Failed(key.to_owned(), "begins with no known root".to_owned())),
    };
    root.options().read().access(VIEW).open(below).map_err(|error| refused(key, &error))
}

fn plain(value: &Value) -> Registry {
    decode::registry::value(value.ty().into(), value)
}

fn refused(what: &str, error: &windows::core::Error) -> OsError {
    decode::refused(what, error.code().0.cast_unsigned())
}
