//! The oldest log entry still present: from the headers of journal files, and the first line of the oldest text log.

use std::io::Read;

use jiff::Timestamp;
use jiff::civil::DateTime;
use policies::fact::{Fact, Instant, Reason};

use super::described;
use crate::linux::context::{CheckContext, optional};
use os::{Answer, OsError};

pub(super) fn oldest(context: &CheckContext) -> Fact<Instant> {
    let found = [journal(context), text_log(context, "syslog"), text_log(context, "messages")];
    let known = found.iter().filter_map(|answer| answer.as_ref().ok().copied().flatten()).min();
    let error = found.iter().find_map(|answer| answer.as_ref().err());
    match (known, error) {
        // An unread source may hold an older entry, but that does not make "at least since" wrong.
        (Some(at), _) => Fact::Known(at),
        (None, Some(error @ OsError::Denied(_))) => Fact::unknown(Reason::NeedsAdministrator, described(error)),
        (None, Some(error)) => Fact::unknown(Reason::Unreadable, described(error)),
        (None, None) => Fact::unknown(Reason::SourceMissing, "there is no log file"),
    }
}

/// The header of the oldest file of the system journal. Folders are named by machine id, files by the time they were
/// closed.
fn journal(context: &CheckContext) -> Answer<Option<Instant>> {
    let root = "/var/log/journal";
    let mut oldest: Option<Instant> = None;
    let mut denied = None;
    for folder in optional(context.os.list(root))?.unwrap_or_default() {
        let names = match context.os.list(&format!("{root}/{folder}")) {
            Err(OsError::Denied(path)) => {
                denied = Some(path);
                continue;
            }
            names => names.unwrap_or_default(),
        };
        for name in names.iter().filter(|name| name.starts_with("system") && name.ends_with(".journal")).take(2_000) {
            match context.os.head(&format!("{root}/{folder}/{name}"), 208) {
                Ok(header) => oldest = [oldest, head_entry(&header)].into_iter().flatten().min(),
                Err(OsError::Denied(path)) => denied = Some(path),
                Err(_) => {}
            }
        }
    }
    match (oldest, denied) {
        (None, Some(path)) => Err(OsError::Denied(path)),
        (oldest, _) => Ok(oldest),
    }
}

/// `head_entry_realtime` of a journal file: microseconds, little-endian, at byte 184 of the header.
fn head_entry(header: &[u8]) -> Option<Instant> {
    let known = header.starts_with(b"LPKSHHRH");
    let micros = u64::from_le_bytes(header.get(184..192)?.try_into().ok()?);
    (known && micros > 0).then(|| Timestamp::from_microsecond(micros.try_into().ok()?).ok())?
}

/// The first line of the oldest of `/var/log/NAME`, `NAME.1`, `NAME.2.gz`, `NAME-20240501` ...
fn text_log(context: &CheckContext, log: &str) -> Answer<Option<Instant>> {
    let own = |name: &String| {
        name.strip_prefix(log).is_some_and(|rest| {
            let rest = rest.strip_suffix(".gz").unwrap_or(rest);
            rest.is_empty() || (rest.starts_with(['.', '-']) && rest[1..].bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    let names = optional(context.os.list("/var/log"))?.unwrap_or_default();
    let mut files: Vec<(i64, String)> = Vec::new();
    for name in names.iter().filter(|name| own(name)) {
        let path = format!("/var/log/{name}");
        if let Ok(stat) = context.os.stat(&path) {
            files.push((stat.modified_at, path));
        }
    }
    files.sort_unstable();
    for (modified_at, path) in files {
        let line = first_line(context, &path)?;
        if let Some(at) = written_at(&line, modified_at, context) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn first_line(context: &CheckContext, path: &str) -> Answer<String> {
    let mut bytes = context.os.head(path, 4_096)?;
    if path.ends_with(".gz") {
        let mut start = Vec::new();
        // The start of a compressed file ends in the middle; what was decompressed until then is enough.
        let _ = flate2::bufread::GzDecoder::new(&bytes[..]).take(512).read_to_end(&mut start);
        bytes = start;
    }
    Ok(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned())
}

/// The time at the start of a line: `2024-05-21T08:15:33.123+07:00`, or `May 21 08:15:33` within the year before the file was
/// last written.
fn written_at(line: &str, modified_at: i64, context: &CheckContext) -> Option<Instant> {
    let first = line.split_ascii_whitespace().next()?;
    if let Ok(at) = first.parse::<Timestamp>() {
        return Some(at);
    }
    let zone = context.zone();
    let modified = Timestamp::from_millisecond(modified_at).ok()?.to_zoned(zone.clone());
    let stamp = line.get(..15)?;
    [modified.year(), modified.year() - 1].into_iter().find_map(|year| {
        let local = DateTime::strptime("%Y %b %d %H:%M:%S", format!("{year} {stamp}")).ok()?;
        let at = local.to_zoned(zone.clone()).ok()?.timestamp();
        (at <= modified.timestamp()).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;
    use std::io::Write;

    fn found(os: Recorded) -> Option<String> {
        oldest(&CheckContext::of(os)).known().map(ToString::to_string)
    }

    fn journal_file(micros: u64) -> Vec<u8> {
        let mut header = b"LPKSHHRH".to_vec();
        header.resize(184, 0);
        header.extend(micros.to_le_bytes());
        header.resize(264, 0);
        header
    }

    #[test]
    fn the_oldest_journal_file_counts() {
        let os = Recorded::new()
            .file("/var/log/journal/abc/system.journal", journal_file(1_716_200_000_000_000))
            .file("/var/log/journal/abc/system@1.journal", journal_file(1_700_000_000_000_000))
            .file("/var/log/journal/abc/user-1000.journal", journal_file(1))
            .file("/var/log/journal/abc/system@2.journal", "LPKSHHRH short");
        assert_eq!(found(os).as_deref(), Some("2023-11-14T22:13:20Z"));
        let denied = Recorded::new().denying("/var/log/journal/abc");
        let fact = oldest(&CheckContext::of(denied));
        assert!(matches!(fact, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
    }

    #[test]
    fn text_logs_are_read_old_and_new_compressed_or_not() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"Dec 30 08:15:33 xa-mt-01 kernel: x\n").unwrap();
        let january = Timestamp::from_second(1_704_600_000).unwrap().as_millisecond();
        let os = Recorded::new()
            .file("/var/log/syslog", "2024-05-21T08:15:33.123456+07:00 xa-mt-01 systemd[1]: x\n")
            .modified("/var/log/syslog", january + 1_000_000_000)
            .file("/var/log/syslog.2.gz", packed.finish().unwrap())
            .modified("/var/log/syslog.2.gz", january)
            .file("/var/log/syslog.old", "1999-01-01T00:00:00Z x");
        assert_eq!(found(os).as_deref(), Some("2023-12-30T08:15:33Z"));
        let new = Recorded::new().file("/var/log/messages", "2024-05-21T08:15:33.123456+07:00 x y: z\n");
        assert_eq!(found(new).as_deref(), Some("2024-05-21T01:15:33.123456Z"));
        for broken in ["", "ế", "no time here at all, only words\n"] {
            assert_eq!(found(Recorded::new().file("/var/log/syslog", broken)), None);
        }
    }
}
