//! Everything beyond a call: turns Windows' codes, times, identifiers and buffers into plain values. Nothing here asks the
//! machine, so all of it is tested on every system.

use crate::OsError;

pub(super) mod address;
pub(super) mod event;
pub(super) mod hive;
pub(super) mod registry;
pub(super) mod sockets;

/// Translates a refusal into an [`OsError`]: `code` is an `HRESULT`, a Win32 code or one of network management.
///
/// A code that means that there is nothing to ask, or that this user may not ask, becomes `Missing` or `Denied`.
/// Source: winerror.h, wbemcli.h (`WBEM_E_*`), winevt.h (`ERROR_EVT_CHANNEL_NOT_FOUND`).
pub(super) fn refused(what: &str, code: u32) -> OsError {
    // An HRESULT of facility 7 (Win32) carries a Win32 code.
    let plain = if code >> 16 == 0x8007 { code & 0xFFFF } else { code };
    match plain {
        // File, path, module; no such group (two codes); no account with this SID; no resource in the file (three
        // codes); no such channel; WBEM_E_NOT_FOUND, WBEM_E_INVALID_NAMESPACE, WBEM_E_INVALID_CLASS.
        2 | 3 | 126 | 1332 | 1376 | 2220 | 1812 | 1813 | 1814 | 15007 | 0x8004_1002 | 0x8004_100E | 0x8004_1010 => {
            OsError::Missing(what.to_owned())
        }
        // Access denied, privilege not held; WBEM_E_ACCESS_DENIED, WBEM_E_PRIVILEGE_NOT_HELD.
        5 | 1314 | 0x8004_1003 | 0x8004_1062 => OsError::Denied(what.to_owned()),
        other if other > 0xFFFF => OsError::Failed(what.to_owned(), format!("0x{other:08X}")),
        other => OsError::Failed(what.to_owned(), format!("Windows error {other}")),
    }
}

/// 100 nanoseconds since 1601 UTC (`FILETIME`) as milliseconds since 1970 UTC.
pub fn filetime(ticks: u64) -> i64 {
    const FROM_1601_TO_1970: i64 = 11_644_473_600_000;
    i64::try_from(ticks / 10_000).unwrap_or(i64::MAX).saturating_sub(FROM_1601_TO_1970)
}

/// Days since 30 December 1899 (`VT_DATE`) as milliseconds since 1970; `None` for 0, which means no date, and for what
/// is not a number.
pub(super) fn ole_date(days: f64) -> Option<i64> {
    const FROM_1899_TO_1970: f64 = 25_569.0;
    const DAY: f64 = 86_400_000.0;
    let milliseconds = (days - FROM_1899_TO_1970) * DAY;
    // Beyond this a date is meaningless; within it the conversion is exact.
    let sensible = days > 0.0 && milliseconds.abs() < 1e14;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be small and finite")]
    sensible.then(|| milliseconds.round() as i64)
}

/// A GUID in braces and upper case.
pub(super) fn guid(value: u128) -> String {
    uuid::Uuid::from_u128(value).braced().encode_upper(&mut uuid::Uuid::encode_buffer()).to_owned()
}

/// Parses a GUID, with or without braces.
pub(super) fn guid_number(text: &str) -> Option<u128> {
    uuid::Uuid::try_parse(text).ok().map(|guid| guid.as_u128())
}

/// UTF-16 text up to its NUL or end; invalid UTF-16 becomes U+FFFD.
pub(super) fn wide(units: &[u16]) -> String {
    let end = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

/// The file version `a.b.c.d` of a fixed version block (`VS_FIXEDFILEINFO`); `None` when it is not such a block.
pub(super) fn file_version(block: &[u8]) -> Option<String> {
    const SIGNATURE: u32 = 0xFEEF_04BD;
    let number = |at: usize| Some(u32::from_le_bytes(block.get(at..at + 4)?.try_into().ok()?));
    if number(0)? != SIGNATURE {
        return None;
    }
    let (high, low) = (number(8)?, number(12)?);
    Some(format!("{}.{}.{}.{}", high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF))
}

/// The languages of a file's version texts in the form used in their names, `040904b0`: those the file lists
/// (`\\VarFileInfo\\Translation`, pairs of language and code page), then English in Unicode, which exists where the list is wrong.
pub(super) fn file_languages(translations: &[u8]) -> Vec<String> {
    const ENGLISH: &str = "040904b0";
    let pair = |pair: &[u8]| {
        let number = |at: usize| u16::from_le_bytes([pair[at], pair[at + 1]]);
        format!("{:04x}{:04x}", number(0), number(2))
    };
    let mut languages: Vec<String> = translations.chunks_exact(4).take(16).map(pair).collect();
    languages.push(ENGLISH.to_owned());
    languages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_is_missing_and_what_is_denied_in_both_spellings() {
        for missing in [2, 0x8007_0002, 0x8004_100E, 0x8004_1010, 15007, 0x8007_3A9F, 1376] {
            assert_eq!(refused("it", missing), OsError::Missing("it".to_owned()), "{missing:#x}");
        }
        for denied in [5, 0x8007_0005, 0x8004_1003, 1314] {
            assert_eq!(refused("it", denied), OsError::Denied("it".to_owned()), "{denied:#x}");
        }
        assert_eq!(refused("it", 1722), OsError::Failed("it".to_owned(), "Windows error 1722".to_owned()));
        assert_eq!(refused("it", 0x8024_0438), OsError::Failed("it".to_owned(), "0x80240438".to_owned()));
    }

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(filetime(116_444_736_000_000_000), 0);
        assert_eq!(filetime(133_485_408_000_000_000), 1_704_067_200_000);
        assert_eq!(ole_date(45_292.5), Some(1_704_110_400_000));
        assert_eq!(ole_date(0.0), None);
        assert_eq!(ole_date(f64::NAN), None);
    }

    #[test]
    fn identifiers_are_written_in_braces_and_upper_case() {
        let text = "{0CCE9215-69AE-11D9-BED3-505054503030}";
        assert_eq!(guid(guid_number(text).unwrap()), text);
        assert_eq!(guid_number("0cce9215-69ae-11d9-bed3-505054503030"), guid_number(text));
        assert_eq!(guid_number("logon"), None);
        assert_eq!(wide(&[84, 114, 0x1EA1, 109, 0, 65]), "Trạm");
    }

    #[test]
    fn a_version_block_gives_four_numbers() {
        let mut block = Vec::new();
        for number in [0xFEEF_04BD_u32, 0x1_0000, 0x0004_0012, 0x6111_0005, 0, 0] {
            block.extend(number.to_le_bytes());
        }
        assert_eq!(file_version(&block).as_deref(), Some("4.18.24849.5"));
        assert_eq!(file_version(&block[..12]), None);
        block[0] = 0;
        assert_eq!(file_version(&block), None);
    }
    #[test]
    fn languages_of_a_file_are_those_it_lists_and_english() {
        assert_eq!(file_languages(&[0x2A, 0x04, 0xB0, 0x04, 0x09]), ["042a04b0", "040904b0"]);
        assert_eq!(file_languages(&[]), ["040904b0"]);
        assert_eq!(file_languages(&[0; 4_000]).len(), 17);
    }
}
