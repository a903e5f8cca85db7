//! Room on the disk that the store is on: looked at now and then, with a warning in time, and reports refused while there is still enough
//! for everything else. For PostgreSQL on another host it cannot know: then it looks at the data folder's disk.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Bytes of a mebibyte.
const MIB: u64 = 1024 * 1024;
/// Below this much on the disk itself nothing is taken in, whatever the store has left within its file: a commit needs room outside it.
const COMMITS: u64 = 16 * MIB;

/// How much room there should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpaceLimits {
    /// Warned of below this many mebibytes. Default 2048.
    pub warn_mib: u64,
    /// Warned of below this share of the disk, in percent. Default 5.
    pub warn_percent: u64,
    /// Below this many mebibytes no reports are taken in: they stay on the machines. Default 64; 0 takes them until the disk is full.
    pub refuse_mib: u64,
    /// The folder that is watched: the SQLite file's, else the data folder.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl Default for SpaceLimits {
    fn default() -> Self {
        Self { warn_mib: 2048, warn_percent: 5, refuse_mib: 64, folder: PathBuf::new() }
    }
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Plenty.
    Enough,
    /// Low: somebody should make room.
    Low,
    /// Nothing more is taken in.
    None,
}

/// The room as of the last look.
#[derive(Debug)]
pub struct Space {
    limits: SpaceLimits,
    /// Bytes.
    free: AtomicU64,
    total: AtomicU64,
    /// Bytes within the store's file that nothing uses: SQLite gives none back to the disk.
    spare: AtomicU64,
}

impl Space {
    /// Unlimited room until the first look.
    pub fn new(limits: SpaceLimits) -> Self {
        Self { limits, free: AtomicU64::new(u64::MAX), total: AtomicU64::new(u64::MAX), spare: AtomicU64::new(0) }
    }

    /// Checks the disk; `spare` bytes are unused within the store's file. If the disk cannot be queried, the last result stays. May take as
    /// long as the disk takes to answer.
    pub fn look(&self, spare: u64) -> Room {
        self.spare.store(spare, Ordering::Relaxed);
        match rustix::fs::statvfs(&self.limits.folder) {
            Ok(found) => {
                self.found(found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize))
            }
            Err(error) => {
                tracing::debug!("{} does not say how much room it has: {error}", self.limits.folder.display());
            }
        }
        self.room()
    }

    /// Records `free` of `total` bytes as the result of a look.
    pub(crate) fn found(&self, free: u64, total: u64) {
        self.free.store(free, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// The room as of the last look.
    pub fn room(&self) -> Room {
        let (free, total) = (self.free.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let SpaceLimits { warn_mib, warn_percent, refuse_mib, .. } = self.limits;
        let refuse = refuse_mib.saturating_mul(MIB);
        let within = free.saturating_add(self.spare.load(Ordering::Relaxed));
        if free < refuse && (free < COMMITS || within < refuse) {
            Room::None
        } else if free < warn_mib.saturating_mul(MIB) || free / 100 < (total / 10_000).saturating_mul(warn_percent) {
            Room::Low
        } else {
            Room::Enough
        }
    }

    /// Mebibytes that were free at the last look.
    pub fn free_mib(&self) -> u64 {
        self.free.load(Ordering::Relaxed) / MIB
    }

    /// The folder that is watched.
    pub fn folder(&self) -> &std::path::Path {
        &self.limits.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_within_the_stores_file_counts() {
        let space = Space::new(SpaceLimits { folder: std::env::temp_dir(), ..SpaceLimits::default() });
        let after_housekeeping = |free: u64| {
            space.look(100 * MIB);
            space.found(free, 100 * 1024 * MIB);
            space.room()
        };
        assert_eq!(after_housekeeping(40 * MIB), Room::Low, "the store takes in what fits into its file");
        assert_eq!(after_housekeeping(10 * MIB), Room::None, "a commit needs room beside it");
    }

    #[test]
    fn room_is_judged_absolutely_and_by_its_share() {
        let space = Space::new(SpaceLimits::default());
        assert_eq!(space.room(), Room::Enough);
        let gib = 1024 * MIB;
        for (free, total, room) in [
            (500 * gib, 1000 * gib, Room::Enough),
            (49 * gib, 1000 * gib, Room::Low),
            (3 * gib, 40 * gib, Room::Enough),
            (gib, 10 * gib, Room::Low),
            (64 * MIB, 10 * gib, Room::Low),
            (63 * MIB, 10 * gib, Room::None),
            (0, 0, Room::None),
        ] {
            space.found(free, total);
            assert_eq!(space.room(), room, "{free} of {total}");
        }
        let limits = SpaceLimits { refuse_mib: 0, ..SpaceLimits::default() };
        let space = Space::new(limits);
        space.found(0, gib);
        assert_eq!(space.room(), Room::Low);
        let space = Space::new(SpaceLimits { folder: "/nowhere".into(), ..SpaceLimits::default() });
        assert_eq!((space.look(0), space.free_mib()), (Room::Enough, u64::MAX / MIB), "nothing is known");
        let space = Space::new(SpaceLimits { folder: "/".into(), ..SpaceLimits::default() });
        space.look(0);
        assert!(space.free_mib() < u64::MAX / MIB);
    }
}
