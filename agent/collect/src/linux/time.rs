//! Section `time`: whether the machine's clock can be trusted in a log.

use policies::fact::{Fact, List, Reason, Time, TimeSource};

use super::context::{CheckContext, answered, found, optional, unknown};
use crate::linux::text::{capped, fits, ini_value, lines};
use os::{Answer, OsError, Program};

pub(super) fn collect(context: &CheckContext) -> Time {
    let source = source(context);
    let tracking = (source == TimeSource::Chrony).then(|| tracking(context));
    let kernel = context.os.kernel_clock();
    Time {
        servers: servers(context, source),
        synchronised: match (&tracking, &kernel) {
            (Some(Ok(tracking)), _) => Fact::Known(tracking.synchronised),
            (_, Ok(clock)) => believed(context, source, clock.synchronised),
            (_, Err(error)) => unknown(error),
        },
        within_a_second: match (&tracking, &kernel) {
            (Some(Ok(tracking)), _) if tracking.synchronised => Fact::Known(tracking.offset.abs() < 1.0),
            (Some(Ok(_)), _) => Fact::unknown(Reason::SourceMissing, "chrony follows no reference that could tell"),
            (_, Ok(clock)) if clock.synchronised && source != TimeSource::None => {
                Fact::Known(clock.offset_us.saturating_abs() < 1_000_000 && clock.error_us < 1_000_000)
            }
            (_, Ok(_)) => Fact::unknown(Reason::SourceMissing, "the clock follows no reference that could tell"),
            (_, Err(error)) => unknown(error),
        },
        source: Fact::Known(source),
        zone: zone(context),
    }
}

/// The kernel's synchronised flag, if it is meaningful for the running service: not all services set it, and it stays for hours
/// after one has stopped.
fn believed(context: &CheckContext, source: TimeSource, mark: bool) -> Fact<bool> {
    let sets_it = match source {
        TimeSource::Timesyncd => true,
        TimeSource::Ntpd => ntpd_sets_the_mark(context),
        _ => false,
    };
    match (source, mark) {
        (TimeSource::None, true) => {
            Fact::unknown(Reason::SourceMissing, "no time service runs, though one kept the clock a while ago")
        }
        (TimeSource::None, false) => Fact::Known(false),
        (_, false) if !sets_it => {
            Fact::unknown(Reason::SourceMissing, "the time service need not mark the clock as kept, and did not answer")
        }
        (_, mark) => Fact::Known(mark),
    }
}

/// True for ntpd and NTPsec, unless they are told to leave the kernel alone; openntpd and ntpd-rs may not set the flag.
fn ntpd_sets_the_mark(context: &CheckContext) -> bool {
    let text = NTPD[..2].iter().find_map(|path| context.text(path).ok());
    let lets = |text: String| {
        !lines(&text).any(|line| line.starts_with("disable") && (line.contains("kernel") || line.contains("ntp")))
    };
    text.is_some_and(lets) && !NTPD[2..].iter().any(|path| context.os.exists(path)) && !context.runs("ntp-daemon")
}

fn source(context: &CheckContext) -> TimeSource {
    match () {
        () if context.runs("chronyd") => TimeSource::Chrony,
        () if context.runs("systemd-timesyncd") => TimeSource::Timesyncd,
        () if context.runs_any(&["ntpd", "ntpsec", "openntpd", "ntpd-rs", "ntp-daemon"]) => TimeSource::Ntpd,
        () => TimeSource::None,
    }
}

/// The clock's state from `chronyc tracking`.
#[derive(Debug, PartialEq)]
struct Tracking {
    synchronised: bool,
    /// Seconds between the clock and its reference.
    offset: f64,
}

fn tracking(context: &CheckContext) -> Answer<Tracking> {
    let output = context.os.run(Program::Chronyc, &["-n", "tracking"])?;
    let path = || Program::Chronyc.paths()[0].to_owned();
    read_tracking(&output.stdout).ok_or_else(|| OsError::Failed(path(), "it printed no tracking".to_owned()))
}

