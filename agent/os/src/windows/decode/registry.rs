//! Registry values from their bytes.

use super::wide;
use crate::windows::Registry;

/// A value of type `kind` (`REG_*`).
pub(in crate::windows) fn value(kind: u32, bytes: &[u8]) -> Registry {
    const REG_SZ: u32 = 1;
    const REG_EXPAND_SZ: u32 = 2;
    const REG_DWORD: u32 = 4;
    const REG_MULTI_SZ: u32 = 7;
    const REG_QWORD: u32 = 11;
    match (kind, bytes) {
        (REG_SZ | REG_EXPAND_SZ, _) => Registry::Text(wide(&units(bytes))),
        (REG_MULTI_SZ, _) => Registry::Texts(texts(&units(bytes))),
        (REG_DWORD, &[a, b, c, d]) => Registry::Number(u64::from(u32::from_le_bytes([a, b, c, d]))),
        (REG_QWORD, &[a, b, c, d, e, f, g, h]) => Registry::Number(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => Registry::Bytes(bytes.to_vec()),
    }
}

/// The texts of a list, which ends where the value ends: an empty text counts like any other (in a pair it may mean "none"). Each text ends
/// with NUL and the list with one more; programs forget the last one, or both.
fn texts(units: &[u16]) -> Vec<String> {
    let list = units.strip_suffix(&[0]).unwrap_or(units);
    // Some programs also write an empty list with a text terminator.
    if matches!(list, [] | [0]) {
        return Vec::new();
    }
    let list = list.strip_suffix(&[0]).unwrap_or(list);
    list.split(|&unit| unit == 0).map(String::from_utf16_lossy).collect()
}

/// Bytes as UTF-16; an odd last byte is dropped.
pub(super) fn units(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn numbers_texts_and_lists_are_told_apart_by_their_type() {
        assert_eq!(value(4, &[1, 2, 0, 0]), Registry::Number(0x201));
        assert_eq!(value(11, &[0, 0, 0, 0, 1, 0, 0, 0]), Registry::Number(1 << 32));
        assert_eq!(value(1, &bytes("Xã Tân An\0rubbish")), Registry::Text("Xã Tân An".to_owned()));
        assert_eq!(value(2, &bytes("%SystemRoot%")), Registry::Text("%SystemRoot%".to_owned()));
        assert_eq!(value(7, &bytes("one\0two\0\0")), Registry::Texts(vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(value(7, &bytes("one\0two")), Registry::Texts(vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(value(7, &bytes("\0")), Registry::Texts(Vec::new()));
        assert_eq!(value(1, &bytes("SE Asia Standard Time\0\u{7}A\0\0")), value(1, &bytes("SE Asia Standard Time")));
    }

    #[test]
    fn a_list_is_read_to_its_end_and_empty_texts_are_kept() {
        let list = |text: &str| match value(7, &bytes(text)) {
            Registry::Texts(texts) => texts,
            other => panic!("{other:?}"),
        };
        // Deletions first: the second text of such a pair is empty.
        assert_eq!(list("x\0\0y\0!z\0\0"), ["x", "", "y", "!z"]);
        assert_eq!(list("x\0\0\0"), ["x", ""]);
        assert_eq!(list("x\0\0y\0\0\0"), ["x", "", "y", ""]);
        assert_eq!(list("\0x\0\0"), ["", "x"]);
        // Without one or both terminators.
        assert_eq!(list("x\0\0y\0!z\0"), ["x", "", "y", "!z"]);
        assert_eq!(list("x\0\0y\0!z"), ["x", "", "y", "!z"]);
        assert_eq!(list(""), [""; 0]);
        assert_eq!(list("\0\0"), [""; 0]);
    }

    #[test]
    fn what_does_not_fit_its_type_stays_bytes() {
        assert_eq!(value(4, &[1, 2]), Registry::Bytes(vec![1, 2]));
        assert_eq!(value(3, &[9]), Registry::Bytes(vec![9]));
        assert_eq!(value(1, &[]), Registry::Text(String::new()));
    }
}
