//! Reports that the server does not have yet: on disk before they are first sent, resent unchanged, delivered in order,
//! limited in bytes.

use protocol::header::{Header, Position};
use protocol::{Report, limits};

use crate::state::records::{AppendError, Records};
use crate::state::{StateError, StateFolder};

/// The spool's file.
pub(crate) const FILE: &str = "spool";
/// The most bytes of one request: small, because they are held in memory while being sent.
const REQUEST: usize = 1024 * 1024;

/// The spool.
#[derive(Debug)]
pub(crate) struct Spool {
    records: Records,
}

/// A waiting report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The report, byte for byte as it was made.
    pub(crate) report: Report,
    /// Its position in the chain.
    pub(crate) position: Position,
    /// Its header.
    pub(crate) header: Header,
}

impl Waiting {
    /// Parses a report that this machine made; none when it is malformed.
    pub(crate) fn read(report: Report) -> Option<Self> {
        let header = Header::decode(&report.header).ok()?;
        let position = header.position(&report.header);
        Some(Self { report, position, header })
    }
}

impl Spool {
    /// Opens the spool, drops what the server already has (`agreed`) and returns the position of its last report.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(
        state: &StateFolder,
        most_bytes: u64,
        agreed: Option<Position>,
    ) -> Result<(Self, Option<Position>), StateError> {
        state.way_clear(FILE)?;
        let path = state.file(FILE);
        let io = |source| StateError::Io { doing: "open", path: state.file(FILE), source };
        let longest = limits::HEADER + limits::SIGNATURE + limits::BODIES_COMPRESSED + 10;
        let (records, recovered) = Records::open(&path, most_bytes, longest).map_err(io)?;
        if recovered.cut > 0 {
            // Nothing that was cut off ever left this machine: a report is sent only once it is complete on disk.
            tracing::warn!(bytes = recovered.cut, "the end of the spool was torn and is cut off");
        }
        let last = recovered.last.as_deref().and_then(read).map(|waiting| waiting.position);
        let mut spool = Self { records };
        if let Some(agreed) = agreed {
            spool.drop_until(agreed).map_err(io)?;
        }
        Ok((spool, last))
    }

    fn drop_until(&mut self, agreed: Position) -> std::io::Result<()> {
        while let Some(first) = self.records.first(1, 0)?.first() {
            let known = read(first).is_some_and(|waiting| {
                (waiting.position.segment, waiting.position.number) <= (agreed.segment, agreed.number)
            });
            if !known {
                break;
            }
            self.records.take(1)?;
        }
        Ok(())
    }

    /// How many reports are waiting.
    pub(crate) fn count(&self) -> u64 {
        self.records.count()
    }

    /// True when the report at this position is waiting.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.all(usize::MAX).is_ok_and(|all| all.iter().any(|waiting| waiting.position == position))
    }

    /// Changes the cap.
    pub(crate) fn set_most_bytes(&mut self, most_bytes: u64) {
        self.records.set_cap(most_bytes);
    }

    /// Appends a report; it is on disk when this returns.
    ///
    /// # Errors
    /// When the cap is reached or the disk is full; the spool is unchanged.
    pub(crate) fn append(&mut self, report: &Report) -> Result<(), AppendError> {
        let mut frame = Vec::with_capacity(report.encoded_len());
        report.encode_into(&mut frame);
        self.records.append(&frame)
    }

    /// The first reports, as many as fit into one request.
    ///
    /// # Errors
    /// When they cannot be read back.
    pub(crate) fn first(&self) -> std::io::Result<Vec<Waiting>> {
        self.records.first(limits::REPORTS, REQUEST)?.iter().map(|record| waiting(record)).collect()
    }

    /// The first reports, as many as fit into `bytes` together.
    ///
    /// # Errors
    /// When they cannot be read back.
    pub(crate) fn all(&self, bytes: usize) -> std::io::Result<Vec<Waiting>> {
        self.records.first(usize::MAX, bytes)?.iter().map(|record| waiting(record)).collect()
    }

    /// Removes the first `count` reports.
    ///
    /// # Errors
    /// When the system refuses; this process treats them as removed anyway, and the server knows what it has.
    pub(crate) fn take(&mut self, count: u64) -> std::io::Result<()> {
        self.records.take(count)
    }

    /// Drops the reports that can never be accepted: from the front up to the next one that opens a segment, or all. Returns
    /// how many were dropped; what is left begins with a new segment.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn drop_segment(&mut self) -> std::io::Result<u64> {
        let mut dropped = 0;
        while let Some(first) = self.records.first(1, 0)?.first() {
            if dropped > 0 && read(first).is_some_and(|waiting| waiting.header.number == 1) {
                break;
            }
            self.records.take(1)?;
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Drops everything: the machine was enrolled again, or the file cannot be read.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn clear(&mut self) -> std::io::Result<u64> {
        let dropped = self.records.count();
        self.records.clear().map(|()| dropped)
    }
}

