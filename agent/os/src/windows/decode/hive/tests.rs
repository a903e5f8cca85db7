//! Files that another program wrote, and files that lie.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::OsError;

/// 82 keys. The header, the empty root and its security descriptor were written byte by byte; everything else by hivex 1.3.23 of
/// Debian 12 (`node_add_child`, `node_set_values`), which keeps the cells that its growing lists leave behind.
const FILE: &[u8] = include_bytes!("NTUSER.DAT");
const UNINSTALL: &str = r"Software\Microsoft\Windows\CurrentVersion\Uninstall";
const NARROW_UNINSTALL: &str = r"software\wow6432node\MICROSOFT\Windows\CurrentVersion\Uninstall";
const APP_PATHS: &str = r"Software\Microsoft\Windows\CurrentVersion\App Paths";
const MANY: &str = r"SOFTWARE\NHIỀU";
const ALL: [&str; 5] = [UNINSTALL, NARROW_UNINSTALL, APP_PATHS, MANY, r"Software\nothing\at all"];

impl Bytes for &[u8] {
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Answer<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

fn told(mut file: &[u8], keys: &[&str]) -> Answer<Vec<Vec<Subkey>>> {
    read(&mut file, "a file", keys)
}

fn text(value: &str) -> Registry {
    Registry::Text(value.to_owned())
}

#[test]
fn keys_and_values_are_read_with_all_marks() {
    let told = told(FILE, &ALL).unwrap();
    let names: Vec<&str> = told[0].iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["KeToanXa", "part", "Sổ hộ khẩu", "Zalo"]);
    let values = |key: &Subkey| key.values.iter().cloned().collect::<BTreeMap<_, _>>();
    let program = values(&told[0][0]);
    assert_eq!(program["DisplayName"], text("Phần mềm kế toán xã Tân An"));
    assert_eq!(program["Publisher"], text("Công ty TNHH Phần mềm Đồng Nai"));
    assert_eq!((&program["NoModify"], &program["EstimatedSize"]), (&Registry::Number(1), &Registry::Number(40960)));
    let book = values(&told[0][2]);
    assert_eq!(book["Ghi chú"], text(&"ghi chú dài ".repeat(300)));
    assert_eq!(book["Các phần"], Registry::Texts(["Một", "Hai", "Ba"].map(str::to_owned).to_vec()));
    assert_eq!(values(&told[0][3])["Dấu vết"], Registry::Bytes(vec![0, 1, 2]));
    assert_eq!(values(&told[1][0])["DisplayName"], text("UltraViewer"));
    let path = r"C:\Users\Hoà\AppData\Local\CocCoc\Browser\Application\browser.exe";
    assert_eq!((told[2][0].name.as_str(), &values(&told[2][0])[""]), ("browser.exe", &text(path)));
    assert_eq!((told[3].len(), told[3][69].name.as_str()), (70, "069"));
    assert!(told[4].is_empty(), "there is no such key");
}

#[test]
fn what_is_no_registry_file_is_refused() {
    for (file, how) in [(&b"MZ"[..], "is damaged: it ends too early"), (&[b'x'; 8192], "is no registry file")] {
        assert_eq!(told(file, &ALL), Err(OsError::Failed("a file".to_owned(), how.to_owned())));
    }
}

