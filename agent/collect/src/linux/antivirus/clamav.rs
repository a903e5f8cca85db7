//! ClamAV: daemon, on-access scanner, updater, and the age of the definitions from the databases themselves.

use jiff::Timestamp;
use policies::fact::{AntivirusProduct, Fact, Instant, Maker, Reason};

use crate::linux::context::{CheckContext, unknown};
use crate::linux::text::{capped, lines};
use os::{Answer, OsError};

/// Its programs: any one of them means it is installed.
const PROGRAMS: [&str; 5] =
    ["/usr/sbin/clamd", "/usr/bin/clamd", "/usr/bin/clamscan", "/usr/bin/freshclam", "/usr/local/sbin/clamd"];
/// Paths of the daemon's configuration: Debian, Red Hat (one file per instance), built from source.
const DAEMON_FILES: [&str; 4] =
    ["/etc/clamav/clamd.conf", "/etc/clamd.d/scan.conf", "/etc/clamd.conf", "/usr/local/etc/clamd.conf"];
const UPDATER_FILES: [&str; 3] = ["/etc/clamav/freshclam.conf", "/etc/freshclam.conf", "/usr/local/etc/freshclam.conf"];
/// Where cron finds its jobs.
const CRON_FILES: [&str; 3] = ["/etc/crontab", "/var/spool/cron/crontabs/root", "/var/spool/cron/root"];
const CRON_FOLDERS: [&str; 4] = ["/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly"];

/// ClamAV, when it is installed.
pub(super) fn product(context: &CheckContext) -> Option<AntivirusProduct> {
    let running = context.runs("clamd");
    if !running && !PROGRAMS.iter().any(|path| context.os.exists(path)) {
        return None;
    }
    let databases = databases(context);
    let newest = databases.as_ref().map(|all| all.iter().max_by_key(|header| header.built_at));
    Some(AntivirusProduct {
        maker: Maker::ClamAv,
        name: "ClamAV".to_owned(),
        version: version(context),
        running: Fact::Known(running),
        // The scanner passes every opened file to the daemon: both must run.
        real_time: Fact::Known(running && context.runs("clamonacc")),
        definitions_at: match &newest {
            Ok(Some(header)) => Fact::Known(header.built_at),
            Ok(None) => Fact::unknown(Reason::SourceMissing, "no definitions of ClamAV's own (main, daily) are there"),
            Err(error) => unknown(error),
        },
        // On Linux it reports this to nobody.
        definitions_current: Fact::unknown(Reason::NoReader, ""),
        definitions_version: match newest {
            Ok(Some(header)) => Fact::Known(header.version.to_string()),
            Ok(None) => Fact::unknown(Reason::SourceMissing, ""),
            Err(error) => unknown(error),
        },
        updater: updater(context),
    })
}

/// The package's version on Debian and its kin; the newest stanza of dpkg's status file is the only one.
fn version(context: &CheckContext) -> Fact<String> {
    let status = match context.os.read("/var/lib/dpkg/status", 64 << 20) {
        Ok(status) => status,
        Err(OsError::Missing(_)) => return Fact::unknown(Reason::NoReader, "only packages of dpkg are read"),
        Err(error) => return unknown(&error),
    };
    let status = String::from_utf8_lossy(&status);
    let of = |package: &str| {
        let (_, stanza) = status.split_once(&format!("\nPackage: {package}\n"))?;
        let stanza = stanza.split("\n\n").next()?;
        stanza.lines().find_map(|line| line.strip_prefix("Version: ")).map(capped)
    };
    ["clamav-daemon", "clamav-base", "clamav"]
        .iter()
        .find_map(|package| of(package))
        .map_or_else(|| Fact::unknown(Reason::SourceMissing, "no package of ClamAV is installed"), Fact::Known)
}

/// The header of a database file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    built_at: Instant,
    version: u64,
}

