//! What a folder contains, and what differs between two snapshots.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{DirEntry, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

use super::Event;

/// The most entries kept per folder; a larger folder is reported as a whole.
const CAP: usize = 4096;

/// A folder's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    /// There is no such folder, or it cannot be listed.
    Absent,
    /// The state of each entry, by name.
    Entries(BTreeMap<OsString, u64>),
    /// Too many entries: a checksum of all names and states.
    Many(u64),
}

impl Snapshot {
    /// The folder as it is now.
    pub(super) fn of(folder: &Path) -> Self {
        Self::capped(folder, CAP).unwrap_or(Self::Absent)
    }

    fn capped(folder: &Path, cap: usize) -> io::Result<Self> {
        let mut entries = BTreeMap::new();
        let mut many = None::<u64>;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let (name, state) = (entry.file_name(), state(&entry));
            if let Some(sum) = &mut many {
                // Independent of the order in which they are listed.
                *sum = sum.wrapping_add(hash(&(name, state)));
            } else {
                entries.insert(name, state);
                if entries.len() > cap {
                    let all = std::mem::take(&mut entries).into_iter();
                    many = Some(all.fold(0, |sum, entry| sum.wrapping_add(hash(&entry))));
                }
            }
        }
        Ok(many.map_or(Self::Entries(entries), Self::Many))
    }
}

/// A number that changes when an entry is written or replaced. A change inside a subfolder does not count.
fn state(entry: &DirEntry) -> u64 {
    // Windows returns it with the listing; elsewhere the entry may be gone by now.
    let metadata = entry.metadata().ok();
    let written = |metadata: &Metadata| metadata.is_file().then(|| (metadata.len(), metadata.modified().ok()));
    let state = metadata.map(|metadata| (metadata.file_type(), metadata.created().ok(), written(&metadata)));
    hash(&state)
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What happened in `folder` between two snapshots.
pub(super) fn changes(folder: &Path, before: &Snapshot, after: &Snapshot) -> Vec<Event> {
    match (before, after) {
        _ if before == after => Vec::new(),
        (Snapshot::Entries(before), Snapshot::Entries(after)) => {
            let gone = before.keys().filter(|name| !after.contains_key(*name));
            let other = after.iter().filter(|(name, state)| before.get(*name) != Some(*state)).map(|(name, _)| name);
            gone.chain(other).map(|name| Event::Changed(folder.join(name))).collect()
        }
        (Snapshot::Absent, _) | (_, Snapshot::Absent) => vec![Event::Changed(folder.to_owned())],
        _ => vec![Event::Lost],
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_change_is_told_by_its_path_and_reading_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["gone", "longer", "replaced", "read"] {
            fs::write(root.join(name), "1").unwrap();
        }
        fs::create_dir(root.join("below")).unwrap();
        let before = Snapshot::of(root);

        fs::read(root.join("read")).unwrap();
        fs::write(root.join("below/inner"), "1").unwrap();
        assert_eq!(changes(root, &before, &Snapshot::of(root)), []);

        fs::remove_file(root.join("gone")).unwrap();
        fs::write(root.join("longer"), "12").unwrap();
        // Same length as before, but written at another time.
        fs::write(root.join("new"), "2").unwrap();
        let file = fs::File::options().write(true).open(root.join("new")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::rename(root.join("new"), root.join("replaced")).unwrap();
        fs::create_dir(root.join("made")).unwrap();
        let told = ["gone", "longer", "made", "replaced"].map(|name| Event::Changed(root.join(name)));
        assert_eq!(changes(root, &before, &Snapshot::of(root)), told);
    }

    #[test]
    fn a_folder_that_comes_or_goes_is_told_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy");
        let absent = Snapshot::of(&path);
        assert_eq!(absent, Snapshot::Absent);
        fs::create_dir(&path).unwrap();
        let there = Snapshot::of(&path);
        for (before, after) in [(&absent, &there), (&there, &absent)] {
            assert_eq!(changes(&path, before, after), [Event::Changed(path.clone())]);
        }
        assert_eq!(changes(&path, &absent, &Snapshot::of(&path.join("deeper"))), []);
    }

    #[test]
    fn of_a_folder_too_large_to_compare_anything_may_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let look = || Snapshot::capped(root, 2).unwrap();
        for name in ["1", "2"] {
            fs::write(root.join(name), "").unwrap();
        }
        let few = look();
        fs::write(root.join("3"), "").unwrap();
        let many = look();
        assert_eq!(changes(root, &few, &many), [Event::Lost]);
        assert_eq!(changes(root, &many, &look()), []);
        fs::write(root.join("3"), "changed").unwrap();
        assert_eq!(changes(root, &many, &look()), [Event::Lost]);
    }
}