/// `System time     : 0.000012 seconds fast of NTP time`, `Leap status     : Normal`.
fn read_tracking(text: &str) -> Option<Tracking> {
    let field = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
    };
    let offset = field("System time")?.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Tracking { synchronised: field("Leap status")? != "Not synchronised", offset })
}

/// Servers in the configuration of the running service.
fn servers(context: &CheckContext, source: TimeSource) -> Fact<List<String>> {
    let servers = match source {
        TimeSource::Chrony => chrony_servers(context),
        TimeSource::Timesyncd => timesyncd_servers(context),
        TimeSource::Ntpd => ntpd_servers(context),
        _ => Ok(Vec::new()),
    };
    answered(servers, |mut servers| {
        servers.sort_unstable();
        servers.dedup();
        Fact::Known(List::capped(servers))
    })
}

fn named(text: &str) -> Vec<String> {
    lines(text)
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next()?.to_lowercase();
            ["server", "servers", "pool", "peer"].contains(&keyword.as_str()).then(|| words.next().map(capped))?
        })
        .collect()
}

fn chrony_servers(context: &CheckContext) -> Answer<Vec<String>> {
    let path = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"].into_iter().find(|path| context.os.exists(path));
    let mut servers = Vec::new();
    chrony_file(context, path.unwrap_or("/etc/chrony.conf"), 10, &mut servers)?;
    Ok(servers)
}

/// One chrony file with its includes (`chrony.conf(5)`).
fn chrony_file(context: &CheckContext, path: &str, depth: u8, servers: &mut Vec<String>) -> Answer<()> {
    let text = context.text(path)?;
    servers.extend(named(&text));
    for line in lines(&text).filter(|_| depth > 0) {
        let Some((keyword, places)) = line.split_once(char::is_whitespace) else { continue };
        let (suffix, places) = match keyword.to_lowercase().as_str() {
            "confdir" => (".conf", places),
            "sourcedir" => (".sources", places),
            "include" => {
                let (folder, pattern) = places.trim().rsplit_once('/').unwrap_or(("", places.trim()));
                let names = context.os.list(folder).unwrap_or_default();
                for name in names.iter().filter(|name| fits(pattern, name)) {
                    chrony_file(context, &format!("{folder}/{name}"), depth - 1, servers)?;
                }
                continue;
            }
            _ => continue,
        };
        // Of files with the same name in several folders, the first is read.
        let mut seen = Vec::new();
        for folder in places.split_ascii_whitespace().map(|folder| folder.trim_end_matches('/')) {
            for (name, _) in context.texts(folder, suffix)? {
                if !seen.contains(&name) {
                    chrony_file(context, &format!("{folder}/{name}"), depth - 1, servers)?;
                    seen.push(name);
                }
            }
        }
    }
    Ok(())
}

/// `NTP=` in the file and its drop-ins, else `FallbackNTP=`, which the service then uses.
fn timesyncd_servers(context: &CheckContext) -> Answer<Vec<String>> {
    let texts = context.gathered(&[
        "/etc/systemd/timesyncd.conf",
        "/usr/lib/systemd/timesyncd.conf.d/*.conf",
        "/etc/systemd/timesyncd.conf.d/*.conf",
        "/run/systemd/timesyncd.conf.d/*.conf",
    ])?;
    let said = |key: &str| {
        let last = texts.iter().rev().find_map(|text| ini_value(text, "time", key));
        last.map(|value| value.split_ascii_whitespace().map(capped).collect::<Vec<_>>()).unwrap_or_default()
    };
    let set = said("ntp");
    Ok(if set.is_empty() { said("fallbackntp") } else { set })
}

/// Configuration of ntpd: NTPsec and ntpd, then openntpd.
const NTPD: [&str; 4] = ["/etc/ntpsec/ntp.conf", "/etc/ntp.conf", "/etc/openntpd/ntpd.conf", "/etc/ntpd.conf"];

