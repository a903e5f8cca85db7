//! Reads one small table of an SQLite file: enough for `lastlog2.db`, which newer systems keep instead of `lastlog`.
//!
//! The format is fixed and public (sqlite.org/fileformat2.html). Reads table b-trees whose rows fit on their page; does not read
//! rows that overflow their page, indexes, or a journal that was not written back.

use std::collections::BTreeSet;

/// A value of a row, as far as it is needed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// An integer.
    Number(i64),
    /// Text; invalid UTF-8 is replaced.
    Text(String),
    /// Null, a fraction or bytes.
    Other,
}

/// The most rows that are read.
const MOST_ROWS: usize = 10_000;

/// The rows of `table`, each with its columns in order. `None` when the bytes are not such a file or have no such
/// table.
pub(super) fn rows(file: &[u8], table: &str) -> Option<Vec<Vec<Cell>>> {
    if !file.starts_with(b"SQLite format 3\0") {
        return None;
    }
    let size = match u16::from_be_bytes(file.get(16..18)?.try_into().ok()?) {
        1 => 65_536,
        size => usize::from(size),
    };
    if size < 512 {
        return None;
    }
    // The schema: type, name, table, first page, SQL.
    let root = pages(file, size, 1)?.into_iter().find_map(|row| match &row[..] {
        [Cell::Text(kind), Cell::Text(name), _, Cell::Number(root), ..]
            if kind == "table" && name.eq_ignore_ascii_case(table) =>
        {
            usize::try_from(*root).ok()
        }
        _ => None,
    })?;
    pages(file, size, root)
}

/// The rows of the b-tree whose first page is `root`.
fn pages(file: &[u8], size: usize, root: usize) -> Option<Vec<Vec<Cell>>> {
    const INTERIOR: u8 = 5;
    const LEAF: u8 = 13;
    let (mut waiting, mut seen, mut rows) = (vec![root], BTreeSet::new(), Vec::new());
    while let Some(number) = waiting.pop() {
        // A page that occurs twice in a tree is malicious.
        if !seen.insert(number) || rows.len() > MOST_ROWS {
            return None;
        }
        let start = number.checked_sub(1)?.checked_mul(size)?;
        let page = file.get(start..start.checked_add(size)?)?;
        let head = if number == 1 { 100 } else { 0 };
        let word = |at: usize| Some(usize::from(u16::from_be_bytes(page.get(at..at + 2)?.try_into().ok()?)));
        let long = |at: usize| u32::from_be_bytes(page.get(at..at + 4)?.try_into().ok()?).try_into().ok();
        let kind = *page.get(head)?;
        let first = head + if kind == INTERIOR { 12 } else { 8 };
        for cell in 0..word(head + 3)? {
            let at = word(first + cell * 2)?;
            match kind {
                INTERIOR => waiting.push(long(at)?),
                LEAF => rows.push(row(page.get(at..)?)?),
                _ => return None,
            }
        }
        if kind == INTERIOR {
            waiting.push(long(head + 8)?);
        }
    }
    Some(rows)
}

/// Length, row id, length of the header, a type for each column, the columns.
fn row(cell: &[u8]) -> Option<Vec<Cell>> {
    let mut rest = cell;
    let length = usize::try_from(variable(&mut rest)?).ok()?;
    variable(&mut rest)?;
    let payload = rest.get(..length)?;
    let mut header = payload;
    let end = usize::try_from(variable(&mut header)?).ok()?;
    let used = payload.len() - header.len();
    let mut header = payload.get(used..end)?;
    let mut content = payload.get(end..)?;
    let mut columns = Vec::new();
    while !header.is_empty() {
        let kind = variable(&mut header)?;
        let width = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            12.. => usize::try_from((kind - 12) / 2).ok()?,
            _ => return None,
        };
        let (bytes, behind) = content.split_at_checked(width)?;
        content = behind;
        columns.push(match kind {
            1..=6 => Cell::Number(number(bytes)),
            8 => Cell::Number(0),
            9 => Cell::Number(1),
            13.. if kind % 2 == 1 => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
            _ => Cell::Other,
        });
    }
    Some(columns)
}

/// A big-endian number of up to eight bytes with its sign.
fn number(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(start, |number, &byte| (number << 8) | i64::from(byte))
}

/// A varint: seven bits a byte, the highest first; a ninth byte contributes all eight.
fn variable(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for position in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if position == 8 {
            return Some((number << 8) | u64::from(byte));
        }
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by SQLite itself: `CREATE TABLE Lastlog2(Name TEXT PRIMARY KEY, Time INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT)`
    /// in pages of 512 bytes with 40 rows `user0` ... `user39`, so that the tree has an inner page.
    pub(crate) const FILE: &[u8] = include_bytes!("lastlog2.db");

    #[test]
    fn a_table_of_several_pages_is_read() {
        let rows = rows(FILE, "lastlog2").unwrap();
        assert_eq!(rows.len(), 40);
        let of = |name: &str| rows.iter().find(|row| row[0] == Cell::Text(name.to_owned())).unwrap();
        assert_eq!(of("user0")[1], Cell::Number(1_739_000_000));
        assert_eq!(of("user39")[1], Cell::Number(1_739_003_900));
        assert_eq!(of("user39")[4], Cell::Text("sshd".to_owned()));
        assert_eq!(super::rows(FILE, "absent"), None);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for broken in [&b""[..], b"SQLite format 3\0", &FILE[..600], b"something else"] {
            assert_eq!(rows(broken, "lastlog2"), None);
        }
        assert_eq!(number(&[0xff, 0xfe]), -2);
    }

    proptest! {
        #[test]
        fn a_file_with_any_bytes_changed_ends(changes in prop::collection::vec((0..FILE.len(), any::<u8>()), 1..40)) {
            let mut file = FILE.to_vec();
            for (at, byte) in changes {
                file[at] = byte;
            }
            if let Some(rows) = rows(&file, "lastlog2") {
                prop_assert!(rows.len() <= MOST_ROWS + 500);
            }
        }
    }
}
