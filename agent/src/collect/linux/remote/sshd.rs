//! The settings of an SSH server: as `sshd -T` prints them, or from `sshd_config` with its includes.

use std::collections::BTreeMap;

use policies::fact::{Fact, Reason, Unknown};

use crate::collect::linux::scene::Scene;
use crate::collect::linux::text::{capped, fits, unquoted};
use crate::os::{Answer, OsError};

/// Keywords in lower case with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// What holds for everybody: the first value of each keyword.
    global: BTreeMap<String, String>,
    /// What `Match` blocks say.
    matched: Vec<(String, String)>,
    /// Why the defaults that differ by version are not known; `None` when all are among `global`.
    incomplete: Option<Unknown>,
}

/// What OpenSSH does where a file says nothing, for the keywords whose default no version or distribution changed.
const DEFAULTS: &[(&str, &str)] = &[
    ("permitrootlogin", "prohibit-password"),
    ("passwordauthentication", "yes"),
    ("kbdinteractiveauthentication", "yes"),
    ("usepam", "no"),
    ("permitemptypasswords", "no"),
    ("maxauthtries", "6"),
    ("clientaliveinterval", "0"),
    ("clientalivecountmax", "3"),
    ("x11forwarding", "no"),
    ("authenticationmethods", "any"),
];

impl Settings {
    /// The output of `sshd -T`, which leaves `Match` blocks out; those come from the `file`.
    pub(super) fn printed(text: &str, file: Self) -> Self {
        let mut global = BTreeMap::new();
        for (keyword, value) in text.lines().filter_map(|line| line.trim().split_once(' ')) {
            global.entry(keyword.to_owned()).or_insert_with(|| value.trim().to_owned());
        }
        Self { global, matched: file.matched, incomplete: None }
    }

    /// The value of `keyword` for everybody.
    pub(super) fn value(&self, keyword: &str) -> Fact<String> {
        let default = || DEFAULTS.iter().find(|(known, _)| *known == keyword).map(|&(_, value)| value.to_owned());
        match (self.global.get(keyword).cloned(), &self.incomplete) {
            (Some(value), _) => Fact::Known(value.to_lowercase()),
            (None, None) => Fact::unknown(Reason::Unreadable, format!("sshd -T prints no {keyword}")),
            (None, Some(unknown)) => default().map_or_else(|| Fact::Unknown(unknown.clone()), Fact::Known),
        }
    }

    /// True when something is said of `keyword` for everybody.
    pub(super) fn says(&self, keyword: &str) -> bool {
        self.global.get(keyword).is_some_and(|value| !value.is_empty())
    }

    /// What `Match` blocks say of `keyword`.
    pub(super) fn matches(&self, keyword: &str) -> impl Iterator<Item = &str> {
        self.matched.iter().filter(move |(known, _)| known == keyword).map(|(_, value)| value.as_str())
    }
}

/// Reads `/etc/ssh/sshd_config` with the files it includes; `why` the server itself could not be asked.
pub(super) fn read_file(scene: &Scene, why: Unknown) -> Answer<Settings> {
    let mut settings = Settings { incomplete: Some(why), ..Settings::default() };
    read_into(scene, "/etc/ssh/sshd_config", Scope::Everybody, 8, &mut settings)?;
    Ok(settings)
}

/// For whom a line holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Everybody,
    Matched,
}

fn read_into(scene: &Scene, path: &str, outer: Scope, depth: u8, settings: &mut Settings) -> Answer<()> {
    let text = scene.text(path)?;
    // A Match block ends with its file.
    let mut scope = outer;
    for (keyword, value) in directives(&text) {
        match keyword.as_str() {
            "match" if value.eq_ignore_ascii_case("all") => scope = outer,
            "match" => scope = Scope::Matched,
            "include" if depth == 0 => return Err(OsError::Failed(path.to_owned(), "includes too deep".to_owned())),
            "include" => {
                for pattern in value.split_ascii_whitespace() {
                    for file in expand(scene, unquoted(pattern))? {
                        read_into(scene, &file, scope, depth - 1, settings)?;
                    }
                }
            }
            _ if scope == Scope::Everybody => {
                settings.global.entry(keyword).or_insert(value);
            }
            _ => settings.matched.push((keyword, value)),
        }
    }
    Ok(())
}

