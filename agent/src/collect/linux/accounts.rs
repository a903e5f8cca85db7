//! Section `accounts`: who can log in, and the rules for passwords, lockout and idle sessions.

use std::collections::BTreeSet;

use jiff::Timestamp;
use policies::fact::{Account, Accounts, Fact, HashMethod, Instant, List, Reason};

use super::scene::{Scene, unknown, windows_only};
use crate::collect::linux::text::{capped, lines};
use crate::os::{Answer, OsError};

mod desktop;
mod failures;
mod logins;
mod pam;
mod rules;
mod sudoers;

use sudoers::Sudoers;

pub(super) fn collect(scene: &Scene) -> Accounts {
    let sudoers = sudoers::read(scene);
    let (users, extra_roots, failed_logons) = match scene.text("/etc/passwd") {
        Ok(text) => {
            let passwd = entries(&text);
            let users = Fact::Known(List::capped(accounts(scene, &passwd, &sudoers)));
            (users, Fact::Known(extra_roots(&passwd)), failures::list(scene, &passwd))
        }
        // A name can only be told from a password by the list of names.
        Err(error) => (unknown(&error), unknown(&error), failures::list(scene, &[])),
    };
    let password = pam::password_rules(scene);
    let lockout = pam::lockout(scene);
    Accounts {
        sudo_without_password: without_password(scene, &sudoers, users.known()),
        users,
        domain_administrators: windows_only(),
        extra_roots,
        password_min_length: password.min_length,
        password_min_classes: password.min_classes,
        password_max_age: rules::password_max_age(scene),
        lockout_tries: lockout.tries,
        lockout_time: lockout.time,
        automatic_logon: desktop::automatic_logon(scene),
        shell_timeout: rules::shell_timeout(scene),
        screen_lock: desktop::screen_lock(scene),
        private_files: rules::private_files(scene),
        failed_logons,
        uac: windows_only(),
        autorun_off: windows_only(),
    }
}

/// One line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    /// The second field: `x` where the password is in `/etc/shadow`.
    password: String,
    id: u32,
    group: u32,
    shell: String,
}

fn entries(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, id, group, _, _, shell] = fields[..] else { return None };
        Some(Entry {
            name: capped(name),
            password: password.to_owned(),
            id: id.parse().ok()?,
            group: group.parse().ok()?,
            shell: shell.trim().to_owned(),
        })
    };
    text.lines().filter(|line| !line.starts_with(['#', '+', '-'])).filter_map(entry).collect()
}

fn extra_roots(passwd: &[Entry]) -> List<String> {
    let mut names: Vec<String> =
        passwd.iter().filter(|entry| entry.id == 0 && entry.name != "root").map(|entry| entry.name.clone()).collect();
    names.sort_unstable();
    List::capped(names)
}

/// Root, and everybody with a person's number and a shell that lets in.
fn accounts(scene: &Scene, passwd: &[Entry], sudoers: &Answer<Sudoers>) -> Vec<Account> {
    let people = rules::ids_of_people(scene);
    let shadow = scene.text("/etc/shadow").map(|text| shadow(&text));
    let groups = scene.text("/etc/group").map(|text| groups(&text));
    let logins = logins::Logins::read(scene);
    let lets_in = |shell: &str| {
        let name = shell.rsplit('/').next().unwrap_or_default();
        // An empty field means /bin/sh.
        (shell.is_empty() || scene.os.exists(shell))
            && !["nologin", "false", "sync", "halt", "shutdown"].contains(&name)
    };
    let mut accounts: Vec<Account> = passwd
        .iter()
        .filter(|entry| entry.id == 0 || (people.contains(&entry.id) && lets_in(&entry.shell)))
        .map(|entry| {
            let own = secret(entry, &shadow);
            let last_logon_at = logins.last(&entry.name, entry.id);
            let password_changed_at = own.clone().and_then_fact(|own| own.changed_at());
            Account {
                name: entry.name.clone(),
                id: i64::from(entry.id),
                administrator: administrator(entry, &groups, sudoers),
                enabled: own.clone().and_then_fact(|own| Fact::Known(own.enabled(scene.now))),
                empty_password: own.clone().and_then_fact(|own| Fact::Known(own.hash.is_empty())),
                password_never_expires: own.clone().and_then_fact(|own| Fact::Known(own.never_expires())),
                hash_method: own.and_then_fact(|own| own.hash_method()),
                last_used_at: match (&last_logon_at, &password_changed_at) {
                    (Fact::Known(at), _) => Fact::Known(*at),
                    (Fact::Unknown(unknown), changed) if unknown.reason == Reason::SourceMissing => changed.clone(),
                    (Fact::Unknown(unknown), _) => Fact::Unknown(unknown.clone()),
                },
                last_logon_at,
                password_changed_at,
                password_required: windows_only(),
            }
        })
        .collect();
    accounts.sort_unstable_by(|one, other| (one.id, &one.name).cmp(&(other.id, &other.name)));
    accounts
}

