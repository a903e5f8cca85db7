//! Upgrades recorded in `dpkg.log`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use policies::fact::{Fact, Instant, Reason};

use super::never_since;
use crate::linux::context::{CheckContext, found, optional, unknown};
use os::{Answer, OsError};

/// The most bytes of one log that are read.
const CAP: usize = 4 << 20;

/// The result of reading the logs.
pub(super) struct History {
    /// When a package was last upgraded.
    pub(super) last_upgrade_at: Fact<Instant>,
    /// True when a package that only a reboot replaces in memory was upgraded since the machine booted.
    pub(super) restart: Fact<bool>,
}

/// Reads the logs from the newest back to the last upgrade and to the boot at `booted_at`.
pub(super) fn read(context: &CheckContext, booted_at: Option<Timestamp>) -> History {
    let running = context.line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (mut last, mut restart, mut begins, mut failed) = (None, None, None, None);
    for number in 0..=12 {
        let (text, whole) = match log(context, number) {
            Ok(log) => log,
            Err(OsError::Missing(_)) => continue,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        // If only the end of a log is read, its first line may be incomplete.
        begins = text.lines().skip(usize::from(!whole)).find_map(|line| at(line, context)).or(begins);
        let covers = booted_at.zip(begins).is_some_and(|(booted, begins)| begins <= booted);
        for (line, name) in text.lines().rev().filter_map(upgraded) {
            let Some(at) = at(line, context) else { continue };
            last = last.or(Some(at));
            if restart.is_some() || booted_at.is_none_or(|booted| at <= booted) {
                break;
            }
            restart = needs_restart(name, &running).then_some(true);
        }
        // The first package of a new system: nothing came before.
        if restart.is_none() && (covers || (whole && text.contains(" install base-files:"))) {
            restart = Some(false);
        }
        if !whole || (last.is_some() && restart.is_some()) {
            break;
        }
    }
    let last_upgrade_at = match (last, &failed, begins) {
        (Some(at), ..) => Fact::Known(at),
        (None, Some(error), _) => unknown(error),
        (None, None, Some(begins)) => never_since(context, begins),
        (None, None, None) => Fact::unknown(Reason::SourceMissing, "there is no dpkg.log"),
    };
    let restart = match (restart.filter(|_| booted_at.is_some()), &failed) {
        (None, Some(error)) => unknown(error),
        (restart, _) => found(restart, "dpkg.log does not reach back to the start of the machine"),
    };
    History { last_upgrade_at, restart }
}

/// One log, and whether it is complete; the newest has number 0.
fn log(context: &CheckContext, number: u32) -> Answer<(String, bool)> {
    let plain = if number == 0 { "/var/log/dpkg.log".to_owned() } else { format!("/var/log/dpkg.log.{number}") };
    let bytes = match optional(context.os.tail(&plain, CAP))? {
        None => unpacked(context, &format!("{plain}.gz"))?,
        Some(bytes) => bytes,
    };
    let whole = bytes.len() < CAP;
    Ok((os::lossy(bytes), whole))
}

fn unpacked(context: &CheckContext, path: &str) -> Answer<Vec<u8>> {
    use std::io::Read;
    const CAP: u64 = 16 << 20;
    let mut text = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "the next call caps what comes out")]
    let mut reader = flate2::read::GzDecoder::new(context.os.open(path)?).take(CAP);
    reader.read_to_end(&mut text).map_err(|error| os::failed(path, &error))?;
    Ok(text)
}

/// Parses `2024-05-21 08:15:33 upgrade bash:amd64 5.2.15-2+b2 5.2.15-2+b7` into line and package. The same version again
/// is a reinstallation.
fn upgraded(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace().skip(2);
    (words.next()? == "upgrade").then_some(())?;
    let (name, old, new) = (words.next()?, words.next()?, words.next()?);
    (old != new).then_some((line, name.split(':').next().unwrap_or_default()))
}

/// The time of a line, which is in the machine's zone.
fn at(line: &str, context: &CheckContext) -> Option<Timestamp> {
    let (day, rest) = line.split_once(' ')?;
    let local: DateTime = format!("{day}T{}", rest.split(' ').next()?).parse().ok()?;
    Some(local.to_zoned(context.zone().clone()).ok()?.timestamp())
}

