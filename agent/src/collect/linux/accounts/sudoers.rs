//! `/etc/sudoers` and the files it includes: who may do everything, and whether a password is asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::collect::linux::scene::Scene;
use crate::os::{Answer, OsError};

/// The rules, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sudoers {
    rules: Vec<Rule>,
    aliases: BTreeMap<String, Vec<String>>,
    never_asks: bool,
}

/// One `users hosts = (runas) tags: commands`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    users: Vec<String>,
    /// True when it lets them run anything as root.
    everything: bool,
    /// True when it lets them run something as root without a password.
    without_password: bool,
}

/// Reads all of it. Missing where sudo is not installed; readable by root alone.
pub(super) fn read(scene: &Scene) -> Answer<Sudoers> {
    let mut sudoers = Sudoers::default();
    read_into(scene, "/etc/sudoers", 8, &mut sudoers)?;
    Ok(sudoers)
}

fn read_into(scene: &Scene, path: &str, depth: u8, sudoers: &mut Sudoers) -> Answer<()> {
    let text = scene.text(path)?.replace("\\\n", " ");
    for line in text.lines().map(str::trim) {
        let include = |word: &str| {
            let rest = line.strip_prefix('@').or_else(|| line.strip_prefix('#'))?.strip_prefix(word)?;
            rest.starts_with(char::is_whitespace).then(|| rest.trim().trim_matches('"').to_owned())
        };
        if depth > 0
            && let Some(folder) = include("includedir")
        {
            let names = match scene.os.list(&folder) {
                Err(OsError::Missing(_)) => Vec::new(),
                names => names?,
            };
            // Names with a dot or a tilde at the end are backups to sudo.
            for name in names.iter().filter(|name| !name.contains('.') && !name.ends_with('~')).take(1_000) {
                read_into(scene, &format!("{folder}/{name}"), depth - 1, sudoers)?;
            }
        } else if depth > 0
            && let Some(file) = include("include")
        {
            match read_into(scene, &file, depth - 1, sudoers) {
                Ok(()) | Err(OsError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        } else {
            sudoers.add(line);
        }
    }
    Ok(())
}

impl Sudoers {
    fn add(&mut self, line: &str) {
        // `#1000` at the start is a user by number, every other `#` begins a comment.
        let numbered =
            line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|character: char| character.is_ascii_digit()));
        let line = if numbered { line } else { line.split('#').next().unwrap_or_default().trim() };
        if let Some(aliases) = line.strip_prefix("User_Alias") {
            for alias in aliases.split(':') {
                if let Some((name, members)) = alias.split_once('=') {
                    self.aliases.insert(name.trim().to_owned(), list(members));
                }
            }
        } else if let Some(defaults) = line.strip_prefix("Defaults") {
            // `Defaults:user` and the like concern some only; a blank comes first where all are meant.
            let all = defaults.starts_with(char::is_whitespace);
            self.never_asks |= all && list(defaults).iter().any(|setting| setting == "!authenticate");
        } else if !line.contains("_Alias")
            && let Some((who, what)) = line.split_once('=')
        {
            let users = who.rsplit_once(char::is_whitespace).map_or(who, |(users, _)| users);
            let (everything, without_password) = granted(what);
            self.rules.push(Rule { users: list(users), everything, without_password });
        }
    }

    /// True when some rule lets this user run everything as root.
    pub(super) fn full_rights(&self, name: &str, id: u32, groups: &BTreeSet<&str>) -> bool {
        self.rules.iter().filter(|rule| rule.everything).any(|rule| self.names(&rule.users, name, id, groups, 4))
    }

    fn names(&self, users: &[String], name: &str, id: u32, groups: &BTreeSet<&str>, depth: u8) -> bool {
        users.iter().any(|user| {
            user == "ALL"
                || user == name
                || *user == format!("#{id}")
                || user.strip_prefix('%').is_some_and(|group| groups.contains(group))
                || (depth > 0
                    && self.aliases.get(user).is_some_and(|members| self.names(members, name, id, groups, depth - 1)))
        })
    }

    /// True when some rule spares a person, a group or everybody the password. What a service's own account may do without
    /// one is no person's.
    pub(super) fn without_password(&self, people: &[&str]) -> bool {
        let person = |user: &String| {
            user == "ALL"
                || user.starts_with(['%', '+'])
                || self.aliases.contains_key(user)
                || user.starts_with('#')
                || (user != "root" && people.contains(&user.as_str()))
        };
        self.rules.iter().any(|rule| (rule.without_password || self.never_asks) && rule.users.iter().any(person))
    }
}

