//! Last logins: `/var/log/lastlog` by user number or its successor `lastlog2.db` by name, and `/var/log/wtmp`, where graphical
//! sessions are written too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Fact, Instant, Reason};

use crate::collect::linux::scene::{Scene, unknown};
use crate::os::OsError;

mod table;

use table::Cell;

/// Bytes of one record of `wtmp` (`utmp(5)`, 64-bit Linux).
pub(super) const RECORD: usize = 384;
/// Bytes of one record of `lastlog`.
const LAST: usize = 292;
/// The successor of `lastlog`: a table of name, seconds, terminal, host, service.
const DATABASE: &str = "/var/lib/lastlog/lastlog2.db";
/// Newest part of `wtmp` that is read: some 10,000 sessions.
const WTMP_CAP: usize = RECORD * 10_000;
/// The largest `lastlog2.db` that is read: far more users than one machine has.
const DATABASE_CAP: usize = 4 << 20;

/// What the machine wrote down of logins.
pub(super) struct Logins<'a> {
    scene: &'a Scene,
    sessions: BTreeMap<String, i64>,
    trouble: Option<OsError>,
}

impl<'a> Logins<'a> {
    /// Reads the sessions of this month and the one before.
    pub(super) fn read(scene: &'a Scene) -> Self {
        let mut sessions = BTreeMap::new();
        let mut trouble = None;
        for path in ["/var/log/wtmp", "/var/log/wtmp.1"] {
            match scene.os.tail(path, WTMP_CAP) {
                Ok(bytes) => record_sessions(&bytes, &mut sessions),
                Err(OsError::Missing(_)) => {}
                Err(error) => trouble = Some(error),
            }
        }
        match scene.os.read(DATABASE, DATABASE_CAP).map(|file| table::rows(&file, "Lastlog2")) {
            Ok(Some(rows)) => record_rows(rows, &mut sessions),
            Ok(None) => trouble = Some(OsError::Failed(DATABASE.to_owned(), "holds no table of logins".to_owned())),
            Err(OsError::Missing(_)) => {}
            Err(error) => trouble = Some(error),
        }
        Self { scene, sessions, trouble }
    }

    /// The last login of an account.
    pub(super) fn last(&self, name: &str, id: u32) -> Fact<Instant> {
        let recorded = match self.scene.os.range("/var/log/lastlog", u64::from(id) * LAST as u64, 4) {
            Ok(bytes) => bytes.try_into().map(u32::from_le_bytes).map_or(0, i64::from),
            Err(OsError::Missing(_)) => 0,
            Err(error) => return unknown(&error),
        };
        let session = self.sessions.get(name).copied().unwrap_or_default();
        match (Timestamp::from_second(recorded.max(session)), &self.trouble) {
            (Ok(at), _) if at > Timestamp::UNIX_EPOCH => Fact::Known(at),
            (_, Some(error)) => unknown(error),
            _ => Fact::unknown(Reason::SourceMissing, "no login is recorded"),
        }
    }
}

/// The last login of each user in the rows of `lastlog2`.
fn record_rows(rows: Vec<Vec<Cell>>, sessions: &mut BTreeMap<String, i64>) {
    for row in rows {
        if let [Cell::Text(name), Cell::Number(seconds), ..] = &row[..] {
            let newest = sessions.entry(name.clone()).or_default();
            *newest = (*newest).max(*seconds);
        }
    }
}

/// Newest session of each user among the records of `wtmp`.
fn record_sessions(bytes: &[u8], sessions: &mut BTreeMap<String, i64>) {
    const USER_PROCESS: u8 = 7;
    // The tail of a long file may begin inside a record; files grow by whole ones.
    let whole = &bytes[bytes.len() % RECORD..];
    for record in whole.chunks_exact(RECORD) {
        if record[0] != USER_PROCESS {
            continue;
        }
        let name: Vec<u8> = record[44..76].iter().copied().take_while(|&byte| byte != 0).collect();
        let Ok(seconds) = record[340..344].try_into().map(u32::from_le_bytes) else { continue };
        let newest = sessions.entry(String::from_utf8_lossy(&name).into_owned()).or_default();
        *newest = (*newest).max(i64::from(seconds));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    fn session(kind: u8, name: &str, seconds: u32) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        record[0] = kind;
        record[44..44 + name.len()].copy_from_slice(name.as_bytes());
        record[340..344].copy_from_slice(&seconds.to_le_bytes());
        record
    }

    fn last(os: Recorded, name: &str, id: u32) -> Fact<Instant> {
        Logins::read(&Scene::new(Arc::new(os), Timestamp::UNIX_EPOCH)).last(name, id)
    }

    #[test]
    fn the_newest_of_both_records_counts() {
        let mut lastlog = vec![0; 1001 * LAST];
        lastlog[1000 * LAST..1000 * LAST + 4].copy_from_slice(&1_700_000_000_u32.to_le_bytes());
        let wtmp =
            [session(7, "canbo", 1_710_000_000), session(8, "canbo", 1_720_000_000), session(7, "lan", 5)].concat();
        let os =
            Recorded::new().file("/var/log/lastlog", &lastlog).file("/var/log/wtmp", [&[1, 2, 3][..], &wtmp].concat());
        assert_eq!(last(os.clone(), "canbo", 1000).known().unwrap().as_second(), 1_710_000_000);
        assert_eq!(last(os.clone(), "x", 1000).known().unwrap().as_second(), 1_700_000_000);
        assert!(matches!(last(os, "x", 5000), Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
    }

    #[test]
    fn the_successor_of_lastlog_is_read() {
        let os = Recorded::new().file(DATABASE, include_bytes!("logins/lastlog2.db"));
        assert_eq!(last(os.clone(), "user7", 1007).known().unwrap().as_second(), 1_739_000_700);
        assert!(matches!(last(os, "nobody", 1), Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        let broken = Recorded::new().file(DATABASE, "SQLite format 3\0 and no more");
        assert!(matches!(last(broken, "x", 0), Fact::Unknown(unknown) if unknown.reason == Reason::Unreadable));
    }

    #[test]
    fn what_may_not_be_read_is_said() {
        let denied = Recorded::new().denying("/var/log/wtmp");
        assert!(matches!(last(denied, "x", 0), Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
        let truncated = Recorded::new().file("/var/log/wtmp", [7; 100]).file("/var/log/lastlog", [1, 2]);
        assert!(last(truncated, "x", 0).known().is_none());
    }
}
