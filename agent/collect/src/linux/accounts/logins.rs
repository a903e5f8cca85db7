//! Last logins: `/var/log/lastlog` by user id or its successor `lastlog2.db` by name, and `/var/log/wtmp` or its successor
//! `wtmp.db`, which also record graphical sessions.
//!
//! A system without `utmp` no longer writes `lastlog` and `wtmp` either; empty or old ones may remain.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use policies::fact::{Fact, Instant, Reason};

use super::pam;
use crate::linux::context::{CheckContext, optional, unknown};
use os::{Answer, OsError};

mod table;

use table::Cell;

/// Bytes of one record of `wtmp` (`utmp(5)`, 64-bit Linux).
pub(super) const RECORD: usize = 384;
/// Bytes of one record of `lastlog`.
const LAST: usize = 292;
/// The successor of `lastlog`: a table of name, seconds, terminal, host, service.
const LASTLOG2: &str = "/var/lib/lastlog/lastlog2.db";
/// The successor of `wtmp`, at its first and its present path: a table of number, kind, name, login, logout, ... in microseconds.
const WTMPDB: [&str; 2] = ["/var/lib/wtmpdb/wtmp.db", "/var/log/wtmp.db"];
/// The most bytes read from the end of `wtmp`: some 10,000 sessions.
const WTMP_CAP: usize = RECORD * 10_000;
/// The largest successor database that is read: far more users and sessions than one machine has.
const DATABASE_CAP: usize = 8 << 20;
/// A sign of use younger than this many days needs no proof that there is no younger one.
const RECENT: i64 = 14;

/// The machine's records of logins.
pub(super) struct Logins<'a> {
    context: &'a CheckContext,
    sessions: BTreeMap<String, i64>,
    trouble: Option<OsError>,
    /// True when every login is recorded here.
    whole: bool,
}

impl<'a> Logins<'a> {
    /// Reads the sessions of this month and the previous one.
    pub(super) fn read(context: &'a CheckContext) -> Self {
        let mut logins = Self { context, sessions: BTreeMap::new(), trouble: None, whole: false };
        let keeps_utmp = keeps_utmp(context);
        for path in ["/var/log/wtmp", "/var/log/wtmp.1"] {
            match optional(context.os.tail(path, WTMP_CAP)) {
                Ok(bytes) => {
                    logins.whole |= keeps_utmp && bytes.is_some();
                    record_sessions(&bytes.unwrap_or_default(), &mut logins.sessions);
                }
                Err(error) => logins.trouble = Some(error),
            }
        }
        logins.read_table(LASTLOG2, "Lastlog2", |row| match row {
            [Cell::Text(name), Cell::Number(seconds), ..] => Some((name.clone(), *seconds)),
            _ => None,
        });
        for path in WTMPDB {
            // The second is often a link to the first.
            let read = logins.read_table(path, "wtmp", |row| match row {
                [_, Cell::Number(3), Cell::Text(name), Cell::Number(micros), ..] => {
                    Some((name.clone(), micros / 1_000_000))
                }
                _ => None,
            });
            logins.whole |= read && pam::opens_sessions_with(context, "pam_wtmpdb.so");
        }
        logins
    }

    /// Takes the newest login of each user from a table; true when it was read.
    fn read_table(&mut self, path: &str, name: &str, login: impl Fn(&[Cell]) -> Option<(String, i64)>) -> bool {
        let rows: Answer<_> = self.context.os.read(path, DATABASE_CAP).and_then(|file| {
            let rows = table::rows(&file, name);
            rows.ok_or_else(|| OsError::Failed(path.to_owned(), "holds no table of logins".to_owned()))
        });
        match rows {
            Ok(rows) => {
                for (name, seconds) in rows.iter().filter_map(|row| login(row)) {
                    let newest = self.sessions.entry(name).or_default();
                    *newest = (*newest).max(seconds);
                }
                return true;
            }
            Err(OsError::Missing(_)) => {}
            Err(error) => self.trouble = Some(error),
        }
        false
    }

    /// The last recorded login of an account.
    pub(super) fn last(&self, name: &str, id: u32) -> Fact<Instant> {
        let recorded = match optional(self.context.os.range("/var/log/lastlog", u64::from(id) * LAST as u64, 4)) {
            Ok(bytes) => bytes.unwrap_or_default().try_into().map(u32::from_le_bytes).map_or(0, i64::from),
            Err(error) => return unknown(&error),
        };
        let session = self.sessions.get(name).copied().unwrap_or_default();
        match (Timestamp::from_second(recorded.max(session)), &self.trouble) {
            (Ok(at), _) if at > Timestamp::UNIX_EPOCH => Fact::Known(at),
            (_, Some(error)) => unknown(error),
            _ => Fact::unknown(Reason::SourceMissing, "no login is recorded"),
        }
    }

