//! Failed logons: `/var/log/btmp` and its rotated file, in the format of `utmp(5)`; the journal on systems that no longer write them.
//!
//! People sometimes type their password into the name field, so only names of existing accounts are kept. Password prompts inside a
//! session (sudo, su) are not recorded there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use policies::fact::{Fact, FailedLogon, List, LogonWay};

use super::logins::{RECORD, keeps_utmp};
use super::{Entry, journal};
use crate::linux::context::{CheckContext, optional, unknown};
use crate::logons::{Attempt, MOST, since, source, tally};
use os::{Answer, OsError};

const FOLDER: &str = "/var/log";
const FILE: &str = "btmp";
/// The most bytes read from the end of each file.
const CAP: usize = RECORD * MOST;

/// The failed logons of the last days by hour; names are those in `passwd`.
pub(super) fn list(context: &CheckContext, passwd: &[Entry]) -> Fact<List<FailedLogon>> {
    let since = since(context.now);
    let attempts = match optional(recorded(context, passwd)) {
        Ok(Some(found)) if keeps_utmp(context) => Ok(found),
        // An empty file that nothing writes is no answer; one that only some programs write is half an answer.
        Ok(found) => journal::attempts(context, passwd).or_else(|error| match found {
            Some((found, _)) if found.iter().any(|attempt| attempt.at >= since) => Ok((found, true)),
            _ => Err(error),
        }),
        Err(error) => Err(error),
    };
    let (mut records, mut more) = match attempts {
        Ok(attempts) => attempts,
        Err(error) => return unknown(&error),
    };
    records.sort_by_key(|attempt| std::cmp::Reverse(attempt.at));
    records.retain(|attempt| attempt.at >= since);
    more |= records.len() >= MOST;
    records.truncate(MOST);
    Fact::Known(tally(records, context.now, more))
}

/// The attempts in `btmp` and its predecessor, and whether there may be more.
fn recorded(context: &CheckContext, passwd: &[Entry]) -> Answer<(Vec<Attempt>, bool)> {
    let path = format!("{FOLDER}/{FILE}");
    let newest = optional(context.os.tail(&path, CAP))?;
    let mut records = attempts(newest.as_deref().unwrap_or_default(), passwd);
    let mut more = false;
    match rotated(context)? {
        Rotated::None if newest.is_none() => return Err(OsError::Missing(path)),
        Rotated::None => {}
        Rotated::Packed(at) => more = at >= since(context.now).as_millisecond(),
        Rotated::Plain(path) => {
            records.extend(attempts(&optional(context.os.tail(&path, CAP))?.unwrap_or_default(), passwd));
        }
    }
    Ok((records, more))
}

/// The kind of the newest rotated file.
enum Rotated {
    None,
    /// It can be read; its path.
    Plain(String),
    /// It is compressed and was last written at this time, in milliseconds since 1970 UTC.
    Packed(i64),
}

/// `btmp.1`, or the newest of `btmp-20261101`; either may be compressed.
fn rotated(context: &CheckContext) -> Answer<Rotated> {
    let names = optional(context.os.list(FOLDER))?.unwrap_or_default();
    let rank = |name: &String| {
        let (stem, packed) = match name.rsplit_once('.') {
            Some((stem, "gz" | "xz" | "zst" | "bz2")) => (stem, true),
            _ => (name.as_str(), false),
        };
        let rest = stem.strip_prefix(FILE)?;
        let day = rest.strip_prefix('-').and_then(|day| day.parse::<u32>().ok());
        let newest = if rest == ".1" { u32::MAX } else { day? };
        Some((newest, packed, format!("{FOLDER}/{name}")))
    };
    Ok(match names.iter().filter_map(rank).max_by_key(|(newest, packed, _)| (*newest, !packed)) {
        None => Rotated::None,
        Some((_, false, path)) => Rotated::Plain(path),
        Some((_, true, path)) => Rotated::Packed(context.os.stat(&path)?.modified_at),
    })
}

