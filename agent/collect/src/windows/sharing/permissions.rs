//! Who may use a share: a self-relative security descriptor (`SECURITY_DESCRIPTOR`, MS-DTYP 2.4.6) from its bytes.
//!
//! Only the permission list (DACL) is read, and only its allow and deny entries; groups are identified by SID, which is the same
//! on every machine and in every language.

/// Everyone; anonymous callers; guests, as a group and as an account of any machine; network logons.
const ANYBODY: [&str; 5] = ["S-1-1-0", "S-1-5-7", "S-1-5-32-546", "S-1-5-21-*-501", "S-1-5-2"];
/// Mask bits that allow changes: write, append, delete, take ownership; full access, and generic write.
const WRITE: u32 = 0x0000_0002 | 0x0000_0004 | 0x0001_0000 | 0x000C_0000 | 0x1000_0000 | 0x4000_0000;
/// Mask bits that allow reading: data, full access and generic read.
const READ: u32 = 0x0000_0001 | 0x1000_0000 | 0x8000_0000;

/// The effect of a share's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Permissions {
    /// Everyone, including guests, may read or write.
    pub(super) open_to_all: bool,
    /// Somebody may write.
    pub(super) writable: bool,
}

/// The permissions of a share without a descriptor: everyone may read (since Windows XP).
pub(super) const BY_DEFAULT: Permissions = Permissions { open_to_all: true, writable: false };

/// Reads the descriptor; `None` when it is damaged.
pub(super) fn decode(bytes: &[u8]) -> Option<Permissions> {
    const DACL_PRESENT: u16 = 0x4;
    const REVISION: u8 = 1;
    if *bytes.first()? != REVISION {
        return None;
    }
    let control = short(bytes, 2)?;
    let at = usize::try_from(long(bytes, 16)?).ok()?;
    // Without a list nobody is blocked.
    if control & DACL_PRESENT == 0 || at == 0 {
        return Some(Permissions { open_to_all: true, writable: true });
    }
    let list = bytes.get(at..)?;
    let count = short(list, 4)?;
    let mut rest = list.get(8..usize::from(short(list, 2)?))?;
    let mut permissions = Permissions { open_to_all: false, writable: false };
    // Denied to each kind of anybody; deny entries come first.
    let mut denied = [0_u32; ANYBODY.len()];
    for _ in 0..count {
        let size = usize::from(short(rest, 2)?);
        let entry = rest.get(..size).filter(|entry| entry.len() >= 8)?;
        rest = rest.get(size..)?;
        let (allows, mask, sid) = match entry_of(entry)? {
            Entry::Plain(allows, mask, sid) => (allows, mask, sid),
            Entry::Nothing => continue,
        };
        let guest = sid.starts_with("S-1-5-21-") && sid.ends_with("-501");
        let who = ANYBODY.iter().position(|anybody| *anybody == sid || guest && *anybody == "S-1-5-21-*-501");
        match (allows, who) {
            (true, None) => permissions.writable |= mask & WRITE != 0,
            (true, Some(who)) => {
                let mask = effective(mask, denied[who]);
                permissions.open_to_all |= mask & (READ | WRITE) != 0;
                permissions.writable |= mask & WRITE != 0;
            }
            (false, Some(who)) => denied[who] |= mask,
            (false, None) => {}
        }
    }
    Some(permissions)
}

/// The remainder of `mask`: denied full control denies everything.
fn effective(mask: u32, denied: u32) -> u32 {
    const ALL: u32 = 0x1000_0000;
    const FULL: u32 = 0x001F_01FF;
    if denied & ALL != 0 || denied & FULL == FULL { 0 } else { mask & !denied }
}

/// The effect of a list entry.
enum Entry {
    /// Whether it allows, its mask and its SID.
    Plain(bool, u32, String),
    /// It grants nothing: it is inherit-only, an audit entry, or a conditional denial.
    Nothing,
}

/// Parses an entry; `None` when it is damaged, or a conditional allowance that only Windows can evaluate.
fn entry_of(entry: &[u8]) -> Option<Entry> {
    const INHERIT_ONLY: u8 = 0x8;
    if entry.get(1)? & INHERIT_ONLY != 0 {
        return Some(Entry::Nothing);
    }
    match entry.first()? {
        kind @ (0 | 1) => Some(Entry::Plain(*kind == 0, long(entry, 4)?, sid(entry.get(8..)?)?)),
        // Audit and alarm; denials for objects and by a callback.
        2 | 3 | 6 | 10 | 12 => Some(Entry::Nothing),
        _ => None,
    }
}