/// The headers of ClamAV's own databases: `main` and `daily`, as shipped (`.cvd`) or updated in parts (`.cld`, `.cud`).
fn databases(context: &CheckContext) -> Answer<Vec<Header>> {
    let folder = folder(context);
    let mut found = Vec::new();
    for name in context.os.list(&folder)? {
        let own = name
            .rsplit_once('.')
            .is_some_and(|(stem, suffix)| ["main", "daily"].contains(&stem) && ["cvd", "cld", "cud"].contains(&suffix));
        if own {
            let bytes = context.os.head(&format!("{folder}/{name}"), 512)?;
            found.extend(header(&bytes));
        }
    }
    Ok(found)
}

/// `DatabaseDirectory` in the daemon's configuration, else the path that every distribution uses.
fn folder(context: &CheckContext) -> String {
    let set = DAEMON_FILES.iter().find_map(|path| setting(&context.text(path).ok()?, "DatabaseDirectory"));
    set.filter(|path| path.starts_with('/')).unwrap_or_else(|| "/var/lib/clamav".to_owned())
}

/// `Key value` of ClamAV's files; quotes around the value are removed.
fn setting(text: &str, key: &str) -> Option<String> {
    let found = lines(text).filter_map(|line| line.split_once(char::is_whitespace)).find(|(name, _)| *name == key);
    found.map(|(_, value)| crate::linux::text::unquoted(value.trim()).trim_end_matches('/').to_owned())
}

/// `ClamAV-VDB:07 Sep 2023 09-34 -0400:27023:signatures:level:md5:signature:builder:seconds`, padded to 512 bytes.
fn header(bytes: &[u8]) -> Option<Header> {
    let text = String::from_utf8_lossy(bytes);
    let mut fields = text.trim_end_matches(['\0', ' ', '\n']).split(':');
    if fields.next()? != "ClamAV-VDB" {
        return None;
    }
    let (written, version) = (fields.next()?, fields.next()?.parse().ok()?);
    let seconds = fields.nth(5).and_then(|field| field.trim().parse().ok());
    let by_seconds = seconds.filter(|&seconds| seconds > 0).and_then(|seconds| Timestamp::from_second(seconds).ok());
    let by_text = || jiff::fmt::strtime::parse("%d %b %Y %H-%M %z", written).ok()?.to_timestamp().ok();
    Some(Header { built_at: by_seconds.or_else(by_text)?, version })
}

/// True when definitions update automatically: the updater runs as a daemon, or a timer or cron starts it.
fn updater(context: &CheckContext) -> Fact<bool> {
    if context.runs("freshclam") {
        return Fact::Known(true);
    }
    let timer = ["clamav-freshclam-once.timer", "clamav-freshclam.timer"]
        .iter()
        .any(|unit| context.systemd() && context.unit_enabled(unit));
    let cron = context.runs_any(&["cron", "crond"]) && cron_starts_it(context);
    let usable = UPDATER_FILES.iter().find_map(|path| context.text(path).ok());
    // The shipped file contains the word `Example`, with which the updater refuses to run.
    let usable = usable.is_none_or(|text| !lines(&text).any(|line| line == "Example"));
    Fact::Known((timer || cron) && usable)
}