/// What stands behind the `=`: whether everything is allowed as root, and whether something is without a password. Tags hold
/// until the opposite tag.
fn granted(what: &str) -> (bool, bool) {
    let (mut everything, mut without_password) = (false, false);
    let (mut root, mut asks) = (true, true);
    for command in list_commands(what) {
        let mut rest = command.trim();
        if let Some((runas, behind)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            let users = runas.split(':').next().unwrap_or_default();
            root = list(users).iter().any(|user| ["ALL", "root", "#0"].contains(&user.as_str()));
            rest = behind.trim();
        }
        while let Some((tag, behind)) = rest.split_once(':') {
            match tag.trim() {
                "NOPASSWD" => asks = false,
                "PASSWD" => asks = true,
                other if other.chars().all(|character| character.is_ascii_uppercase() || character == '_') => {}
                _ => break,
            }
            rest = behind.trim();
        }
        if root && !rest.is_empty() && !rest.starts_with('!') {
            everything |= rest == "ALL";
            without_password |= !asks;
        }
    }
    (everything, without_password)
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// Commands are parted by commas outside the parentheses of the runas list.
fn list_commands(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
    for (position, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    fn of(text: &str) -> Sudoers {
        let os = Recorded::new().file("/etc/sudoers", text);
        read(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)).unwrap()
    }

    const DEBIAN: &str = "Defaults\tenv_reset\nDefaults\tmail_badpass\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n";

    fn rights(sudoers: &Sudoers, name: &str, groups: &[&str]) -> bool {
        sudoers.full_rights(name, 1000, &groups.iter().copied().collect())
    }

    #[test]
    fn debian_as_shipped() {
        let sudoers = of(DEBIAN);
        assert!(rights(&sudoers, "x", &["sudo"]) && !rights(&sudoers, "x", &["users"]));
        assert!(!sudoers.without_password(&["root", "x"]));
    }

    #[test]
    fn included_files_aliases_and_tags_are_followed() {
        let os = Recorded::new()
            .file(
                "/etc/sudoers",
                format!("{DEBIAN}User_Alias ADMINS = canbo, \\\n lan\nADMINS ALL=(root) PASSWD: ALL\n"),
            )
            .file("/etc/sudoers.d/90-cloud", "ubuntu ALL=(ALL) NOPASSWD:ALL\r\n")
            .file("/etc/sudoers.d/x.bak", "nobody ALL=(ALL) ALL\n");
        let sudoers = read(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)).unwrap();
        assert!(rights(&sudoers, "lan", &[]) && rights(&sudoers, "ubuntu", &[]) && !rights(&sudoers, "nobody", &[]));
        assert!(sudoers.without_password(&["ubuntu"]));
        assert!(!sudoers.without_password(&["canbo"]));
    }

    #[test]
    fn some_commands_are_not_all_and_services_are_no_people() {
        let sudoers = of(
            "zabbix ALL=NOPASSWD: /usr/bin/nmap\ncanbo ALL=(postgres) NOPASSWD: ALL\n#1000 ALL=(ALL) /bin/ls, !ALL\n",
        );
        assert!(!rights(&sudoers, "canbo", &[]) && !rights(&sudoers, "zabbix", &[]));
        assert!(!sudoers.without_password(&["canbo"]));
        assert!(of("%wheel ALL=(ALL) NOPASSWD: /bin/mount, PASSWD: ALL\n").without_password(&[]));
        assert!(of("canbo ALL=(ALL) ALL\nDefaults !authenticate\n").without_password(&["canbo"]));
        assert!(!of("canbo ALL=(ALL) ALL\nDefaults:zabbix !authenticate\n").without_password(&["canbo"]));
    }

    #[test]
    fn malformed_lines_grant_nothing() {
        for text in [
            "",
            "=",
            "ALL",
            "(((",
            "x ALL=(",
            "x ALL=NOPASSWD:",
            "User_Alias",
            "User_Alias A",
            "# includedir x",
            "@include",
        ] {
            let sudoers = of(text);
            assert!(!rights(&sudoers, "x", &[]) && !sudoers.without_password(&["x"]), "{text}");
        }
        assert!(of("@include /etc/sudoers\nx ALL=(ALL) ALL\n").rules.len() < 20, "an include of itself ends");
    }
}