fn ntpd_servers(context: &CheckContext) -> Answer<Vec<String>> {
    let text = NTPD.iter().find_map(|path| optional(context.text(path)).transpose());
    text.unwrap_or_else(|| Err(OsError::Missing(NTPD[0].to_owned()))).map(|text| named(&text))
}

/// The time zone from the link `/etc/localtime`, else from the name that Debian stores next to it.
fn zone(context: &CheckContext) -> Fact<String> {
    let linked = context.os.link("/etc/localtime").ok().and_then(|target| {
        let (_, name) = target.split_once("zoneinfo/")?;
        let name = name.strip_prefix("posix/").or_else(|| name.strip_prefix("right/")).unwrap_or(name);
        Some(capped(name))
    });
    found(linked.or_else(|| context.line("/etc/timezone")), "neither /etc/localtime nor /etc/timezone names a zone")
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::KernelClock;
    use os::recorded::Recorded;

    fn collected(os: Recorded) -> Time {
        collect(&CheckContext::of(os))
    }

    const TRACKING: &str = "Reference ID    : CB4B4D01 (203.113.174.1)\nStratum         : 3\nRef time (UTC)  : Fri May 24 02:11:08 2024\n\
        System time     : 0.000123456 seconds slow of NTP time\nLast offset     : +0.000056789 seconds\nLeap status     : Normal\n";

    #[test]
    fn chrony_tells_how_far_off_it_is() {
        let mut os = Recorded::new()
            .process(500, "chronyd", "/usr/sbin/chronyd")
            .answering(Program::Chronyc, &["-n", "tracking"], 0, TRACKING)
            .file(
                "/etc/chrony/chrony.conf",
                "confdir /etc/chrony/conf.d\nsourcedir /run/chrony-dhcp\npool 2.debian.pool.ntp.org iburst\n",
            )
            .file("/etc/chrony/conf.d/xa.conf", "server 10.0.0.1\r\n")
            .symlink("/etc/localtime", "/usr/share/zoneinfo/Asia/Ho_Chi_Minh");
        os.kernel_clock = Some(KernelClock { synchronised: true, offset_us: 0, error_us: 16_000_000 });
        let time = collected(os);
        assert_eq!(time.source, Fact::Known(TimeSource::Chrony));
        assert_eq!(time.servers.known().unwrap().items, ["10.0.0.1", "2.debian.pool.ntp.org"]);
        assert_eq!((time.synchronised, time.within_a_second), (Fact::Known(true), Fact::Known(true)));
        assert_eq!(time.zone, Fact::Known("Asia/Ho_Chi_Minh".to_owned()));
        assert_eq!(read_tracking(&TRACKING.replace("0.000123456", "3.2")).map(|tracking| tracking.offset), Some(3.2));
        for broken in ["", "System time", "System time : x\nLeap status : Normal", "506 Cannot talk to daemon\n"] {
            assert_eq!(read_tracking(broken), None);
        }
    }

    fn marked(synchronised: bool, os: Recorded) -> Recorded {
        let kernel_clock = Some(KernelClock { synchronised, offset_us: 0, error_us: 0 });
        Recorded { kernel_clock, ..os }
    }

    #[test]
    fn chrony_is_believed_before_the_kernel() {
        let chrony = |said: &str| {
            Recorded::new().process(500, "chronyd", "/usr/sbin/chronyd").answering(
                Program::Chronyc,
                &["-n", "tracking"],
                0,
                said,
            )
        };
        let normal = collected(marked(false, chrony(TRACKING)));
        assert_eq!((normal.synchronised, normal.within_a_second), (Fact::Known(true), Fact::Known(true)));
        let lost = collected(marked(true, chrony(&TRACKING.replace("Normal", "Not synchronised"))));
        assert_eq!(lost.synchronised, Fact::Known(false));
        assert!(lost.within_a_second.known().is_none());
        let silent = "506 Cannot talk to daemon\n";
        assert!(collected(marked(false, chrony(silent))).synchronised.known().is_none());
        assert_eq!(collected(marked(true, chrony(silent))).synchronised, Fact::Known(true));
    }

    #[test]
    fn the_kernels_mark_tells_of_the_services_that_set_it() {
        let of = |mark: bool, os: Recorded| collected(marked(mark, os)).synchronised.known().copied();
        let ntpd = || Recorded::new().process(500, "ntpd", "/usr/sbin/ntpd");
        assert_eq!(of(false, ntpd().file("/etc/ntpsec/ntp.conf", "pool 0.debian.pool.ntp.org\n")), Some(false));
        assert_eq!(of(false, ntpd().file("/etc/ntp.conf", "disable kernel\n")), None);
        assert_eq!(of(false, ntpd().file("/etc/openntpd/ntpd.conf", "servers pool.ntp.org\n")), None);
        assert_eq!(of(true, ntpd().file("/etc/openntpd/ntpd.conf", "servers pool.ntp.org\n")), Some(true));
        let timesyncd = || Recorded::new().process(300, "systemd-timesyn", "/usr/lib/systemd/systemd-timesyncd");
        assert_eq!((of(false, timesyncd()), of(true, timesyncd())), (Some(false), Some(true)));
        let stopped = Recorded::new().file("/etc/systemd/timesyncd.conf", "[Time]\nNTP=10.0.0.1\n");
        assert_eq!((of(true, stopped.clone()), of(false, stopped)), (None, Some(false)));
    }

    #[test]
    fn files_that_chrony_draws_in_count() {
        let os = Recorded::new()
            .process(500, "chronyd", "/usr/sbin/chronyd")
            .file("/etc/chrony.conf", "server 10.0.0.1\ninclude /etc/chrony.d/*.conf\ninclude /etc/loop.conf\n")
            .file("/etc/chrony.d/xa.conf", "server 10.0.0.2\nconfdir /etc/one /etc/two\n")
            .file("/etc/chrony.d/xa.bak", "server 10.0.0.9\n")
            .file("/etc/one/a.conf", "pool 10.0.0.3\n")
            .file("/etc/two/a.conf", "pool 10.0.0.8\n")
            .file("/etc/two/b.conf", "peer 10.0.0.4\n")
            .file("/etc/loop.conf", "include /etc/loop.conf\n");
        let expected = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
        assert_eq!(collected(os).servers.known().unwrap().items, expected);
    }

    #[test]
    fn timesyncd_falls_back_to_its_own_servers() {
        let os = Recorded::new().process(300, "systemd-timesyn", "/usr/lib/systemd/systemd-timesyncd").file(
            "/etc/systemd/timesyncd.conf",
            "[Time]\n#NTP=\nFallbackNTP=0.debian.pool.ntp.org 1.debian.pool.ntp.org\n",
        );
        assert_eq!(collected(os.clone()).servers.known().unwrap().items.len(), 2);
        let set = os.file("/etc/systemd/timesyncd.conf.d/xa.conf", "[Time]\nNTP=10.0.0.1\n");
        let time = collected(set);
        assert_eq!(time.servers.known().unwrap().items, ["10.0.0.1"]);
        assert_eq!(time.source, Fact::Known(TimeSource::Timesyncd));
    }

    #[test]
    fn a_clock_that_follows_nothing_is_not_said_to_be_right() {
        let mut os = Recorded::new();
        os.kernel_clock = Some(KernelClock { synchronised: false, offset_us: 0, error_us: 0 });
        let time = collected(os);
        assert_eq!((time.source, time.synchronised), (Fact::Known(TimeSource::None), Fact::Known(false)));
        assert!(time.within_a_second.known().is_none() && time.zone.known().is_none());
        assert_eq!(time.servers, Fact::Known(List::default()));
    }
}
