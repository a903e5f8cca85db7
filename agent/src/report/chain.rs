//! This machine's position in its chain of reports: the last one made, the last one the server has, and a break that the
//! next one must declare. Kept in two slots that can be written even when the disk is full, because a number used twice
//! with different bytes looks like a forged report.

use protocol::Digest;
use protocol::header::{Opened, OpenedReason, Position};
use serde::{Deserialize, Serialize};

use crate::state::slots::{Found, Slots};
use crate::state::{self, StateError, StateFolder};

/// The chain's file.
const FILE: &str = "chain";
/// No honest machine reaches this many reports or segments, not even a chain that continued from the clock in seconds of the year 9999.
const MOST: u64 = 1 << 40;
/// How many segments beyond its own this machine lets a server know of, once its own are that many.
const BEYOND: u64 = 1000;

/// The position of the next report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextReport {
    /// Its segment.
    pub(crate) segment: u64,
    /// Its number within the segment.
    pub(crate) number: u64,
    /// The hash of the report before it.
    pub(crate) previous: Digest,
    /// For number 1: the break before it.
    pub(crate) opened: Option<Opened>,
}

/// What is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// The last report that was made.
    made: Option<Position>,
    /// The last report the server has, as far as this machine knows.
    agreed: Option<Position>,
    /// A segment that counts as used, although no report of it is known here.
    #[serde(default)]
    beyond: u64,
    /// The break that the next report will declare.
    broken: Option<Break>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Break {
    reason: OpenedReason,
    lost: u64,
}

/// The chain of this machine's reports.
#[derive(Debug)]
pub(crate) struct Chain {
    slots: Slots,
    head: Head,
}