/// `S-1-5-32-546` from its bytes.
fn sid(bytes: &[u8]) -> Option<String> {
    let (&[revision, count], rest) = bytes.split_first_chunk::<2>()?;
    let (authority, rest) = rest.split_first_chunk::<6>()?;
    let authority = authority.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    let mut text = format!("S-{revision}-{authority}");
    for index in 0..usize::from(count) {
        text.push_str(&format!("-{}", long(rest, index * 4)?));
    }
    Some(text)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// A descriptor with these entries: kind, flags, mask, SID's authority and numbers.
#[cfg(test)]
pub(super) fn descriptor(entries: &[(u8, u8, u32, u8, &[u32])]) -> Vec<u8> {
    let mut list = Vec::new();
    for &(kind, flags, mask, authority, numbers) in entries {
        let size = u16::try_from(16 + numbers.len() * 4).expect("a small entry");
        list.extend([kind, flags]);
        list.extend(size.to_le_bytes());
        list.extend(mask.to_le_bytes());
        list.extend([1, u8::try_from(numbers.len()).expect("a short SID"), 0, 0, 0, 0, 0, authority]);
        list.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    let mut bytes = vec![1, 0, 0x04, 0x80];
    bytes.extend([0; 12]);
    bytes.extend(20_u32.to_le_bytes());
    bytes.extend([2, 0]);
    bytes.extend(u16::try_from(list.len() + 8).expect("a short list").to_le_bytes());
    bytes.extend(u16::try_from(entries.len()).expect("few entries").to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(list);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: u32 = 0x001F_01FF;
    const CHANGE: u32 = 0x0013_01BF;
    const READ_ONLY: u32 = 0x0012_00A9;
    type Entry = (u8, u8, u32, u8, &'static [u32]);
    const EVERYONE: &[u32] = &[0];
    const ADMINISTRATORS: &[u32] = &[32, 544];
    const GUESTS: &[u32] = &[32, 546];
    const PERSON: &[u32] = &[21, 1, 2, 3, 1001];

    fn read(entries: &[Entry]) -> Option<(bool, bool)> {
        decode(&descriptor(entries)).map(|permissions| (permissions.open_to_all, permissions.writable))
    }

    #[test]
    fn anybody_is_everyone_the_anonymous_and_guests() {
        assert_eq!(read(&[(0, 0, READ_ONLY, 1, EVERYONE)]), Some((true, false)));
        assert_eq!(read(&[(0, 0, FULL, 1, EVERYONE)]), Some((true, true)));
        assert_eq!(read(&[(0, 0, CHANGE, 5, &[7])]), Some((true, true)));
        assert_eq!(read(&[(0, 0, READ_ONLY, 5, GUESTS)]), Some((true, false)));
        assert_eq!(read(&[(0, 0, FULL, 5, ADMINISTRATORS), (0, 0, CHANGE, 5, PERSON)]), Some((false, true)));
        assert_eq!(read(&[(0, 0, READ_ONLY, 5, PERSON)]), Some((false, false)));
        assert_eq!(read(&[(0, 0, CHANGE, 5, &[21, 1, 2, 3, 501])]), Some((true, true)));
        assert_eq!(read(&[(0, 0, READ_ONLY, 5, &[2])]), Some((true, false)));
        // Those who said who they are.
        assert_eq!(read(&[(0, 0, FULL, 5, &[11])]), Some((false, true)));
        assert_eq!(read(&[]), Some((false, false)));
    }

    #[test]
    fn what_is_denied_first_is_not_allowed_later_and_other_entries_mean_nothing() {
        let denied: [Entry; 2] = [(1, 0, FULL, 1, EVERYONE), (0, 0, FULL, 1, EVERYONE)];
        assert_eq!(read(&denied), Some((false, false)));
        assert_eq!(read(&[(1, 0, 0x000D_0006, 1, EVERYONE), (0, 0, FULL, 1, EVERYONE)]), Some((true, false)));
        assert_eq!(read(&[(0, 0x8, FULL, 1, EVERYONE), (2, 0, FULL, 1, EVERYONE)]), Some((false, false)));
    }

    #[test]
    fn an_entry_that_allows_on_a_condition_leaves_it_open() {
        assert_eq!(read(&[(9, 0, FULL, 1, EVERYONE)]), None);
        assert_eq!(read(&[(10, 0, FULL, 1, EVERYONE), (0, 0, READ_ONLY, 5, PERSON)]), Some((false, false)));
    }

    #[test]
    fn without_a_list_nobody_is_kept_out() {
        let mut bytes = vec![0; 20];
        (bytes[0], bytes[3]) = (1, 0x80);
        assert_eq!(decode(&bytes), Some(Permissions { open_to_all: true, writable: true }));
    }

    #[test]
    fn damaged_bytes_say_nothing_and_never_more_than_they_hold() {
        let whole = descriptor(&[(0, 0, FULL, 1, EVERYONE), (0, 0, FULL, 5, ADMINISTRATORS)]);
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), None, "{length}");
        }
        let mut odd = whole.clone();
        odd[16] = 0xFF;
        assert_eq!(decode(&odd), None);
        let mut endless = whole;
        (endless[24], endless[25]) = (0xFF, 0xFF);
        assert_eq!(decode(&endless), None);
        assert_eq!(decode(&[0xFF; 64]), None);
    }
}
