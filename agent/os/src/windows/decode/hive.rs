//! Reads a registry file (`regf`, version 1; `NTUSER.DAT` is one) without the help of Windows.
//!
//! Our own parser, because the existing crates are GPL or bring several others along, and only a few keys are needed. Layout: M.
//! Suhanov's "Windows registry file format specification", and what real files show.
//!
//! The person whose settings these are can write the file, so every number in it may be a lie: all are checked, nothing is followed twice,
//! and [`cells`] stops a file that asks for too much. A file damaged anywhere on the path is an error, never a shorter list.
//!
//! Windows first writes changes to a log. When the two sequence numbers in the header differ, or the last writes are only in that log
//! (`ntuser.dat.LOG1`), the file is read as it is: a program installed in the last minutes before a power cut may be missing.

use super::registry;
use crate::Answer;
use crate::windows::{Registry, Subkey};

mod cells;

pub(in crate::windows) use cells::Bytes;
use cells::Cells;

/// The most subkeys of one key.
const KEYS: usize = 4096;
/// The most values of one key.
const VALUES: usize = 256;
/// The longest name, in characters.
const NAME: usize = 256;
/// The longest value, in bytes; longer ones, which Windows keeps in several cells, are left out.
const VALUE: u32 = 16_344;
/// Flags for names stored with one byte per character: of a key, of a value.
const NARROW: (u16, u16) = (0x20, 0x1);

/// For each of `keys` (`Software\Microsoft`) the keys directly below it with their values, in file order; none where there is no such
/// key. Errors call the file `what`.
///
/// # Errors
/// `Failed` when the file is no registry file, is damaged, or holds more than any real settings do; the error of `file` when it cannot
/// be read.
pub(in crate::windows) fn read(file: &mut dyn Bytes, what: &str, keys: &[&str]) -> Answer<Vec<Vec<Subkey>>> {
    let mut cells = Cells::new(file, what);
    let header = cells.bytes(0, 40)?;
    if !header.starts_with(b"regf") || cells.number(&header, 20)? != 1 {
        return Err(cells.failed("is no registry file"));
    }
    let root = cells.number(&header, 36)?;
    let root = key(&mut cells, root)?;
    keys.iter().map(|path| subkeys(&mut cells, &root, path)).collect()
}

fn subkeys(cells: &mut Cells<'_>, root: &Key, path: &str) -> Answer<Vec<Subkey>> {
    let mut found = root.clone();
    for name in path.split('\\') {
        match named(cells, &found, name)? {
            Some(key) => found = key,
            None => return Ok(Vec::new()),
        }
    }
    let mut subkeys = Vec::new();
    for place in places(cells, &found)? {
        let key = key(cells, place)?;
        subkeys.push(Subkey { values: values(cells, &key)?, name: key.name });
    }
    Ok(subkeys)
}