#[cfg(test)]
impl Spool {
    /// Makes the system refuse every write from now on, as a full disk does.
    pub(crate) fn break_for_test(&mut self) {
        self.records.break_for_test();
    }
}

fn waiting(record: &[u8]) -> std::io::Result<Waiting> {
    read(record).ok_or_else(|| std::io::Error::other("a report of the spool cannot be read"))
}

fn read(record: &[u8]) -> Option<Waiting> {
    Waiting::read(Report::decode_all(record).ok()?.pop()?)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use protocol::Digest;
    use protocol::header::{Opened, OpenedReason};

    use super::*;
    use crate::state::Missing;

    /// An unsigned report at a position.
    pub(crate) fn report(segment: u64, number: u64) -> Report {
        let opened = Opened { reason: OpenedReason::Enrolled, agreed: None, lost: 0 };
        let header = Header {
            v: protocol::VERSION,
            machine: "m".to_owned(),
            segment,
            number,
            previous: if number == 1 { Digest::ZERO } else { Digest::of(b"previous") },
            opened: (number == 1).then_some(opened),
            start: "s".to_owned(),
            traits: Digest::ZERO,
            agent: "0".to_owned(),
            schema: 1,
            policy: None,
            made_at: 0,
            sections: BTreeMap::new(),
        };
        Report { header: header.encode().unwrap(), signature: vec![1; 70], bodies: vec![] }
    }

    fn places(spool: &Spool) -> Vec<(u64, u64)> {
        spool.first().unwrap().iter().map(|waiting| (waiting.position.segment, waiting.position.number)).collect()
    }

    #[test]
    fn reports_survive_a_restart_and_what_is_agreed_is_not_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let (mut spool, last) = Spool::open(&state, 1 << 20, None).unwrap();
        assert_eq!(last, None);
        for (segment, number) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            spool.append(&report(segment, number)).unwrap();
        }
        let agreed = spool.first().unwrap()[1].position;
        drop(spool);
        let (mut spool, last) = Spool::open(&state, 1 << 20, Some(agreed)).unwrap();
        assert_eq!(places(&spool), [(2, 1), (2, 2)]);
        assert_eq!(last.map(|last| (last.segment, last.number)), Some((2, 2)));
        assert_eq!(spool.first().unwrap()[0].report, report(2, 1));
        spool.take(2).unwrap();
        assert_eq!(spool.count(), 0);
    }

    #[test]
    fn a_refused_segment_leaves_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let (mut spool, _) = Spool::open(&state, 1 << 20, None).unwrap();
        for (segment, number) in [(1, 7), (1, 8), (2, 1), (2, 2)] {
            spool.append(&report(segment, number)).unwrap();
        }
        assert_eq!(spool.drop_segment().unwrap(), 2);
        assert_eq!(places(&spool), [(2, 1), (2, 2)]);
        assert_eq!(spool.drop_segment().unwrap(), 2);
        assert_eq!((spool.drop_segment().unwrap(), spool.count()), (0, 0));
    }

    #[test]
    fn an_overfull_spool_says_so_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let (mut spool, _) = Spool::open(&state, 1500, None).unwrap();
        let mut number = 0;
        let error = loop {
            number += 1;
            if let Err(error) = spool.append(&report(1, number)) {
                break error;
            }
        };
        assert!(matches!(error, AppendError::Full(1500)));
        assert_eq!(spool.count(), number - 1);
    }
}