#[test]
fn a_file_that_ends_anywhere_is_refused_or_lacks_only_what_nothing_points_to() {
    let whole = told(FILE, &ALL).unwrap();
    let mut refused = 0;
    for end in 0..FILE.len() {
        match told(&FILE[..end], &ALL) {
            Ok(read) => assert_eq!(read, whole, "{end}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > FILE.len() / 2, "{refused}");
}

/// A file we make ourselves: its root has `count` keys in the list at [`Own::list`].
struct Own(Vec<u8>);

impl Own {
    fn new(count: u32) -> Self {
        let mut own = Self(vec![0; 4096]);
        own.0[..4].copy_from_slice(b"regf");
        own.write(20, 1);
        own.write(36, 32);
        own.0.resize(4096 + 32, 0);
        let root = own.key("ROOT", count);
        assert_eq!(root, 32);
        own
    }

    fn write(&mut self, at: usize, number: u32) {
        self.0[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    fn cell(&mut self, content: &[u8]) -> u32 {
        let place = u32::try_from(self.0.len() - 4096).unwrap();
        let size = (content.len() + 4).next_multiple_of(8);
        self.0.extend((-i32::try_from(size).unwrap()).to_le_bytes());
        self.0.extend(content);
        self.0.resize(4096 + place as usize + size, 0);
        place
    }

    fn key(&mut self, name: &str, keys: u32) -> u32 {
        let mut cell = vec![0; 76];
        cell[..4].copy_from_slice(&[b'n', b'k', 0x20, 0]);
        cell[20..24].copy_from_slice(&keys.to_le_bytes());
        cell[72..74].copy_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        cell.extend(name.bytes());
        self.cell(&cell)
    }

    fn list(&mut self, kind: &[u8; 2], places: &[u32]) -> u32 {
        let mut cell = kind.to_vec();
        cell.extend(u16::try_from(places.len()).unwrap().to_le_bytes());
        for place in places {
            cell.extend(place.to_le_bytes());
            if kind[1] != b'i' {
                cell.extend([0; 4]);
            }
        }
        self.cell(&cell)
    }

    /// What is below the key `TOP` when the list of the root's keys is the one at `list`.
    fn told(mut self, list: u32) -> Answer<Vec<String>> {
        self.write(4096 + 32 + 4 + 28, list);
        let told = told(&self.0, &["top"])?;
        Ok(told[0].iter().map(|key| key.name.clone()).collect())
    }
}

#[test]
fn all_four_kinds_of_lists_lead_to_the_keys() {
    for kinds in [[b"li", b"lf"], [b"lf", b"lh"], [b"lh", b"li"]] {
        let mut own = Own::new(3);
        let keys: Vec<u32> = (0..5).map(|number| own.key(&format!("K{number}"), 0)).collect();
        let below = own.list(kinds[1], &keys[..3]);
        let top = own.key("TOP", 3);
        own.write(4096 + top as usize + 4 + 28, below);
        let (one, other) = (own.list(kinds[0], &[keys[3], keys[4]]), own.list(kinds[1], &[top]));
        let both = own.list(b"ri", &[one, other]);
        assert_eq!(own.told(both).unwrap(), ["K0", "K1", "K2"]);
    }
}

#[test]
fn lists_that_lead_in_circles_or_nowhere_are_refused() {
    let refused = |count, list: fn(&mut Own) -> u32, how: &str| {
        let mut own = Own::new(count);
        let list = list(&mut own);
        let Err(OsError::Failed(_, said)) = own.told(list) else { panic!("{how} was not refused") };
        assert!(said.contains(how), "{said}");
    };
    // The root below itself: two names deep, it is not found.
    let mut own = Own::new(1);
    let list = own.list(b"lf", &[32]);
    assert!(own.told(list).unwrap().is_empty());
    let itself = |own: &mut Own| own.list(b"ri", &[u32::try_from(own.0.len() - 4096).unwrap()]);
    refused(1, itself, "a list of keys is none");
    refused(2, |own| own.list(b"lf", &[32]), "another length");
    refused(1, |own| own.list(b"xx", &[32]), "a list of keys is none");
    refused(1, |own| own.list(b"lf", &[33]), "damaged");
    refused(1, |own| own.list(b"lf", &[0]), "a free cell is in use");
    refused(1, |_| u32::MAX, "it ends too early");
    refused(5000, |own| own.list(b"lf", &[32]), "too many");
    let same = |own: &mut Own| {
        let leaf = own.list(b"lf", &[32; 1000]);
        own.list(b"ri", &[leaf; 4000])
    };
    refused(4096, same, "a list of keys is none");
}

#[test]
fn a_file_that_says_the_same_again_and_again_is_given_up() {
    // One key with many values shared by 4096 names: small on disk, huge when expanded.
    let mut own = Own::new(1);
    let bytes = own.cell(&[0x41; 16_000]);
    let mut value = [&b"vk"[..], &[0; 18]].concat();
    value[4..8].copy_from_slice(&16_000_u32.to_le_bytes());
    value[8..12].copy_from_slice(&bytes.to_le_bytes());
    let value = own.cell(&value);
    let values = own.cell(&value.to_le_bytes().repeat(256));
    let key = own.key("K", 0);
    own.write(4096 + key as usize + 4 + 36, 256);
    own.write(4096 + key as usize + 4 + 40, values);
    let below = own.list(b"li", &[key; 4096]);
    let top = own.key("TOP", 4096);
    own.write(4096 + top as usize + 4 + 28, below);
    let list = own.list(b"li", &[top]);
    assert_eq!(own.told(list), Err(OsError::Failed("a file".to_owned(), "holds too much".to_owned())));
}

proptest! {
    #[test]
    fn a_file_with_any_bytes_changed_ends_and_never_panics(
        changes in proptest::collection::vec((32..FILE.len(), any::<u8>()), 1..40)
    ) {
        let mut file = FILE.to_vec();
        for (at, byte) in changes {
            file[at] = byte;
        }
        if let Ok(told) = told(&file, &ALL) {
            prop_assert!(told.len() == ALL.len() && told.iter().all(|keys| keys.len() <= KEYS));
        }
    }
}