/// True when a line of a crontab, or of a script it starts, names the updater.
fn cron_starts_it(context: &CheckContext) -> bool {
    let names = |text: &str| lines(text).any(|line| line.contains("freshclam"));
    CRON_FILES.iter().any(|path| context.text(path).is_ok_and(|text| names(&text)))
        || CRON_FOLDERS
            .iter()
            .any(|folder| context.texts(folder, "").unwrap_or_default().iter().any(|(_, text)| names(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    const DAILY: &str = "ClamAV-VDB:21 May 2024 04-31 -0400:27282:2061361:90:0123456789abcdef0123456789abcdef:dsig:raynman:1716280260                ";

    fn installed() -> Recorded {
        Recorded::new().file("/usr/sbin/clamd", "")
    }

    fn found(os: Recorded) -> AntivirusProduct {
        product(&CheckContext::of(os)).unwrap()
    }

    #[test]
    fn the_newest_database_tells_the_age_of_the_definitions() {
        let os = installed()
            .file("/var/lib/clamav/main.cvd", "ClamAV-VDB:16 Sep 2021 08-32 -0400:62:6647427:90:a:b:sigmgr:1631795562")
            .file("/var/lib/clamav/daily.cld", DAILY)
            .file("/var/lib/clamav/bytecode.cvd", "ClamAV-VDB:01 Jan 2030 00-00 +0000:335:86:90:a:b:x:1893456000")
            .file("/var/lib/clamav/own.ndb", "x")
            .process(10, "clamd", "/usr/sbin/clamd")
            .process(11, "clamonacc", "/usr/sbin/clamonacc")
            .process(12, "freshclam", "/usr/bin/freshclam")
            .file("/var/lib/dpkg/status", "Package: x\nVersion: 1\n\nPackage: clamav-daemon\nStatus: install ok installed\nVersion: 1.4.3+dfsg-1~deb12u2\n\n");
        let product = found(os);
        assert_eq!(product.definitions_at, Fact::Known("2024-05-21T08:31:00Z".parse().unwrap()));
        assert_eq!(product.definitions_version, Fact::Known("27282".to_owned()));
        assert_eq!(
            (&product.running, &product.real_time, &product.updater),
            (&Fact::Known(true), &Fact::Known(true), &Fact::Known(true))
        );
        assert_eq!(product.version, Fact::Known("1.4.3+dfsg-1~deb12u2".to_owned()));
    }

    #[test]
    fn headers_are_read_with_care() {
        let older = "ClamAV-VDB:07 Sep 2023 09-34 -0400:27023:2040122:90:md5:dsig:raynman";
        assert_eq!(header(older.as_bytes()).unwrap().built_at.to_string(), "2023-09-07T13:34:00Z");
        assert_eq!(header(DAILY.as_bytes()).unwrap().version, 27282);
        for broken in [
            "",
            "ClamAV-VDB",
            "ClamAV-VDB:x:1",
            "ClamAV-VDB:07 Sep 2023 09-34 -0400:x",
            "ZIP:07 Sep 2023 09-34 -0400:1",
            "ClamAV-VDB:99 Foo 2023:1:2:3:4:5:6:-7",
        ] {
            assert_eq!(header(broken.as_bytes()), None, "{broken}");
        }
        assert_eq!(header(&[0xff; 512]), None);
    }

    #[test]
    fn the_folder_comes_from_the_daemons_configuration() {
        let os = installed()
            .file("/etc/clamd.d/scan.conf", "# comment\r\nDatabaseDirectory \"/srv/clam/\"\r\n")
            .file("/srv/clam/daily.cvd", DAILY);
        assert!(found(os).definitions_at.known().is_some());
        assert!(
            matches!(found(installed()).definitions_at, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing)
        );
        let denied = found(installed().unprivileged().denying("/var/lib/clamav"));
        assert!(
            matches!(denied.definitions_at, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator)
        );
    }

    #[test]
    fn cron_needs_its_daemon_and_a_usable_configuration() {
        let cron =
            installed().file("/etc/cron.d/clamav-update", "0 */3 * * * clamupdate /usr/share/clamav/freshclam-sleep\n");
        let silent = installed().file("/etc/cron.d/clamav-freshclam", "#0 * * * * clamav /usr/bin/freshclam\n");
        assert_eq!(found(silent.process(2, "cron", "/usr/sbin/cron")).updater, Fact::Known(false), "all commented out");
        assert_eq!(found(cron.clone()).updater, Fact::Known(false));
        let runs = cron.process(2, "crond", "/usr/sbin/crond");
        assert_eq!(found(runs.clone()).updater, Fact::Known(true));
        assert_eq!(found(runs.file("/etc/freshclam.conf", "Example\n")).updater, Fact::Known(false));
        let timer = installed().folder("/run/systemd/system").symlink(
            "/etc/systemd/system/timers.target.wants/clamav-freshclam-once.timer",
            "/lib/systemd/system/clamav-freshclam-once.timer",
        );
        assert_eq!(found(timer).updater, Fact::Known(true));
    }

    #[test]
    fn a_machine_without_it_has_no_such_product() {
        assert!(product(&CheckContext::of(Recorded::new())).is_none());
    }
}