/// `Keyword value` or `Keyword=value`, comments and quotes removed, old names of keywords replaced.
fn directives(text: &str) -> impl Iterator<Item = (String, String)> {
    text.lines().filter_map(|line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (keyword, value) = line.split_once(|character: char| character.is_whitespace() || character == '=')?;
        let value = unquoted(value.trim_start_matches([' ', '\t', '=']).trim());
        let keyword = match keyword.to_lowercase().as_str() {
            "challengeresponseauthentication" => "kbdinteractiveauthentication".to_owned(),
            other => other.to_owned(),
        };
        Some((keyword, value.to_owned()))
    })
}

/// The files of an `Include`: a path, relative to `/etc/ssh`, whose last part may hold `*` and `?`.
fn expand(scene: &Scene, pattern: &str) -> Answer<Vec<String>> {
    let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
    let Some((folder, last)) = pattern.rsplit_once('/') else { return Ok(Vec::new()) };
    if folder.contains(['*', '?', '[']) || last.contains('[') {
        return Err(OsError::Failed("/etc/ssh/sshd_config".to_owned(), format!("Include {}", capped(&pattern))));
    }
    let names = match scene.os.list(folder) {
        Err(OsError::Missing(_)) => Vec::new(),
        names => names?,
    };
    let meant = |name: &&String| !name.starts_with('.') && fits(last, name);
    Ok(names.iter().filter(meant).take(1_000).map(|name| format!("{folder}/{name}")).collect())
}

/// A number, or a time such as `5m` or `1h30m`, in seconds.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (mut total, mut number) = (0_i64, None::<i64>);
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(digit))?);
        } else {
            let unit = match character.to_ascii_lowercase() {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                'w' => 604_800,
                _ => return None,
            };
            total = total.checked_add(number.take()?.checked_mul(unit)?)?;
        }
    }
    match number {
        Some(rest) => total.checked_add(rest),
        None => (!text.is_empty()).then_some(total),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    fn read(os: Recorded) -> Answer<Settings> {
        let why = Unknown { reason: Reason::NeedsAdministrator, detail: String::new() };
        read_file(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH), why)
    }

    #[test]
    fn the_first_value_wins_and_includes_stand_where_they_are() {
        let os = Recorded::new()
            .file("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\r\nPermitRootLogin no\r\nMaxAuthTries=3\r\nMaxAuthTries 9\r\n#X11Forwarding yes\r\nUsePAM yes # as shipped\r\n")
            .file("/etc/ssh/sshd_config.d/50-cloud.conf", "permitrootlogin yes\nMatch User x\nPasswordAuthentication no\n")
            .file("/etc/ssh/sshd_config.d/readme.txt", "PermitEmptyPasswords yes\n");
        let settings = read(os).unwrap();
        assert_eq!(settings.value("permitrootlogin"), Fact::Known("yes".to_owned()));
        assert_eq!(settings.value("maxauthtries"), Fact::Known("3".to_owned()));
        assert_eq!(settings.value("usepam"), Fact::Known("yes".to_owned()));
        assert_eq!(settings.value("permitemptypasswords"), Fact::Known("no".to_owned()));
        assert_eq!(settings.matches("passwordauthentication").collect::<Vec<_>>(), ["no"]);
        assert!(settings.value("ciphers").known().is_none());
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        assert!(read(Recorded::new().file("/etc/ssh/sshd_config", "Include sshd_config\n")).is_err());
        assert!(read(Recorded::new().file("/etc/ssh/sshd_config", "Include /etc/*/x\n")).is_err());
        assert!(read(Recorded::new()).is_err());
    }

    #[test]
    fn times_are_read() {
        assert_eq!(seconds("300"), Some(300));
        assert_eq!(seconds("1h30m"), Some(5_400));
        for broken in ["", "m", "5x", "99999999999999999999"] {
            assert_eq!(seconds(broken), None, "{broken}");
        }
    }
}