/// Type, terminal, name, host, time, address.
fn attempts(bytes: &[u8], passwd: &[Entry]) -> Vec<Attempt> {
    // The tail of a long file may start inside a record; files grow by whole records.
    let whole = &bytes[bytes.len() % RECORD..];
    whole.chunks_exact(RECORD).filter_map(|record| attempt(record, passwd)).collect()
}

fn attempt(record: &[u8], passwd: &[Entry]) -> Option<Attempt> {
    /// `LOGIN_PROCESS`, `USER_PROCESS`.
    const KINDS: [u8; 2] = [6, 7];
    if !KINDS.contains(&record[0]) {
        return None;
    }
    let text = |from: usize, length: usize| {
        let bytes = &record[from..from + length];
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(length);
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    };
    let (line, name, host) = (text(8, 32), text(44, 32), text(76, 256));
    let seconds = u32::from_le_bytes(record[340..344].try_into().ok()?);
    // A graphical session gives its own screen as host.
    let host = if host.starts_with(':') { String::new() } else { source(&host) };
    let source = if host.is_empty() { address(record[348..364].try_into().ok()?) } else { host };
    let network = !source.is_empty() || line.starts_with("ssh");
    Some(Attempt {
        at: Timestamp::from_second(seconds.into()).ok()?,
        account: passwd.iter().find(|entry| entry.name == name).map(|entry| entry.name.clone()).unwrap_or_default(),
        source,
        way: if network { LogonWay::Network } else { LogonWay::Local },
    })
}

