//! Last logins: `/var/log/lastlog` by user number, and `/var/log/wtmp`, where graphical sessions are written too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::fact::{Fact, Instant, Reason};

use crate::collect::scene::{Scene, unknown};
use crate::os::OsError;

/// Bytes of one record of `wtmp` (`utmp(5)`, 64-bit Linux).
const RECORD: usize = 384;
/// Bytes of one record of `lastlog`.
const LAST: usize = 292;
/// Newest part of `wtmp` that is read: some 10,000 sessions.
const WTMP_CAP: usize = RECORD * 10_000;

/// What the machine wrote down of logins.
pub(super) struct Logins<'a> {
    scene: &'a Scene,
    sessions: BTreeMap<String, i64>,
    trouble: Option<OsError>,
    database: bool,
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
        // Newer systems keep a database in their place.
        let database =
            ["/var/lib/lastlog/lastlog2.db", "/var/lib/wtmpdb/wtmp.db"].iter().any(|path| scene.os.exists(path));
        Self { scene, sessions, trouble, database }
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
            _ if self.database => Fact::unknown(Reason::NoReader, "logins are kept in a database (lastlog2, wtmpdb)"),
            _ => Fact::unknown(Reason::SourceMissing, "no login is recorded"),
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
    fn a_database_has_no_reader_yet() {
        let os = Recorded::new().file("/var/lib/lastlog/lastlog2.db", "");
        assert!(matches!(last(os, "x", 0), Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
        let denied = Recorded::new().denying("/var/log/wtmp");
        assert!(matches!(last(denied, "x", 0), Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
        let truncated = Recorded::new().file("/var/log/wtmp", [7; 100]).file("/var/log/lastlog", [1, 2]);
        assert!(last(truncated, "x", 0).known().is_none());
    }
}
