//! How long log files are kept: logrotate's settings for the system's main log, and journald's time limits.

use crate::linux::context::{CheckContext, optional};
use crate::linux::text::{fits, lines};
use os::Answer;

/// The system's main log file, by family.
pub(super) const LOGS: [&str; 2] = ["/var/log/syslog", "/var/log/messages"];

/// Name endings that logrotate ignores (logrotate(8), `tabooext`): leftovers of editors and packages.
const TABOO: &str =
    ".bak .cfsaved .disabled .dpkg-bak .dpkg-del .dpkg-dist .dpkg-new .dpkg-old .dpkg-tmp .rpmnew .rpmsave ~";

/// Days that logrotate keeps the main log; `None` when there is no time limit.
pub(super) fn kept(context: &CheckContext) -> Answer<Option<i64>> {
    if !context.os.exists("/usr/sbin/logrotate") {
        return Ok(None);
    }
    let global = optional(context.text("/etc/logrotate.conf"))?.unwrap_or_default();
    let mut texts = vec![without_scripts(&global)];
    let own = context.texts("/etc/logrotate.d", "")?;
    let read = own.iter().filter(|(name, _)| !TABOO.split(' ').any(|taboo| name.ends_with(taboo)));
    texts.extend(read.map(|(_, text)| without_scripts(text)));
    let defaults = Rotation::default().with(outside(&texts[0]));
    let found = texts.iter().find_map(|text| block(text)).map(|inside| defaults.with(inside));
    Ok(found.and_then(Rotation::days))
}

/// Settings from a set of logrotate directives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rotation {
    count: Option<i64>,
    period: Option<i64>,
    oldest: Option<i64>,
    by_size: bool,
}

impl Rotation {
    fn with<'a>(mut self, directives: impl Iterator<Item = &'a str>) -> Self {
        for line in directives {
            let mut words = line
                .split(|character: char| character.is_whitespace() || character == '=')
                .filter(|word| !word.is_empty());
            let number = |words: &mut dyn Iterator<Item = &'a str>| words.next().and_then(|word| word.parse().ok());
            match words.next() {
                Some("rotate") => self.count = number(&mut words),
                Some("maxage") => self.oldest = number(&mut words),
                Some("hourly" | "daily") => self.period = Some(1),
                Some("weekly") => self.period = Some(7),
                Some("monthly") => self.period = Some(30),
                Some("yearly") => self.period = Some(365),
                // Rotated by size: how long that takes is unknown.
                Some("size" | "maxsize") => self.by_size = true,
                _ => {}
            }
        }
        self
    }

    fn days(self) -> Option<i64> {
        let rotated = self.count?.checked_mul(self.period?)?;
        match (self.by_size, self.count) {
            (true, _) | (_, Some(..0)) => None,
            _ => Some(self.oldest.map_or(rotated, |oldest| oldest.min(rotated))),
        }
    }
}

/// The text without embedded scripts, which may contain braces.
fn without_scripts(text: &str) -> String {
    let mut script = false;
    let mut kept = String::new();
    for line in text.lines() {
        match line.trim() {
            "prerotate" | "postrotate" | "firstaction" | "lastaction" | "preremove" => script = true,
            "endscript" => script = false,
            _ if !script => {
                kept.push_str(line);
                kept.push('\n');
            }
            _ => {}
        }
    }
    kept
}

/// Directives outside any block.
fn outside(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    lines(text).filter(move |line| {
        let was = depth;
        depth += line.matches('{').count();
        depth = depth.saturating_sub(line.matches('}').count());
        was == 0 && depth == 0
    })
}

/// The directives of the block that rotates the main log.
fn block(text: &str) -> Option<impl Iterator<Item = &str>> {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, behind) = after.split_once('}')?;
        let heading = before.rsplit('}').next().unwrap_or_default();
        let meant = |pattern: &str| LOGS.iter().any(|log| fits(pattern, log));
        if heading.split_whitespace().any(|path| meant(path.trim_matches('"'))) {
            return Some(lines(inside));
        }
        rest = behind;
    }
    None
}