/// Chains a fact that is only known when another one is.
trait AndThen<T> {
    fn and_then_fact<U>(self, then: impl FnOnce(T) -> Fact<U>) -> Fact<U>;
}

impl<T> AndThen<T> for Fact<T> {
    fn and_then_fact<U>(self, then: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known(value) => then(value),
            Self::Unknown(unknown) => Fact::Unknown(unknown),
        }
    }
}

/// One line of `/etc/shadow`. The hash itself never leaves this module.
#[derive(Clone, PartialEq, Eq)]
struct Secret {
    name: String,
    hash: String,
    changed: Option<i64>,
    longest: Option<i64>,
    expires: Option<i64>,
}

fn shadow(text: &str) -> Vec<Secret> {
    let secret = |line: &str| {
        let mut fields = line.split(':');
        let (name, hash) = (capped(fields.next()?), fields.next()?.to_owned());
        let mut number = |skip: usize| fields.nth(skip).and_then(|field| field.trim().parse().ok());
        Some(Secret { name, hash, changed: number(0), longest: number(1), expires: number(2) })
    };
    text.lines().filter_map(secret).collect()
}

/// The account's line in `shadow`, or what `passwd` itself holds.
fn secret(entry: &Entry, shadow: &Answer<Vec<Secret>>) -> Fact<Secret> {
    if entry.password != "x" {
        let (name, hash) = (entry.name.clone(), entry.password.clone());
        return Fact::Known(Secret { name, hash, changed: None, longest: None, expires: None });
    }
    match shadow {
        Ok(all) => all
            .iter()
            .find(|secret| secret.name == entry.name)
            .cloned()
            .map_or_else(|| Fact::unknown(Reason::SourceMissing, "it has no line in /etc/shadow"), Fact::Known),
        Err(error) => unknown(error),
    }
}

impl Secret {
    fn enabled(&self, now: Timestamp) -> bool {
        let expired = self.expires.is_some_and(|day| day >= 0 && day.saturating_mul(86_400) <= now.as_second());
        !self.hash.starts_with(['!', '*']) && !expired
    }

    fn changed_at(&self) -> Fact<Instant> {
        match self.changed {
            Some(0) => Fact::unknown(Reason::SourceMissing, "it must be changed at the next login"),
            Some(day) => match Timestamp::from_second(day.saturating_mul(86_400)) {
                Ok(at) => Fact::Known(at),
                Err(_) => Fact::unknown(Reason::Unreadable, format!("day {day}")),
            },
            None => Fact::unknown(Reason::SourceMissing, "/etc/shadow does not say"),
        }
    }

    fn never_expires(&self) -> bool {
        self.longest.is_none_or(|days| !(0..99_999).contains(&days))
    }