/// An IPv4 address is in the first four bytes.
fn address(bytes: [u8; 16]) -> String {
    let address = match bytes {
        [a, b, c, d, rest @ ..] if rest == [0; 12] => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        other => IpAddr::V6(Ipv6Addr::from(other)).to_canonical(),
    };
    if address.is_unspecified() { String::new() } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policies::fact::Reason;

    use super::*;
    use os::recorded::Recorded;

    const NOW: &str = "2026-11-22T03:20:00Z";
    /// Two o'clock on that day.
    const HOUR: u32 = 1_795_312_800;

    fn record(name: &str, line: &str, host: &str, seconds: u32) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        record[0] = 6;
        record[8..8 + line.len()].copy_from_slice(line.as_bytes());
        record[44..44 + name.len()].copy_from_slice(name.as_bytes());
        record[76..76 + host.len()].copy_from_slice(host.as_bytes());
        record[340..344].copy_from_slice(&seconds.to_le_bytes());
        record
    }

    fn listed(os: Recorded) -> Fact<List<FailedLogon>> {
        let passwd = super::super::entries("root:x:0:0::/root:/bin/sh\ncanbo:x:1000:1000::/home/canbo:/bin/sh\n");
        // A system that still keeps such files recorded its boot.
        let mut start = record("reboot", "~", "", HOUR);
        start[0] = 2;
        list(&CheckContext::new(Arc::new(os.file("/run/utmp", start)), NOW.parse().unwrap()), &passwd)
    }

    #[test]
    fn attempts_of_both_files_are_counted_and_names_checked() {
        let mut other = record("canbo", "tty1", "", HOUR + 60);
        other[348..352].copy_from_slice(&[10, 0, 0, 9]);
        let newest = [
            record("root", "ssh:notty", "10.0.0.5", HOUR),
            record("root", "ssh:notty", "10.0.0.5", HOUR + 1),
            record("MatKhau@2026", "tty7", ":0", HOUR),
            other,
            // A shutdown is not an attempt.
            {
                let mut end = record("canbo", "", "", HOUR);
                end[0] = 2;
                end
            },
        ]
        .concat();
        let os = Recorded::new()
            .file("/var/log/btmp", [&[9, 9][..], &newest].concat())
            .file("/var/log/btmp-20261001", record("root", "ssh:notty", "10.0.0.4", HOUR - 3_600))
            .file("/var/log/btmp-20261101", record("canbo", "ssh:notty", "máy-lạ", HOUR - 3_600));
        let list = listed(os);
        let list = list.known().unwrap();
        let shown: Vec<_> =
            list.items.iter().map(|row| (row.account.as_str(), row.source.as_str(), row.way, row.count)).collect();
        assert_eq!(
            shown,
            [
                ("root", "10.0.0.5", LogonWay::Network, 2),
                ("", "", LogonWay::Local, 1),
                ("canbo", "10.0.0.9", LogonWay::Network, 1),
                ("canbo", "máy-lạ", LogonWay::Network, 1),
            ]
        );
        assert_eq!((list.items[0].hour.to_string().as_str(), list.left_out), ("2026-11-22T02:00:00Z", 0));
    }

    #[test]
    fn an_empty_file_that_nobody_writes_is_no_answer() {
        let passwd = super::super::entries("canbo:x:1000:1000::/home/canbo:/bin/sh\n");
        let listed = |os: Recorded| list(&CheckContext::new(Arc::new(os), NOW.parse().unwrap()), &passwd);
        // Debian 13: no utmp is kept, and sshd only writes to the journal, which is missing here.
        assert!(listed(Recorded::new().file("/var/log/btmp", "")).known().is_none());
        // login still writes it.
        let half = listed(Recorded::new().file("/var/log/btmp", record("canbo", "tty1", "", HOUR)));
        assert_eq!(half.known().map(|list| (list.items.len(), list.left_out)), Some((1, 1)));
        let old = Recorded::new().file("/var/log/btmp", record("canbo", "tty1", "", HOUR - 30 * 86_400));
        assert!(listed(old).known().is_none());
    }

    #[test]
    fn of_an_attack_the_newest_part_is_read_and_the_rest_is_said_to_be_missing() {
        let many = (0..u32::try_from(MOST).unwrap() + 500)
            .flat_map(|number| record("root", "ssh:notty", "10.0.0.5", HOUR + number % 3_000));
        let list = listed(Recorded::new().file("/var/log/btmp", many.collect::<Vec<u8>>()));
        let list = list.known().unwrap();
        assert_eq!(list.items.iter().map(|row| row.count).sum::<i64>(), i64::try_from(MOST).unwrap());
        assert_eq!(list.left_out, 1);
    }

    #[test]
    fn a_compressed_file_of_this_week_is_said_to_be_missing() {
        let os = Recorded::new().file("/var/log/btmp", "").file("/var/log/btmp.1.gz", "x");
        let now = i64::from(HOUR) * 1_000;
        let left_out = |os: Recorded| listed(os).known().unwrap().left_out;
        assert_eq!(left_out(os.clone().modified("/var/log/btmp.1.gz", now)), 1);
        assert_eq!(left_out(os.modified("/var/log/btmp.1.gz", now - 30 * 86_400_000)), 0);
    }

    #[test]
    fn what_is_not_there_or_may_not_be_read_is_said() {
        let reason = |os: Recorded| match listed(os) {
            Fact::Unknown(unknown) => Some(unknown.reason),
            Fact::Known(_) => None,
        };
        assert_eq!(reason(Recorded::new()), Some(Reason::SourceMissing));
        assert_eq!(reason(Recorded::new().denying("/var/log/btmp")), Some(Reason::NeedsAdministrator));
        let denied = Recorded::new().file("/var/log/btmp", "").file("/var/log/btmp.1", "").denying("/var/log/btmp.1");
        assert_eq!(reason(denied), Some(Reason::NeedsAdministrator));
        let damaged = Recorded::new().file("/var/log/btmp", [6; 700]);
        assert!(listed(damaged).known().unwrap().items.is_empty(), "its time is long past");
        assert_eq!(listed(Recorded::new().file("/var/log/btmp", "")), Fact::Known(List::default()));
    }
}