/// The subkey `name` of a key.
fn named(cells: &mut Cells<'_>, above: &Key, name: &str) -> Answer<Option<Key>> {
    let name = name.to_lowercase();
    for place in places(cells, above)? {
        let key = key(cells, place)?;
        if key.name.to_lowercase() == name {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// A key: its counts of subkeys and values, and where their lists are.
#[derive(Clone)]
struct Key {
    name: String,
    keys: (u32, u32),
    values: (u32, u32),
}

/// Reads the key (`nk`) at `place`.
fn key(cells: &mut Cells<'_>, place: u32) -> Answer<Key> {
    let cell = cells.cell(place, 76 + 2 * NAME)?;
    if !cell.starts_with(b"nk") {
        return Err(cells.damaged("a key is none"));
    }
    Ok(Key {
        keys: (cells.number(&cell, 20)?, cells.number(&cell, 28)?),
        values: (cells.number(&cell, 36)?, cells.number(&cell, 40)?),
        name: name(cells, &cell, 76, 72, cells.short(&cell, 2)? & NARROW.0 != 0)?,
    })
}

/// Checks that a count is at most `most`.
fn at_most(cells: &Cells<'_>, count: u32, most: usize) -> Answer<usize> {
    let count = count as usize;
    if count > most { Err(cells.failed("holds too many keys or values")) } else { Ok(count) }
}

/// The places of a key's subkeys.
fn places(cells: &mut Cells<'_>, above: &Key) -> Answer<Vec<u32>> {
    let (count, list) = above.keys;
    let mut places = Vec::new();
    if count == 0 {
        return Ok(places);
    }
    let count = at_most(cells, count, KEYS)?;
    let (kind, entries) = listed(cells, list)?;
    if kind == *b"ri" {
        // A list of lists; its members must not be lists of lists again.
        for list in entries {
            let (kind, entries) = listed(cells, list)?;
            places.extend(entries);
            if kind == *b"ri" || places.len() > count {
                return Err(cells.damaged("a list of keys is none"));
            }
        }
    } else {
        places = entries;
    }
    if places.len() == count { Ok(places) } else { Err(cells.damaged("a list of keys has another length")) }
}

/// The type of the list at `place`, and the places in it.
fn listed(cells: &mut Cells<'_>, place: u32) -> Answer<([u8; 2], Vec<u32>)> {
    let cell = cells.cell(place, 4 + 8 * KEYS)?;
    let [one, other, ..] = cell[..] else { return Err(cells.damaged("a list of keys is none")) };
    let width = match &[one, other] {
        b"li" | b"ri" => 4,
        // Each is followed by the start of the name, or by a hash of it.
        b"lf" | b"lh" => 8,
        _ => return Err(cells.damaged("a list of keys is none")),
    };
    let count = usize::from(cells.short(&cell, 2)?);
    let places = (0..count).map(|index| cells.number(&cell, 4 + width * index)).collect::<Answer<_>>()?;
    Ok(([one, other], places))
}

/// The values of a key.
fn values(cells: &mut Cells<'_>, key: &Key) -> Answer<Vec<(String, Registry)>> {
    let (count, list) = key.values;
    let mut values = Vec::new();
    if count == 0 {
        return Ok(values);
    }
    let count = at_most(cells, count, VALUES)?;
    let list = cells.cell(list, 4 * count)?;
    for index in 0..count {
        let place = cells.number(&list, 4 * index)?;
        values.extend(value(cells, place)?);
    }
    Ok(values)
}

/// Reads the value (`vk`) at `place`; `None` for one that is left out.
fn value(cells: &mut Cells<'_>, place: u32) -> Answer<Option<(String, Registry)>> {
    /// Set in the length of a value that is stored in place of its offset.
    const HERE: u32 = 0x8000_0000;
    let cell = cells.cell(place, 20 + 2 * NAME)?;
    if !cell.starts_with(b"vk") {
        return Err(cells.damaged("a value is none"));
    }
    let (size, kind) = (cells.number(&cell, 4)?, cells.number(&cell, 12)?);
    let length = size & !HERE;
    if length > VALUE || usize::from(cells.short(&cell, 2)?) > 2 * NAME {
        return Ok(None);
    }
    let mut bytes = match size {
        0 | HERE => Vec::new(),
        _ if size & HERE != 0 => cells.number(&cell, 8)?.to_le_bytes().to_vec(),
        _ => cells.cell(cells.number(&cell, 8)?, length as usize)?,
    };
    if bytes.len() < length as usize {
        return Err(cells.damaged("a value is too short"));
    }
    bytes.truncate(length as usize);
    let name = name(cells, &cell, 20, 2, cells.short(&cell, 16)? & NARROW.1 != 0)?;
    Ok(Some((name, registry::value(kind, &bytes))))
}

/// The name that begins at `at`; its length in bytes is at `length`.
fn name(cells: &Cells<'_>, cell: &[u8], at: usize, length: usize, narrow: bool) -> Answer<String> {
    let length = usize::from(cells.short(cell, length)?);
    let Some(bytes) = cell.get(at..at + length) else { return Err(cells.damaged("a name is too long")) };
    Ok(if narrow {
        bytes.iter().copied().map(char::from).collect()
    } else {
        String::from_utf16_lossy(&registry::units(bytes))
    })
}

#[cfg(test)]
mod tests;
