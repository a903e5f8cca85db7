//! Section `logging`: whether events on the machine are logged and kept.

use policies::fact::{Days, Fact, Logging, Reason};

use super::context::{CheckContext, WINDOWS_ONLY, unknown};
use crate::linux::text::{capped, ini_value, lines};
use os::{Answer, OsError};

mod oldest;
mod rotation;

pub(super) fn collect(context: &CheckContext) -> Logging {
    if context.processes().is_empty() {
        return Logging::unknown(Reason::Unreadable, "/proc shows no process");
    }
    let running = Running::find(context);
    let storage = journal_storage(context);
    let persistent_journal = storage.clone().map(|storage| running.journald && storage);
    Logging {
        services: Fact::Known(running.names().collect()),
        running: Fact::Known(running.journald || running.syslog),
        kept: kept(context, &running, &persistent_journal),
        oldest_at: oldest::oldest(context),
        persistent: match persistent_journal {
            _ if running.syslog && rotation::LOGS.iter().any(|path| context.os.exists(path)) => Fact::Known(true),
            other => other,
        },
        forwarded: forwarded(context, &running),
        audit: Fact::Known(running.auditd),
        ..Logging::unknown(Reason::NoReader, WINDOWS_ONLY)
    }
}

/// Which log services are running.
struct Running {
    journald: bool,
    rsyslog: bool,
    /// Any service that writes text files under `/var/log`.
    syslog: bool,
    syslog_ng: bool,
    auditd: bool,
}

impl Running {
    fn find(context: &CheckContext) -> Self {
        let (rsyslog, syslog_ng) = (context.runs("rsyslogd"), context.runs("syslog-ng"));
        Self {
            journald: context.runs("systemd-journald"),
            rsyslog,
            syslog: rsyslog || syslog_ng || context.runs("syslogd"),
            syslog_ng,
            auditd: context.runs("auditd"),
        }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let other = self.syslog && !self.rsyslog && !self.syslog_ng;
        [
            ("auditd", self.auditd),
            ("journald", self.journald),
            ("rsyslog", self.rsyslog),
            ("syslog-ng", self.syslog_ng),
            ("syslogd", other),
        ]
        .into_iter()
        .filter(|(_, runs)| *runs)
        .map(|(name, _)| name.to_owned())
    }
}

/// The journal's configuration: the file and its drop-ins, the last one winning.
fn journald_setting(context: &CheckContext, key: &str) -> Answer<Option<String>> {
    let texts = context.gathered(&[
        "/usr/lib/systemd/journald.conf",
        "/etc/systemd/journald.conf",
        "/usr/lib/systemd/journald.conf.d/*.conf",
        "/etc/systemd/journald.conf.d/*.conf",
        "/run/systemd/journald.conf.d/*.conf",
    ])?;
    Ok(texts.iter().rev().find_map(|text| ini_value(text, "journal", key)))
}

/// True when the journal is written to disk.
fn journal_storage(context: &CheckContext) -> Fact<bool> {
    match journald_setting(context, "storage") {
        Ok(storage) => Fact::Known(match storage.as_deref() {
            Some("persistent") => true,
            Some("volatile" | "none") => false,
            // `auto`, the default: on disk where the folder exists.
            _ => context.os.exists("/var/log/journal"),
        }),
        Err(error) => unknown(&error),
    }
}

/// The longest time that any configuration guarantees.
fn kept(context: &CheckContext, running: &Running, persistent_journal: &Fact<bool>) -> Fact<Days> {
    let journal = match persistent_journal {
        Fact::Known(true) => {
            journald_setting(context, "maxretentionsec").ok().flatten().and_then(|text| rotation::days(&text))
        }
        _ => None,
    };
    let files = if running.syslog { rotation::kept(context) } else { Ok(None) };
    match (journal, files) {
        (journal, Ok(files)) => match journal.max(files) {
            Some(days) => Fact::Known(Days(days)),
            None => Fact::unknown(Reason::SourceMissing, "no configuration limits logs by time"),
        },
        (Some(days), Err(_)) => Fact::Known(Days(days)),
        (None, Err(error)) => unknown(&error),
    }
}

/// Log shippers whose own settings the agent does not read.
const CARRIERS: &str = "filebeat fluent-bit fluentd td-agent promtail alloy vector nxlog splunkd wazuh-agentd ossec-agentd elastic-agent \
    otelcol";

