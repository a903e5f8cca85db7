//! Failed logons in the journal: messages of sshd and pam_unix, which are not translated.
//!
//! Only messages from root's processes count: everyone may write to the journal.

use policies::fact::LogonWay;
use serde_json::Value;

use super::Entry;
use crate::linux::context::CheckContext;
use crate::linux::remote::ssh;
use crate::logons::{Attempt, MOST, since, source};
use os::{Answer, OsError, Program};

/// Messages of sshd, and of pam_unix for all other ways in.
const WORDS: &str = r"--grep=^Failed (password|keyboard-interactive)|^pam_unix\([^)]+:auth\): authentication failure;";
/// Services that ask somebody already logged in, and sshd, which writes its own messages.
const INSIDE: &str = "sshd su su-l sudo sudo-i polkit-1 passwd chsh chfn cinnamon-screensaver mate-screensaver xscreensaver kde kscreensaver";

/// The attempts of the last days, newest first, and whether there may be more.
pub(super) fn attempts(context: &CheckContext, passwd: &[Entry]) -> Answer<(Vec<Attempt>, bool)> {
    if !context.os.administrator() {
        return Err(OsError::Denied("/var/log/journal".to_owned()));
    }
    if !["/var/log/journal", "/run/log/journal"].iter().any(|folder| context.os.exists(folder)) {
        return Err(OsError::Missing("/var/log/journal".to_owned()));
    }
    let start = since(context.now).as_second();
    let (from, most, until) = (format!("--since=@{start}"), format!("-n{MOST}"), format!("--until=@{start}"));
    let ask = |more: &[&str]| {
        let mut arguments = vec!["-q", "--no-pager", "-o", "json", "--output-fields=MESSAGE,_UID", "-r"];
        arguments.extend(more);
        let output = context.os.run(Program::Journalctl, &arguments)?;
        match output.status {
            // Its exit status is 1 when it finds nothing.
            Some(0) | Some(1) if output.stderr.is_empty() => Ok(output),
            _ => {
                let said = output.stderr.lines().next().unwrap_or("journalctl").to_owned();
                Err(OsError::Failed("/var/log/journal".to_owned(), said))
            }
        }
    };
    let found = ask(&[&from, &most, WORDS, "SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10"])?;
    // Checks that it reaches back that far.
    let earlier = ask(&[&until, "-n1"])?;
    let more = found.cut || earlier.stdout.is_empty() || !ssh::answers(context).logs_failures();
    let lines = || found.stdout.lines().filter(|line| !line.is_empty());
    Ok((lines().filter_map(|line| attempt(line, passwd)).collect(), more || lines().count() >= MOST))
}

fn attempt(line: &str, passwd: &[Entry]) -> Option<Attempt> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let micros: i64 = entry.get("__REALTIME_TIMESTAMP")?.as_str()?.parse().ok()?;
    if entry.get("_UID")?.as_str()? != "0" {
        return None;
    }
    let (name, from) = said(entry.get("MESSAGE")?.as_str()?)?;
    let source = source(from);
    Some(Attempt {
        at: jiff::Timestamp::from_microsecond(micros).ok()?,
        account: passwd.iter().find(|entry| entry.name == name).map(|entry| entry.name.clone()).unwrap_or_default(),
        way: if source.is_empty() { LogonWay::Local } else { LogonWay::Network },
        source,
    })
}

/// The account that was tried, if it exists, and from where.
fn said(message: &str) -> Option<(&str, &str)> {
    if let Some(rest) = message.strip_prefix("Failed ") {
        let (_, rest) = rest.split_once(" for ")?;
        // A name may contain anything, even the words that follow it.
        let (name, place) = rest.rsplit_once(" from ")?;
        return Some((name, place.split_once(" port ")?.0));
    }
    let (service, rest) = message.strip_prefix("pam_unix(")?.split_once(":auth): authentication failure;")?;
    let value = |key: &str| rest.split_ascii_whitespace().find_map(|word| word.strip_prefix(key)).unwrap_or_default();
    (!INSIDE.split(' ').any(|inside| inside == service)).then(|| (value("user="), value("rhost=")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use os::recorded::Recorded;

    const NOW: &str = "2026-11-22T03:20:00Z";

    fn machine(found: &str, earlier: &str) -> Recorded {
        let fixed = ["-q", "--no-pager", "-o", "json", "--output-fields=MESSAGE,_UID", "-r"];
        let first = ["--since=@1794711600", "-n2000", WORDS, "SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10"];
        let second = ["--until=@1794711600", "-n1"];
        let arguments = |more: &[&'static str]| [&fixed[..], more].concat();
        Recorded::new()
            .folder("/var/log/journal")
            .answering(Program::Journalctl, &arguments(&first), i32::from(found.is_empty()), found)
            .answering(Program::Journalctl, &arguments(&second), 0, earlier)
    }

    fn line(uid: u32, message: &str) -> String {
        format!("{{\"__REALTIME_TIMESTAMP\":\"1795312800000000\",\"_UID\":\"{uid}\",\"MESSAGE\":\"{message}\"}}\n")
    }

    fn heard(os: Recorded) -> Answer<(Vec<Attempt>, bool)> {
        let passwd = super::super::entries("root:x:0:0::/root:/bin/sh\ncanbo:x:1000:1000::/home/canbo:/bin/sh\n");
        attempts(&CheckContext::new(Arc::new(os), NOW.parse().unwrap()), &passwd)
    }

    #[test]
    fn wrong_passwords_are_heard_from_root_alone() {
        let text = [
            line(0, "Failed password for canbo from 10.0.0.5 port 40000 ssh2"),
            line(0, "Failed password for invalid user MatKhau@1 from 10.0.0.6 port 40001 ssh2"),
            line(0, "Failed keyboard-interactive/pam for root from 1.2.3.4 from 2001:db8::7 port 40001 ssh2"),
            line(
                0,
                "pam_unix(gdm-password:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=canbo",
            ),
            line(
                0,
                "pam_unix(sudo:auth): authentication failure; logname= uid=1000 euid=0 tty=/dev/pts/0 ruser=canbo rhost=  user=canbo",
            ),
            line(
                0,
                "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.5  user=canbo",
            ),
            line(1000, "Failed password for root from 10.0.0.7 port 40000 ssh2"),
            "{}\nx\n".to_owned(),
        ];
        let (attempts, more) = heard(machine(&text.concat(), "{}\n")).unwrap();
        let shown: Vec<_> =
            attempts.iter().map(|attempt| (attempt.account.as_str(), attempt.source.as_str(), attempt.way)).collect();
        let network = LogonWay::Network;
        assert_eq!(
            shown,
            [
                ("canbo", "10.0.0.5", network),
                ("", "10.0.0.6", network),
                ("", "2001:db8::7", network),
                ("canbo", "", LogonWay::Local)
            ]
        );
        assert!(!more);
    }

    #[test]
    fn a_journal_that_does_not_reach_back_says_so() {
        assert_eq!(heard(machine("", "{}\n")), Ok((Vec::new(), false)));
        assert_eq!(heard(machine("", "")), Ok((Vec::new(), true)));
        assert!(matches!(heard(machine("", "").unprivileged()), Err(OsError::Denied(_))));
        assert!(matches!(heard(Recorded::new()), Err(OsError::Missing(_))));
    }
}