impl Chain {
    /// Opens the chain. Numbers are never reused: when the file cannot be read, or is empty although there is a receipt (`receipted`
    /// is the newest), the next segment takes its number from the clock `now` (seconds), which is far above any counted number.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(
        state: &StateFolder,
        now: i64,
        receipted: impl FnOnce() -> Option<Position>,
    ) -> Result<Self, StateError> {
        let io = |source| StateError::Io { doing: "read", path: state.file(FILE), source };
        let (slots, found) = Slots::open(state.open_file(FILE)?).map_err(io)?;
        let lost = |agreed: Option<Position>| {
            tracing::error!(file = %state.file(FILE).display(), "the chain's file is damaged; a new segment is opened");
            state::repaired();
            Head {
                agreed,
                beyond: u64::try_from(now / 1000).unwrap_or(0),
                broken: Some(Break { reason: OpenedReason::StateLost, lost: 0 }),
                ..Head::default()
            }
        };
        let head = match found {
            Found::Nothing => receipted().map_or_else(Head::default, |position| lost(Some(position))),
            Found::Value(head) => head,
            Found::Damaged => lost(receipted()),
        };
        Ok(Self { slots, head })
    }

    /// True when a server's claim to be at `position` is possible: it may know more about this machine than this disk does, but
    /// nothing that no machine can have made.
    pub(crate) fn can_stand(&self, position: Position) -> bool {
        position.segment <= MOST.max(self.used() + BEYOND) && position.number <= MOST
    }

    /// The last used segment. Ignores an impossible one, adopted from a server that lied.
    fn used(&self) -> u64 {
        let segment = |position: Option<Position>| position.map_or(0, |position| position.segment);
        [segment(self.head.made), segment(self.head.agreed), self.head.beyond]
            .into_iter()
            .filter(|&segment| segment <= 2 * MOST)
            .max()
            .unwrap_or(0)
    }

    /// Deletes the chain: the machine was enrolled again.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn forget(state: &StateFolder) -> Result<(), StateError> {
        state.remove(FILE)
    }

    /// The last report made.
    pub(crate) fn made(&self) -> Option<Position> {
        self.head.made
    }

    /// The last report the server has, as far as this machine knows.
    pub(crate) fn agreed(&self) -> Option<Position> {
        self.head.agreed
    }

    /// True when the next report opens a segment, and so must contain every section.
    pub(crate) fn opens(&self) -> bool {
        self.head.broken.is_some() || self.head.made.is_none()
    }

    /// The position of the next report.
    pub(crate) fn next(&self) -> NextReport {
        match (self.head.made, self.head.broken) {
            (Some(made), None) => {
                NextReport { segment: made.segment, number: made.number + 1, previous: made.hash, opened: None }
            }
            (_, broken) => {
                let broken = broken.unwrap_or(Break { reason: OpenedReason::Enrolled, lost: 0 });
                NextReport {
                    segment: self.used() + 1,
                    number: 1,
                    previous: Digest::ZERO,
                    opened: Some(Opened { reason: broken.reason, agreed: self.head.agreed, lost: broken.lost }),
                }
            }
        }
    }

    /// Records that a report was made and is in the spool (or, on a full disk, is about to be sent).
    ///
    /// # Errors
    /// When the system refuses to write; the chain continues in memory.
    pub(crate) fn made_one(&mut self, position: Position) -> std::io::Result<()> {
        self.head.made = Some(position);
        self.head.broken = None;
        self.slots.write(&self.head)
    }

    /// Records that the server has a report.
    ///
    /// # Errors
    /// See [`Chain::made_one`].
    pub(crate) fn agree(&mut self, position: Position) -> std::io::Result<()> {
        self.head.agreed = Some(position);
        self.slots.write(&self.head)
    }

    /// Records that the next report must open a segment, because `lost` reports are gone for `reason`. Undeclared earlier
    /// breaks are added up under the first one's reason. `server` is the position the server claims: its segment counts as
    /// used, but the next report names as agreed only what this machine has a receipt for, so that a restored disk or a
    /// restored server shows.
    ///
    /// # Errors
    /// See [`Chain::made_one`].
    pub(crate) fn break_off(
        &mut self,
        reason: OpenedReason,
        lost: u64,
        server: Option<Position>,
    ) -> std::io::Result<()> {
        let broken = self.head.broken.get_or_insert(Break { reason, lost: 0 });
        broken.lost = broken.lost.saturating_add(lost);
        self.head.beyond = self.head.beyond.max(server.map_or(0, |server| server.segment));
        self.slots.write(&self.head)
    }

    /// Reconciles the chain with the spool after a restart: `last` is the spool's last report.
    ///
    /// # Errors
    /// See [`Chain::made_one`].
    pub(crate) fn recover(&mut self, last: Option<Position>) -> std::io::Result<()> {
        let place = |position: Position| (position.segment, position.number);
        let newest = last.into_iter().chain(self.head.agreed).max_by_key(|position| place(*position));
        match (newest, self.head.made) {
            // The process died between writing the spool and the chain: the spool is right.
            (Some(newest), made) if made.is_none_or(|made| place(made) < place(newest)) => self.made_one(newest),
            // Some reports are neither in the spool nor at the server: they are lost, and their numbers are used.
            (newest, Some(made)) if newest.is_none_or(|newest| place(newest) < place(made)) => {
                let lost = match newest {
                    Some(newest) if newest.segment == made.segment => made.number - newest.number,
                    _ => made.number,
                };
                self.break_off(OpenedReason::StateLost, lost, None)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Missing;

    fn at(segment: u64, number: u64) -> Position {
        Position { segment, number, hash: Digest::of(&[segment.to_be_bytes(), number.to_be_bytes()].concat()) }
    }

    fn with_chain(test: impl FnOnce(&StateFolder)) {
        let folder = tempfile::tempdir().unwrap();
        test(&StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap());
    }

    #[test]
    fn counts_from_enrolment_and_remembers_across_a_restart() {
        with_chain(|state| {
            let mut chain = Chain::open(state, 0, || None).unwrap();
            let first = chain.next();
            assert_eq!((first.segment, first.number, first.previous), (1, 1, Digest::ZERO));
            assert_eq!(first.opened.unwrap().reason, OpenedReason::Enrolled);
            chain.made_one(at(1, 1)).unwrap();
            let mut chain = Chain::open(state, 0, || None).unwrap();
            let second = chain.next();
            assert_eq!((second.number, second.previous, second.opened), (2, at(1, 1).hash, None));
            chain.agree(at(1, 1)).unwrap();
            chain.made_one(at(1, 2)).unwrap();
            chain.break_off(OpenedReason::SpoolOverflow, 3, None).unwrap();
            chain.break_off(OpenedReason::Refused, 2, None).unwrap();
            let opening = Chain::open(state, 0, || None).unwrap().next();
            assert_eq!((opening.segment, opening.number), (2, 1));
            let opened = opening.opened.unwrap();
            assert_eq!((opened.reason, opened.lost, opened.agreed), (OpenedReason::SpoolOverflow, 5, Some(at(1, 1))));
        });
    }

    #[test]
    fn never_uses_a_segment_that_the_server_knows() {
        with_chain(|state| {
            let mut chain = Chain::open(state, 0, || None).unwrap();
            chain.made_one(at(2, 7)).unwrap();
            chain.break_off(OpenedReason::Refused, 0, Some(at(9, 4))).unwrap();
            let next = chain.next();
            assert_eq!((next.segment, next.opened.unwrap().agreed), (10, None));
        });
    }

    #[test]
    fn recovers_from_a_kill_between_spool_and_chain() {
        with_chain(|state| {
            let mut chain = Chain::open(state, 0, || None).unwrap();
            chain.made_one(at(1, 4)).unwrap();
            chain.recover(Some(at(1, 5))).unwrap();
            assert_eq!((chain.next().number, chain.next().previous), (6, at(1, 5).hash));
        });
    }

    #[test]
    fn declares_what_the_spool_lost() {
        with_chain(|state| {
            let mut chain = Chain::open(state, 0, || None).unwrap();
            chain.agree(at(1, 2)).unwrap();
            chain.made_one(at(1, 6)).unwrap();
            chain.recover(Some(at(1, 4))).unwrap();
            let opened = chain.next().opened.unwrap();
            assert_eq!((opened.reason, opened.lost, opened.agreed), (OpenedReason::StateLost, 2, Some(at(1, 2))));
        });
    }

    #[test]
    fn a_damaged_file_opens_a_segment_beyond_any_other() {
        with_chain(|state| {
            state.write(FILE, &[1; 100], crate::state::Durability::Relaxed).unwrap();
            let chain = Chain::open(state, 1_800_000_000_000, || None).unwrap();
            assert_eq!(chain.next().segment, 1_800_000_001);
            assert_eq!(chain.next().opened.unwrap().reason, OpenedReason::StateLost);
        });
    }

    #[test]
    fn an_empty_file_behind_a_receipt_opens_a_segment_too() {
        with_chain(|state| {
            let chain = Chain::open(state, 1_800_000_000_000, || Some(at(3, 8))).unwrap();
            let next = chain.next();
            let opened = next.opened.unwrap();
            assert_eq!((next.segment, next.number), (1_800_000_001, 1));
            assert_eq!((opened.reason, opened.agreed), (OpenedReason::StateLost, Some(at(3, 8))));
        });
    }

    #[test]
    fn what_nobody_can_have_made_is_neither_believed_nor_kept() {
        with_chain(|state| {
            let mut chain = Chain::open(state, 0, || None).unwrap();
            chain.made_one(at(1, 1)).unwrap();
            for impossible in [at(1 << 63, 1), at((1 << 63) - 1, 1), at(u64::MAX, u64::MAX), at(1, (1 << 63) - 1)] {
                assert!(!chain.can_stand(impossible), "{impossible:?}");
            }
            for possible in [at(1, 1), at(1, 9), at(6, 9), at(1_800_000_001, 1), at(253_402_300_800, 1)] {
                assert!(chain.can_stand(possible), "{possible:?}");
            }
            // As an earlier agent stored it.
            chain.break_off(OpenedReason::Refused, 0, Some(at((1 << 63) - 1, 1))).unwrap();
            assert_eq!(Chain::open(state, 0, || None).unwrap().next().segment, 2);
        });
    }
}