    /// By the prefix, `crypt(5)`.
    fn hash_method(&self) -> Fact<HashMethod> {
        let hash = self.hash.trim_start_matches('!');
        let by_prefix = |prefixes: &[&str]| prefixes.iter().any(|prefix| hash.starts_with(prefix));
        match () {
            () if hash.is_empty() || hash.starts_with('*') => {
                Fact::unknown(Reason::SourceMissing, "it has no password")
            }
            () if by_prefix(&["$y$"]) => Fact::Known(HashMethod::Yescrypt),
            () if by_prefix(&["$gy$", "$7$", "$2a$", "$2b$", "$2y$"]) => Fact::Known(HashMethod::Strong),
            () if by_prefix(&["$6$"]) => Fact::Known(HashMethod::Sha512),
            () if by_prefix(&["$5$"]) => Fact::Known(HashMethod::Sha256),
            () if by_prefix(&["$1$", "$md5"]) => Fact::Known(HashMethod::Md5),
            () if hash.len() == 13 || by_prefix(&["_"]) => Fact::Known(HashMethod::Des),
            () => Fact::Known(HashMethod::Other),
        }
    }
}

/// Group name, number, members.
fn groups(text: &str) -> Vec<(String, u32, Vec<String>)> {
    let group = |line: &str| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?.parse().ok()?);
        let members = fields.next()?.split(',').map(|member| member.trim().to_owned()).collect();
        Some((name.to_owned(), id, members))
    };
    lines(text).filter_map(group).collect()
}

fn administrator(
    entry: &Entry,
    groups: &Answer<Vec<(String, u32, Vec<String>)>>,
    sudoers: &Answer<Sudoers>,
) -> Fact<bool> {
    if entry.id == 0 {
        return Fact::Known(true);
    }
    let own: BTreeSet<&str> = match groups {
        Ok(groups) => groups
            .iter()
            .filter(|(_, id, members)| *id == entry.group || members.contains(&entry.name))
            .map(|(name, _, _)| name.as_str())
            .collect(),
        Err(error) => return unknown(error),
    };
    if ["sudo", "wheel", "admin"].iter().any(|group| own.contains(group)) {
        return Fact::Known(true);
    }
    match sudoers {
        Ok(sudoers) => Fact::Known(sudoers.full_rights(&entry.name, entry.id, &own)),
        // Without sudo nobody gains anything by it.
        Err(OsError::Missing(_)) => Fact::Known(false),
        Err(error) => unknown(error),
    }
}

