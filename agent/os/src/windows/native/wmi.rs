//! WMI (crate `wmi`), for any query and any properties.

use wmi::{AuthLevel, IWbemClassWrapper, WMIConnection, WMIError};

use super::com::Com;
use crate::windows::{Row, Variant, decode};
use crate::{Answer, OsError};

/// [`super::super::WindowsOs::wmi`].
pub(super) fn query(namespace: &str, query: &str) -> Answer<Vec<Row>> {
    let _com = Com::begin()?;
    let failed = |error: WMIError| refused(&format!("{namespace}: {query}"), error);
    let connection = WMIConnection::with_namespace_path(namespace).map_err(failed)?;
    // BitLocker and the TPM only answer over an encrypted connection.
    if namespace.to_ascii_lowercase().contains(r"\security\") {
        connection.set_proxy_blanket(AuthLevel::PktPrivacy).map_err(failed)?;
    }
    let mut rows = Vec::new();
    for object in connection.exec_query(query).map_err(failed)? {
        rows.push(row(&object.map_err(failed)?).map_err(failed)?);
    }
    Ok(rows)
}

fn row(object: &IWbemClassWrapper) -> Result<Row, WMIError> {
    let mut row = Row::new();
    for name in object.list_properties()? {
        if let Some(value) = plain(object.get_property(&name)?) {
            row.insert(name, value);
        }
    }
    Ok(row)
}

/// `None` for nested objects: no query asks for one.
fn plain(value: wmi::Variant) -> Option<Variant> {
    use wmi::Variant as Given;
    Some(match value {
        Given::Empty | Given::Null => Variant::Null,
        Given::Bool(value) => Variant::Bool(value),
        Given::String(text) => Variant::Text(text),
        Given::I1(number) => Variant::Number(number.into()),
        Given::I2(number) => Variant::Number(number.into()),
        Given::I4(number) => Variant::Number(number.into()),
        Given::I8(number) => Variant::Number(number),
        Given::UI1(number) => Variant::Number(number.into()),
        Given::UI2(number) => Variant::Number(number.into()),
        Given::UI4(number) => Variant::Number(number.into()),
        // No queried property has a value beyond 2^63; as text it is at least not wrong.
        Given::UI8(number) => i64::try_from(number).map_or_else(|_| Variant::Text(number.to_string()), Variant::Number),
        Given::R4(number) => Variant::Text(number.to_string()),
        Given::R8(number) => Variant::Text(number.to_string()),
        Given::Array(values) => Variant::List(values.into_iter().filter_map(plain).collect()),
        Given::Unknown(_) | Given::Object(_) => return None,
    })
}

fn refused(what: &str, error: WMIError) -> OsError {
    match error {
        WMIError::HResultError { hres } => decode::refused(what, hres.cast_unsigned()),
        other => OsError::Failed(what.to_owned(), other.to_string()),
    }
}
