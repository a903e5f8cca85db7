//! The registry (crate `windows-registry`), in its 64-bit view also for a 32-bit agent.

use windows_registry::{CURRENT_USER, Key, LOCAL_MACHINE, Type, USERS};

use crate::os::windows::Registry;
use crate::os::{Answer, OsError};

/// `KEY_WOW64_64KEY`; without a meaning on 32-bit Windows.
const VIEW_64: u32 = 0x100;
/// `HRESULT` of `ERROR_FILE_NOT_FOUND` and `ERROR_PATH_NOT_FOUND`.
const MISSING: [u32; 2] = [0x8007_0002, 0x8007_0003];
/// `HRESULT` of `ERROR_ACCESS_DENIED`.
const DENIED: u32 = 0x8007_0005;

/// [`super::super::WindowsOs::value`].
pub(super) fn value(key: &str, name: &str) -> Answer<Registry> {
    let opened = open(key)?;
    let value = opened.get_value(name).map_err(|error| refused(&format!("{key} : {name}"), &error))?;
    Ok(plain(value))
}

/// [`super::super::WindowsOs::values`].
pub(super) fn values(key: &str) -> Answer<Vec<(String, Registry)>> {
    let opened = open(key)?;
    let values = opened.values().map_err(|error| refused(key, &error))?;
    let mut values: Vec<(String, Registry)> = values.map(|(name, value)| (name, plain(value))).collect();
    values.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(values)
}

/// [`super::super::WindowsOs::keys`].
pub(super) fn keys(key: &str) -> Answer<Vec<String>> {
    let opened = open(key)?;
    let mut keys: Vec<String> = opened.keys().map_err(|error| refused(key, &error))?.collect();
    keys.sort_unstable();
    Ok(keys)
}

fn open(key: &str) -> Answer<Key> {
    let (hive, path) = key.split_once('\\').unwrap_or((key, ""));
    let hive = match hive {
        "HKLM" => LOCAL_MACHINE,
        "HKU" => USERS,
        "HKCU" => CURRENT_USER,
        other => return Err(OsError::Failed(key.to_owned(), format!("{other} is no hive that is read"))),
    };
    hive.options().read().access(READ | VIEW_64).open(path).map_err(|error| refused(key, &error))
}

/// `KEY_READ`.
const READ: u32 = 0x2_0019;

fn refused(what: &str, error: &windows::core::Error) -> OsError {
    let code = error.code().0.cast_unsigned();
    match code {
        DENIED => OsError::Denied(what.to_owned()),
        code if MISSING.contains(&code) => OsError::Missing(what.to_owned()),
        code => OsError::Failed(what.to_owned(), format!("0x{code:08X}")),
    }
}

/// A value whose content does not fit its type counts as bytes.
fn plain(value: windows_registry::Value) -> Registry {
    let kind = value.ty();
    let read = match kind {
        Type::U32 => u32::try_from(value.clone()).ok().map(|number| Registry::Number(number.into())),
        Type::U64 => u64::try_from(value.clone()).ok().map(Registry::Number),
        Type::String | Type::ExpandString => String::try_from(value.clone()).ok().map(Registry::Text),
        Type::MultiString => Vec::<String>::try_from(value.clone()).ok().map(Registry::Texts),
        _ => None,
    };
    read.unwrap_or_else(|| Registry::Bytes(value.to_vec()))
}