fn without_password(scene: &Scene, sudoers: &Answer<Sudoers>, users: Option<&List<Account>>) -> Fact<bool> {
    let people: Vec<&str> = users.iter().flat_map(|users| users.items.iter()).map(|user| user.name.as_str()).collect();
    let by_sudo = match sudoers {
        Ok(sudoers) => sudoers.without_password(&people),
        Err(OsError::Missing(_)) => false,
        Err(error) => return unknown(error),
    };
    let by_doas = match scene.text("/etc/doas.conf") {
        Ok(text) => lines(&text).any(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            words.first() == Some(&"permit") && words.contains(&"nopass")
        }),
        Err(OsError::Missing(_)) => false,
        Err(error) => return unknown(&error),
    };
    Fact::Known(by_sudo || by_doas)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\r\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\r\n\
        canbo:x:1000:1000:Nguyễn Văn A,,,:/home/canbo:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nlan:x:1001:27::/home/lan:/bin/bash\n\
        ftp:x:1002:1002::/srv:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/bash\nbroken:x:y\n+::::::\n";
    const SHADOW: &str = "root:!:19500:0:99999:7:::\ncanbo:$y$j9T$salt$hash:19800:0:90:7::20000:\nlan::19700:0:99999:7:::\n\
        toor:$1$x$y:0:0::::: \n";

    fn machine() -> Recorded {
        Recorded::new()
            .file("/etc/passwd", PASSWD)
            .file("/etc/shadow", SHADOW)
            .file("/etc/group", "root:x:0:\nsudo:x:27:\ncanbo:x:1000:\n")
            .file("/bin/bash", "")
            .file("/bin/sh", "")
    }

    fn collected(os: Recorded, now: &str) -> Accounts {
        collect(&Scene::new(Arc::new(os), now.parse().unwrap()))
    }

    #[test]
    fn people_and_root_are_described() {
        let accounts = collected(machine(), "2024-05-21T00:00:00Z");
        let users = &accounts.users.known().unwrap().items;
        assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["root", "toor", "canbo", "lan"]);
        let (root, toor, canbo, lan) = (&users[0], &users[1], &users[2], &users[3]);
        assert_eq!((&root.enabled, &root.administrator), (&Fact::Known(false), &Fact::Known(true)));
        assert!(root.hash_method.known().is_none());
        assert_eq!(
            (&toor.hash_method, &toor.password_never_expires),
            (&Fact::Known(HashMethod::Md5), &Fact::Known(true))
        );
        assert!(toor.password_changed_at.known().is_none());
        assert_eq!((&canbo.enabled, &canbo.administrator), (&Fact::Known(true), &Fact::Known(false)));
        assert_eq!(
            (&canbo.hash_method, &canbo.password_never_expires),
            (&Fact::Known(HashMethod::Yescrypt), &Fact::Known(false))
        );
        assert_eq!(canbo.password_changed_at.known().unwrap().to_string(), "2024-03-18T00:00:00Z");
        assert_eq!(canbo.last_used_at, canbo.password_changed_at, "it never logged in");
        assert_eq!((&lan.empty_password, &lan.administrator), (&Fact::Known(true), &Fact::Known(true)));
        assert_eq!(accounts.extra_roots.known().unwrap().items, ["toor"]);
    }

    #[test]
    fn an_expired_account_is_not_enabled() {
        let accounts = collected(machine(), "2024-10-05T00:00:00Z");
        assert_eq!(accounts.users.known().unwrap().items[2].enabled, Fact::Known(false));
    }

    #[test]
    fn without_an_administrator_the_hidden_half_is_unknown() {
        let mut os = machine().denying("/etc/shadow").denying("/etc/sudoers").unprivileged();
        os.files.remove("/etc/shadow");
        let accounts = collected(os, "2024-05-21T00:00:00Z");
        let users = &accounts.users.known().unwrap().items;
        let reason = |fact: &Fact<bool>| match fact {
            Fact::Unknown(unknown) => Some(unknown.reason),
            Fact::Known(_) => None,
        };
        assert_eq!(reason(&users[2].enabled), Some(Reason::NeedsAdministrator));
        assert_eq!(reason(&users[2].administrator), Some(Reason::NeedsAdministrator));
        assert_eq!(users[3].administrator, Fact::Known(true), "a member of sudo is one whoever asks");
        assert_eq!(reason(&accounts.sudo_without_password), Some(Reason::NeedsAdministrator));
    }

    #[test]
    fn hash_methods_are_told_by_their_prefix() {
        let method = |hash: &str| {
            let secret =
                Secret { name: String::new(), hash: hash.to_owned(), changed: None, longest: None, expires: None };
            secret.hash_method().known().copied()
        };
        assert_eq!(method("!$6$x"), Some(HashMethod::Sha512));
        assert_eq!(method("$2b$12$x"), Some(HashMethod::Strong));
        assert_eq!(method("abcdefghijklm"), Some(HashMethod::Des));
        assert_eq!(method("$9$x"), Some(HashMethod::Other));
        assert_eq!((method("!!"), method("*"), method("")), (None, None, None));
    }

    #[test]
    fn broken_files_do_not_stop_it() {
        for text in ["", ":::::::", "root", "root:x:0:0:root:/root", "root:x:-1:0:r:/:/bin/sh"] {
            let os = Recorded::new().file("/etc/passwd", text).file("/etc/shadow", text).file("/etc/group", text);
            assert_eq!(collected(os, "2024-05-21T00:00:00Z").users, Fact::Known(List::default()), "{text}");
        }
        assert!(collected(Recorded::new(), "2024-05-21T00:00:00Z").users.known().is_none());
    }
}