/// A systemd time span (`90day`, `3month`, `1y`, plain seconds) in whole days; `None` for 0, which means no limit.
pub(super) fn days(text: &str) -> Option<i64> {
    let (mut seconds, mut rest) = (0_f64, text.trim());
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|character: char| !character.is_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" | "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            "M" | "month" | "months" => 2_629_800.0,
            "y" | "year" | "years" => 31_557_600.0,
            _ => return None,
        };
        seconds += number * unit;
        rest = rest[letters..].trim_start();
    }
    #[expect(clippy::cast_possible_truncation, reason = "a float turned into a whole number stops at the largest one")]
    let days = (seconds / 86_400.0) as i64;
    (seconds > 0.0).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    fn kept_by(global: &str, own: &str) -> Option<i64> {
        let os = Recorded::new()
            .file("/usr/sbin/logrotate", "")
            .file("/etc/logrotate.conf", global)
            .file("/etc/logrotate.d/rsyslog", own);
        kept(&CheckContext::of(os)).unwrap()
    }

    #[test]
    fn the_blocks_of_the_distributions_are_read() {
        let debian = "/var/log/syslog\n/var/log/mail.log\n{\n\trotate 4\n\tweekly\n\tmissingok\n\tpostrotate\n\t\t/usr/lib/rsyslog/rsyslog-rotate\n\tendscript\n}\n";
        assert_eq!(kept_by("weekly\nrotate 4\n", debian), Some(28));
        let red_hat = "/var/log/cron\n/var/log/messages\n{\n    missingok\n    sharedscripts\n}\n";
        assert_eq!(kept_by("# see man\r\nweekly\r\nrotate 9\r\ncreate\r\n", red_hat), Some(63));
        assert_eq!(kept_by("", "/var/log/syslog { daily\n rotate 90\n maxage 30\n }"), Some(30));
        assert_eq!(kept_by("weekly\nrotate 4\n", "/var/log/syslog { size 10M\n rotate 9 \n }"), None);
        assert_eq!(
            kept_by("weekly\nrotate 4\n/var/log/wtmp {\n monthly\n rotate 1\n}\n", "/var/log/other { rotate 1 }"),
            None
        );
        for broken in [
            "",
            "{",
            "}",
            "/var/log/syslog {",
            "/var/log/syslog { rotate x\n daily }",
            "/var/log/syslog {\nrotate -1\ndaily\n}",
        ] {
            assert_eq!(kept_by("", broken), None, "{broken}");
        }
    }

    #[test]
    fn scripts_patterns_and_files_left_behind_are_told_apart() {
        let script = "/var/log/syslog {\n weekly\n postrotate\n  if true; then { :; }; fi\n endscript\n rotate 52\n}\n";
        assert_eq!(kept_by("", script), Some(364));
        assert_eq!(kept_by("", "/var/log/sys* {\n monthly\n rotate 12\n}\n"), Some(360));
        let os = Recorded::new()
            .file("/usr/sbin/logrotate", "")
            .file("/etc/logrotate.d/aaa.dpkg-old", "/var/log/syslog {\n weekly\n rotate 52\n}\n")
            .file("/etc/logrotate.d/rsyslog", "/var/log/syslog {\n weekly\n rotate 4\n}\n");
        assert_eq!(kept(&CheckContext::of(os)), Ok(Some(28)));
    }

    #[test]
    fn spans_of_time_are_read() {
        assert_eq!(days("90day"), Some(90));
        assert_eq!(days("1month 2w"), Some(44));
        assert_eq!(days("2592000"), Some(30));
        assert_eq!(days("1y"), Some(365));
        for none in ["0", "", "x", "5 parsecs", "ngày"] {
            assert_eq!(days(none), None, "{none}");
        }
    }
}