/// True for what every program or the kernel holds in memory, as in `needs-restarting -r` on rpm systems.
fn needs_restart(package: &str, running_kernel: &str) -> bool {
    "libc6 systemd udev dbus dbus-daemon dbus-broker linux-firmware intel-microcode amd64-microcode"
        .split(' ')
        .any(|name| name == package)
        || ["libssl", "firmware-"].iter().any(|start| package.starts_with(start))
        || package
            .strip_prefix("linux-image-")
            .is_some_and(|release| release.trim_start_matches("unsigned-") == running_kernel)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use os::recorded::Recorded;

    fn told(os: Recorded, booted: &str) -> (Option<String>, Option<bool>) {
        let context = CheckContext::new(Arc::new(os), "2024-06-01T00:00:00Z".parse().unwrap());
        let history = read(&context, Some(booted.parse().unwrap()));
        (history.last_upgrade_at.known().map(ToString::to_string), history.restart.known().copied())
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn the_last_upgrade_is_found_in_old_logs_too() {
        let old = "2024-03-01 10:00:00 upgrade bash:amd64 1 2\n2024-03-01 10:00:01 status installed bash:amd64 2\n";
        let os = Recorded::new()
            .file(
                "/var/log/dpkg.log",
                "2024-05-21 08:15:33 upgrade nano:amd64 7 7\r\n2024-05-21 08:15:33 install x:all <none> 1\r\n",
            )
            .file("/var/log/dpkg.log.2.gz", packed(old));
        let last = |os: Recorded| told(os, "2024-05-01T00:00:00Z").0;
        assert_eq!(last(os.clone()).as_deref(), Some("2024-03-01T10:00:00Z"));
        let newer = "2024-04-01 10:00:00 upgrade a:all 1 2\n2024-04-02 11:00:00 upgrade b:all 1 2\ncut";
        assert_eq!(last(os.file("/var/log/dpkg.log.1", newer)).as_deref(), Some("2024-04-02T11:00:00Z"));
        assert_eq!(last(Recorded::new()), None);
        assert_eq!(last(Recorded::new().file("/var/log/dpkg.log.1.gz", "broken")), None);
    }

    #[test]
    fn logs_without_an_upgrade_say_that_there_was_none_since_they_begin() {
        let os = |day: &str| {
            let log =
                format!("{day} 10:00:00 startup archives unpack\n{day} 10:00:00 install base-files:amd64 <none> 12\n");
            Recorded::new().file("/var/log/dpkg.log", log)
        };
        assert_eq!(
            told(os("2023-01-10"), "2024-05-01T00:00:00Z"),
            (Some("2023-01-10T10:00:00Z".to_owned()), Some(false))
        );
        assert_eq!(told(os("2024-05-25"), "2024-05-01T00:00:00Z"), (None, Some(false)), "too young to tell");
    }

    #[test]
    fn what_programs_hold_in_memory_waits_for_a_restart() {
        let with = |line: &str| {
            let log = format!(
                "2024-04-01 00:00:00 status installed x:all 1\n{line}\n2024-05-30 00:00:00 upgrade nano:amd64 1 2\n"
            );
            let os =
                Recorded::new().file("/var/log/dpkg.log", log).file("/proc/sys/kernel/osrelease", "6.1.0-21-amd64\n");
            told(os, "2024-05-01T00:00:00Z").1
        };
        for package in
            ["libc6:amd64", "systemd:amd64", "dbus:amd64", "libssl3:amd64", "linux-image-6.1.0-21-amd64:amd64"]
        {
            assert_eq!(with(&format!("2024-05-21 08:15:33 upgrade {package} 1 2")), Some(true), "{package}");
            assert_eq!(
                with(&format!("2024-05-21 08:15:33 install {package} <none> 2")),
                Some(false),
                "{package} is new"
            );
            assert_eq!(
                with(&format!("2024-04-21 08:15:33 upgrade {package} 1 2")),
                Some(false),
                "{package} before the start"
            );
        }
        assert_eq!(with("2024-05-21 08:15:33 upgrade linux-image-6.1.0-18-amd64:amd64 1 2"), Some(false));
        let cut = Recorded::new().file("/var/log/dpkg.log", "2024-05-21 08:15:33 upgrade nano:amd64 1 2\n");
        assert_eq!(told(cut, "2024-05-01T00:00:00Z").1, None, "what came before is not known");
    }
}