    /// The latest sign of use: the last login, or without one the day the password was set. Where not every login is recorded, an old
    /// sign proves nothing.
    pub(super) fn last_used(&self, last: &Fact<Instant>, password: Fact<Instant>) -> Fact<Instant> {
        let found = match last {
            Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing => password,
            last => last.clone(),
        };
        let recent = |at: &Instant| self.context.now.checked_sub((RECENT * 24).hours()).is_ok_and(|start| *at >= start);
        match (found, &self.trouble) {
            (Fact::Known(at), _) if recent(&at) => Fact::Known(at),
            (Fact::Known(_), Some(error)) => unknown(error),
            (Fact::Known(_), None) if !self.whole => {
                Fact::unknown(Reason::SourceMissing, "not every login is written down on this machine")
            }
            (found, _) => found,
        }
    }
}

/// True when the system still keeps `utmp`, and with it `wtmp`, `btmp` and `lastlog`: it recorded its own boot there.
pub(super) fn keeps_utmp(context: &CheckContext) -> bool {
    const BOOT_TIME: u8 = 2;
    let records = context.os.head("/run/utmp", RECORD * 64).unwrap_or_default();
    records.chunks_exact(RECORD).any(|record| record[0] == BOOT_TIME)
}

/// Each user's newest session in the records of `wtmp`.
fn record_sessions(bytes: &[u8], sessions: &mut BTreeMap<String, i64>) {
    const USER_PROCESS: u8 = 7;
    // The tail of a long file may start inside a record; files grow by whole records.
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
    use os::recorded::Recorded;

    fn session(kind: u8, name: &str, seconds: u32) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        record[0] = kind;
        record[44..44 + name.len()].copy_from_slice(name.as_bytes());
        record[340..344].copy_from_slice(&seconds.to_le_bytes());
        record
    }

    fn last(os: Recorded, name: &str, id: u32) -> Fact<Instant> {
        Logins::read(&CheckContext::of(os)).last(name, id)
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
        let os = Recorded::new().file(LASTLOG2, include_bytes!("logins/lastlog2.db"));
        assert_eq!(last(os.clone(), "user7", 1007).known().unwrap().as_second(), 1_739_000_700);
        assert!(matches!(last(os, "nobody", 1), Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        let broken = Recorded::new().file(LASTLOG2, "SQLite format 3\0 and no more");
        assert!(matches!(last(broken, "x", 0), Fact::Unknown(unknown) if unknown.reason == Reason::Unreadable));
    }

    /// Made by `wtmpdb` 0.73 of Debian 13: sessions of canbo, the last at 1796034194, and a start of the system.
    const SESSIONS: &[u8] = include_bytes!("logins/wtmp.db");

    #[test]
    fn the_successor_of_wtmp_is_read() {
        let os = Recorded::new().file(WTMPDB[1], SESSIONS).symlink(WTMPDB[0], WTMPDB[1]);
        assert_eq!(last(os.clone(), "canbo", 1000).known().unwrap().as_second(), 1_796_034_194);
        assert!(last(os, "soft-reboot", 0).known().is_none());
    }

    #[test]
    fn an_old_sign_of_use_counts_only_where_every_login_is_written_down() {
        let used = |os: Recorded, changed: i64| {
            let context = CheckContext::new(Arc::new(os), Timestamp::from_second(1_796_100_000).unwrap());
            let logins = Logins::read(&context);
            let changed = Fact::Known(Timestamp::from_second(changed).unwrap());
            logins.last_used(&logins.last("canbo", 1000), changed).known().map(|at| at.as_second())
        };
        let old = session(7, "canbo", 1_780_000_000);
        // Debian 13 after an upgrade: the files are those of the earlier system.
        let upgraded = Recorded::new().file("/var/log/wtmp", &old).file("/var/log/lastlog", "");
        assert_eq!(used(upgraded.clone(), 1_770_000_000), None);
        assert_eq!(used(Recorded::new().file("/var/log/wtmp", "").file("/var/log/lastlog", ""), 1_770_000_000), None);
        assert_eq!(used(Recorded::new(), 1_796_000_000), Some(1_796_000_000), "set a day ago");
        let keeping = upgraded.file("/run/utmp", session(2, "reboot", 1_796_000_000));
        assert_eq!(used(keeping, 1_770_000_000), Some(1_780_000_000));
        let successor = Recorded::new()
            .file(WTMPDB[1], SESSIONS)
            .file("/etc/pam.d/login", "@include common-session\n")
            .file("/etc/pam.d/common-session", "session optional pam_wtmpdb.so skip_if=sshd\n");
        assert_eq!(used(successor, 1_770_000_000), Some(1_796_034_194));
    }

    #[test]
    fn what_may_not_be_read_is_said() {
        let denied = Recorded::new().denying("/var/log/wtmp");
        assert!(matches!(last(denied, "x", 0), Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
        let truncated = Recorded::new().file("/var/log/wtmp", [7; 100]).file("/var/log/lastlog", [1, 2]);
        assert!(last(truncated, "x", 0).known().is_none());
    }
}
