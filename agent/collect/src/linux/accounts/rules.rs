//! Rules for all accounts outside PAM: `login.defs` and the shells' start-up files.

use std::ops::RangeInclusive;

use policies::fact::{Days, Fact, Reason};

use crate::linux::context::{CheckContext, answered, optional, unknown};
use crate::linux::text::lines;
use os::Answer;

/// The range of user ids for people. Of equal keys the last counts.
pub(super) fn ids_of_people(context: &CheckContext) -> RangeInclusive<u32> {
    let text = login_defs(context).unwrap_or_default();
    let number = |key: &str| definition(&text, key).and_then(|value| value.parse().ok());
    number("UID_MIN").unwrap_or(1_000)..=number("UID_MAX").unwrap_or(60_000)
}

/// `PASS_MAX_DAYS`.
pub(super) fn password_max_age(context: &CheckContext) -> Fact<Days> {
    answered(login_defs(context), |text| match definition(&text, "PASS_MAX_DAYS").map(str::parse::<i64>) {
        Some(Ok(days)) if days >= 0 => Fact::Known(Days(days.min(99_999))),
        Some(Err(_)) => Fact::unknown(Reason::Unreadable, "PASS_MAX_DAYS is no number"),
        // Absent or -1: no limit.
        _ => Fact::Known(Days(99_999)),
    })
}

fn login_defs(context: &CheckContext) -> Answer<String> {
    optional(context.text("/etc/login.defs")).transpose().unwrap_or_else(|| context.text("/usr/etc/login.defs"))
}

fn definition<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    lines(text)
        .filter_map(|line| line.split_once(char::is_whitespace))
        .filter(|(name, _)| *name == key)
        .last()
        .map(|(_, value)| value.trim().trim_matches('"'))
}

/// True when domain users may be known here in addition to those in `/etc/passwd`.
pub(super) fn knows_a_domain(context: &CheckContext) -> bool {
    let text = context.text("/etc/nsswitch.conf").unwrap_or_default();
    let sources = lines(&text).find_map(|line| line.strip_prefix("passwd:")).unwrap_or_default();
    let joined = || {
        context.os.exists("/etc/sssd/sssd.conf")
            || context.os.list("/etc/sssd/conf.d").is_ok_and(|names| !names.is_empty())
    };
    sources.split_ascii_whitespace().any(|source| match source {
        "sss" => joined(),
        source => ["ldap", "winbind", "nis", "nisplus", "hesiod", "compat"].contains(&source),
    })
}

/// The start-up files of login shells.
const START_UP_FILES: [&str; 4] = ["/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/profile.d/*.sh"];

/// True when `UMASK` keeps new files private and no start-up file sets a weaker mask.
pub(super) fn private_files(context: &CheckContext) -> Fact<bool> {
    let (definitions, texts) = match (login_defs(context), context.gathered(&START_UP_FILES)) {
        (Ok(definitions), Ok(texts)) => (definitions, texts),
        (Err(error), _) | (_, Err(error)) => return unknown(&error),
    };
    let private =
        |mask: &str| u32::from_str_radix(mask.trim_start_matches("0o"), 8).is_ok_and(|mask| mask & 0o7 == 0o7);
    let by_default = definition(&definitions, "UMASK").is_some_and(private);
    let mut masks =
        texts.iter().flat_map(|text| lines(text)).flat_map(|line| line.split(';')).filter_map(|statement| {
            let mask = statement.trim().strip_prefix("umask ")?.trim();
            mask.starts_with(|character: char| character.is_ascii_digit()).then_some(mask)
        });
    Fact::Known(by_default && masks.all(private))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    #[test]
    fn the_mask_must_hold_everywhere() {
        let private = |definitions: &str, profile: &str| {
            let os = Recorded::new().file("/etc/login.defs", definitions).file("/etc/profile", profile);
            private_files(&CheckContext::of(os))
        };
        assert_eq!(private("UMASK\t\t027\n", ""), Fact::Known(true));
        assert_eq!(private("UMASK 077\r\n", "if true; then\n  umask 022\nfi\n"), Fact::Known(false));
        assert_eq!(private("UMASK 077\n", "umask 0027; umask u=rwx,g=rx,o=\n"), Fact::Known(true));
        assert_eq!(private("UMASK 022\n", "umask 077\n"), Fact::Known(false));
        assert!(private_files(&CheckContext::of(Recorded::new())).known().is_none());
    }

    #[test]
    fn definitions_are_read() {
        let of = |text: &str| Recorded::new().file("/etc/login.defs", text);
        assert_eq!(
            password_max_age(&CheckContext::of(of("#PASS_MAX_DAYS 1\nPASS_MAX_DAYS\t90\n"))),
            Fact::Known(Days(90))
        );
        assert_eq!(
            password_max_age(&CheckContext::of(of("PASS_MAX_DAYS 99999\nPASS_MAX_DAYS 60\n"))),
            Fact::Known(Days(60))
        );
        assert_eq!(password_max_age(&CheckContext::of(of("PASS_MAX_DAYS -1\n"))), Fact::Known(Days(99_999)));
        assert_eq!(password_max_age(&CheckContext::of(of(""))), Fact::Known(Days(99_999)));
        assert!(password_max_age(&CheckContext::of(of("PASS_MAX_DAYS x\n"))).known().is_none());
        assert_eq!(ids_of_people(&CheckContext::of(of("UID_MIN 500\n"))), 500..=60_000);
    }
}
