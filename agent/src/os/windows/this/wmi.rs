//! WMI (crate `wmi`): one connection for each question, so that nothing is shared with a question that was given up.

use wmi::{Variant as Told, WMIConnection, WMIError};

use crate::os::windows::{Row, Variant};
use crate::os::{Answer, OsError};

/// `WBEM_E_INVALID_NAMESPACE`, `WBEM_E_INVALID_CLASS`, `WBEM_E_NOT_FOUND`: this edition does not have it.
const MISSING: [u32; 3] = [0x8004_100E, 0x8004_1010, 0x8004_1002];
/// `WBEM_E_ACCESS_DENIED`, `E_ACCESSDENIED`.
const DENIED: [u32; 2] = [0x8004_1003, 0x8007_0005];

/// [`super::super::WindowsOs::wmi`], for a thread of its own.
pub(super) fn rows(namespace: &str, query: &str) -> Answer<Vec<Row>> {
    let refused = |error: WMIError| refused(namespace, &error);
    let connection = WMIConnection::with_namespace_path(namespace).map_err(refused)?;
    let rows: Vec<std::collections::HashMap<String, Told>> = connection.raw_query(query).map_err(refused)?;
    Ok(rows.into_iter().map(|row| row.into_iter().map(|(name, value)| (name, plain(value))).collect()).collect())
}

fn refused(namespace: &str, error: &WMIError) -> OsError {
    let code = match error {
        WMIError::HResultError { hres } => hres.cast_unsigned(),
        other => return OsError::Failed(namespace.to_owned(), other.to_string()),
    };
    match code {
        code if MISSING.contains(&code) => OsError::Missing(namespace.to_owned()),
        code if DENIED.contains(&code) => OsError::Denied(namespace.to_owned()),
        code => OsError::Failed(namespace.to_owned(), format!("0x{code:08X}")),
    }
}

fn plain(value: Told) -> Variant {
    match value {
        Told::String(text) => Variant::Text(text),
        Told::Bool(yes) => Variant::Bool(yes),
        Told::I1(number) => Variant::Number(number.into()),
        Told::I2(number) => Variant::Number(number.into()),
        Told::I4(number) => Variant::Number(number.into()),
        Told::I8(number) => Variant::Number(number),
        Told::UI1(number) => Variant::Number(number.into()),
        Told::UI2(number) => Variant::Number(number.into()),
        Told::UI4(number) => Variant::Number(number.into()),
        Told::UI8(number) => i64::try_from(number).map_or(Variant::Null, Variant::Number),
        Told::Array(items) => Variant::List(items.into_iter().map(plain).collect()),
        _ => Variant::Null,
    }
}