fn forwarded(context: &CheckContext, running: &Running) -> Fact<bool> {
    let sent = || -> Answer<bool> {
        let mut texts = Vec::new();
        if running.rsyslog {
            texts.push(context.text("/etc/rsyslog.conf")?);
            texts.extend(context.gathered(&["/etc/rsyslog.d/*.conf"])?);
        }
        let by_rsyslog = texts.iter().any(|text| rsyslog_forwards(text));
        let by_syslog_ng = running.syslog_ng && syslog_ng_forwards(&context.text("/etc/syslog-ng/syslog-ng.conf")?);
        Ok(by_rsyslog || by_syslog_ng || context.unit_active("systemd-journal-upload.service"))
    };
    match sent() {
        Ok(true) => Fact::Known(true),
        Ok(false) => match CARRIERS.split(' ').find(|name| context.runs(name)) {
            Some(name) => Fact::unknown(Reason::NoReader, format!("{name} runs")),
            None => Fact::Known(false),
        },
        Err(error) => unknown(&error),
    }
}

/// `*.* @host`, `*.* @@host:port`, `action(type="omfwd" ...)`.
fn rsyslog_forwards(text: &str) -> bool {
    lines(text).any(|line| {
        let compact: String = line.to_lowercase().split_whitespace().collect();
        let action = compact.contains("type=\"omfwd\"") || compact.contains("type=\"omrelp\"");
        let classic =
            line.split_ascii_whitespace().last().is_some_and(|target| target.trim_start_matches('-').starts_with('@'));
        action || classic
    })
}

fn syslog_ng_forwards(text: &str) -> bool {
    lines(text).any(|line| {
        let line = line.to_lowercase();
        ["network(", "tcp(", "udp(", "syslog("]
            .iter()
            .any(|driver| line.contains(driver) && (line.contains("destination") || !line.contains("source")))
    })
}

/// Details for a fact, from an error reading a log.
fn described(error: &OsError) -> String {
    capped(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    fn collected(os: Recorded) -> Logging {
        collect(&CheckContext::of(os))
    }

    fn journald() -> Recorded {
        Recorded::new().process(300, "systemd-journal", "/usr/lib/systemd/systemd-journald")
    }

    #[test]
    fn debian_12_keeps_its_journal_where_the_folder_exists() {
        let volatile = collected(journald().file("/etc/systemd/journald.conf", "[Journal]\n#Storage=auto\n"));
        assert_eq!((volatile.running, volatile.persistent), (Fact::Known(true), Fact::Known(false)));
        let kept = collected(journald().folder("/var/log/journal"));
        assert_eq!(kept.persistent, Fact::Known(true));
        assert!(matches!(kept.kept, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        let limited = journald()
            .folder("/var/log/journal")
            .file("/etc/systemd/journald.conf.d/xa.conf", "[Journal]\r\nMaxRetentionSec=90day\r\n");
        assert_eq!(collected(limited).kept, Fact::Known(Days(90)));
    }

    #[test]
    fn rsyslog_with_logrotate_and_a_central_server() {
        let os = journald()
            .process(400, "rsyslogd", "/usr/sbin/rsyslogd")
            .process(401, "auditd", "/usr/sbin/auditd")
            .file("/var/log/syslog", "")
            .file("/etc/rsyslog.conf", "module(load=\"imuxsock\")\n#*.* @10.0.0.9\n")
            .file("/etc/rsyslog.d/90-xa.conf", "*.* action( type = \"omfwd\" target=\"10.0.0.9\")\n")
            .file("/usr/sbin/logrotate", "")
            .file("/etc/logrotate.conf", "weekly\nrotate 4\ninclude /etc/logrotate.d\n")
            .file(
                "/etc/logrotate.d/rsyslog",
                "/var/log/syslog\n/var/log/auth.log\n{\n  rotate 8\n  weekly\n  missingok\n}\n",
            );
        let logging = collected(os);
        assert_eq!(logging.services.known().unwrap().items, ["auditd", "journald", "rsyslog"]);
        assert_eq!((logging.persistent, logging.forwarded), (Fact::Known(true), Fact::Known(true)));
        assert_eq!((logging.kept, logging.audit), (Fact::Known(Days(56)), Fact::Known(true)));
        assert!(rsyslog_forwards("*.*\t@@log.tinh.vn:6514\n") && !rsyslog_forwards("mail.* -/var/log/mail.log\n"));
    }

    #[test]
    fn a_carrier_that_is_not_read_leaves_it_open() {
        let logging = collected(journald().process(9, "filebeat", ""));
        assert!(matches!(logging.forwarded, Fact::Unknown(unknown) if unknown.reason == Reason::NoReader));
        assert_eq!(collected(journald()).forwarded, Fact::Known(false));
    }

    #[test]
    fn nothing_that_runs_logs_nothing() {
        let logging = collected(Recorded::new().process(1, "init", "/sbin/init"));
        assert_eq!((logging.running, logging.persistent), (Fact::Known(false), Fact::Known(false)));
        assert!(collected(Recorded::new()).running.known().is_none());
    }
}
