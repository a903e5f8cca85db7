//! Rules for all accounts outside PAM: `login.defs` and the shells' start-up files.

use std::ops::RangeInclusive;

use policies::fact::{Days, Fact, Reason, Seconds};

use crate::collect::linux::scene::{Scene, unknown};
use crate::collect::linux::text::lines;
use crate::os::{Answer, OsError};

/// The numbers that accounts of people get.
pub(super) fn ids_of_people(scene: &Scene) -> RangeInclusive<u32> {
    let text = login_defs(scene).unwrap_or_default();
    let number = |key: &str| definition(&text, key).and_then(|value| value.parse().ok());
    number("UID_MIN").unwrap_or(1_000)..=number("UID_MAX").unwrap_or(60_000)
}

/// `PASS_MAX_DAYS`.
pub(super) fn password_max_age(scene: &Scene) -> Fact<Days> {
    match login_defs(scene) {
        Ok(text) => match definition(&text, "PASS_MAX_DAYS").map(str::parse::<i64>) {
            Some(Ok(days)) if days >= 0 => Fact::Known(Days(days.min(99_999))),
            Some(Err(_)) => Fact::unknown(Reason::Unreadable, "PASS_MAX_DAYS is no number"),
            // Absent or -1: no limit.
            _ => Fact::Known(Days(99_999)),
        },
        Err(error) => unknown(&error),
    }
}

fn login_defs(scene: &Scene) -> Answer<String> {
    match scene.text("/etc/login.defs") {
        Err(OsError::Missing(_)) => scene.text("/usr/etc/login.defs"),
        answer => answer,
    }
}

fn definition<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    lines(text)
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.trim())
}

/// The start-up files of login shells, those that exist.
fn start_up_files(scene: &Scene) -> Answer<Vec<String>> {
    let mut texts = Vec::new();
    for path in ["/etc/profile", "/etc/bash.bashrc", "/etc/bashrc"] {
        match scene.text(path) {
            Ok(text) => texts.push(text),
            Err(OsError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    texts.extend(scene.texts("/etc/profile.d", ".sh")?.into_iter().map(|(_, text)| text));
    Ok(texts)
}

/// `TMOUT=900`, with `readonly`, `export`, `declare` or `typeset` before it. The first read-only value stays, else the last.
pub(super) fn shell_timeout(scene: &Scene) -> Fact<Seconds> {
    let texts = match start_up_files(scene) {
        Ok(texts) => texts,
        Err(error) => return unknown(&error),
    };
    let mut value = 0;
    let mut fixed = false;
    for line in texts.iter().flat_map(|text| lines(text)) {
        for statement in line.split(';').map(str::trim) {
            fixed |= statement.starts_with("readonly") && statement.contains("TMOUT") && value > 0;
            let Some((before, after)) = statement.split_once("TMOUT=") else { continue };
            if before.contains('#') || !before.is_empty() && !before.ends_with(char::is_whitespace) {
                continue;
            }
            let digits: String = after.trim_start_matches('"').chars().take_while(char::is_ascii_digit).collect();
            if let Ok(seconds) = digits.parse()
                && !fixed
            {
                value = seconds;
                fixed = before.contains("readonly")
                    || before.split_whitespace().any(|flag| flag.starts_with('-') && flag.contains('r'));
            }
        }
    }
    Fact::Known(Seconds(value))
}

/// True when `UMASK` keeps new files from others and no start-up file sets a mask that does not.
pub(super) fn private_files(scene: &Scene) -> Fact<bool> {
    let (definitions, texts) = match (login_defs(scene), start_up_files(scene)) {
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
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    fn scene(os: Recorded) -> Scene {
        Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)
    }

    fn timeout(text: &str) -> i64 {
        shell_timeout(&scene(Recorded::new().file("/etc/profile.d/tmout.sh", text))).known().unwrap().0
    }

    #[test]
    fn the_ways_of_setting_a_timeout_are_read() {
        assert_eq!(timeout("TMOUT=900\r\nreadonly TMOUT\r\nexport TMOUT\r\n"), 900);
        assert_eq!(timeout("declare -xr TMOUT=600\nTMOUT=0\n"), 600);
        assert_eq!(timeout("TMOUT=900; readonly TMOUT; TMOUT=5"), 900);
        assert_eq!(timeout("export TMOUT=\"300\"\nTMOUT=120\n"), 120);
        assert_eq!(timeout("# TMOUT=900\nMYTMOUT=5\nTMOUT=$X\n"), 0);
        assert_eq!(timeout(""), 0);
    }

    #[test]
    fn the_mask_must_hold_everywhere() {
        let private = |definitions: &str, profile: &str| {
            let os = Recorded::new().file("/etc/login.defs", definitions).file("/etc/profile", profile);
            private_files(&scene(os))
        };
        assert_eq!(private("UMASK\t\t027\n", ""), Fact::Known(true));
        assert_eq!(private("UMASK 077\r\n", "if true; then\n  umask 022\nfi\n"), Fact::Known(false));
        assert_eq!(private("UMASK 077\n", "umask 0027; umask u=rwx,g=rx,o=\n"), Fact::Known(true));
        assert_eq!(private("UMASK 022\n", "umask 077\n"), Fact::Known(false));
        assert!(private_files(&scene(Recorded::new())).known().is_none());
    }

    #[test]
    fn definitions_are_read() {
        let of = |text: &str| Recorded::new().file("/etc/login.defs", text);
        assert_eq!(password_max_age(&scene(of("#PASS_MAX_DAYS 1\nPASS_MAX_DAYS\t90\n"))), Fact::Known(Days(90)));
        assert_eq!(password_max_age(&scene(of("PASS_MAX_DAYS -1\n"))), Fact::Known(Days(99_999)));
        assert_eq!(password_max_age(&scene(of(""))), Fact::Known(Days(99_999)));
        assert!(password_max_age(&scene(of("PASS_MAX_DAYS x\n"))).known().is_none());
        assert_eq!(ids_of_people(&scene(of("UID_MIN 500\n"))), 500..=60_000);
    }
}
