//! Section `accounts`: who can log in, and the rules for passwords, lockout and idle sessions.

use policies::fact::{Account, Accounts, Fact, List, Reason};

use super::context::{CheckContext, WINDOWS_ONLY, unknown};
use crate::linux::remote::ssh;
use crate::linux::text::{capped, lines};
use os::{Answer, OsError};

mod desktop;
mod failures;
mod groups;
mod journal;
mod logins;
mod pam;
mod rules;
mod secret;
mod sudoers;
mod timeout;

use groups::{Group, Named, Person};
use secret::Secret;
use sudoers::{NONE, Rights, Sudoers};

pub(super) fn collect(context: &CheckContext) -> Accounts {
    let (users, extra_roots, failed_logons, sudo_without_password) = match context.text("/etc/passwd") {
        Ok(text) => {
            let passwd = entries(&text);
            let (users, without_password) = accounts(context, &passwd);
            let failures = failures::list(context, &passwd);
            (Fact::Known(List::capped(users)), Fact::Known(extra_roots(&passwd)), failures, without_password)
        }
        // Only the list of accounts can tell a name from a password.
        Err(error) => (unknown(&error), unknown(&error), failures::list(context, &[]), unknown(&error)),
    };
    let password = pam::password_rules(context);
    let lockout = pam::lockout(context);
    Accounts {
        sudo_without_password,
        users,
        extra_roots,
        password_min_length: password.min_length,
        password_min_classes: password.min_classes,
        password_max_age: rules::password_max_age(context),
        lockout_tries: lockout.tries,
        lockout_time: lockout.time,
        automatic_logon: desktop::automatic_logon(context),
        shell_timeout: timeout::shell_timeout(context),
        screen_lock: desktop::screen_lock(context),
        private_files: rules::private_files(context),
        failed_logons,
        ..Accounts::unknown(Reason::NoReader, WINDOWS_ONLY)
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
    home: String,
    shell: String,
}

fn entries(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, id, group, _, home, shell] = fields[..] else { return None };
        Some(Entry {
            name: capped(name),
            password: password.to_owned(),
            id: id.parse().ok()?,
            group: group.parse().ok()?,
            home: home.to_owned(),
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

/// Root, everyone with a person's user id and a login shell, and anyone else with a login shell and a way in: a password (even an empty
/// one) or a key. Also whether one of those other than root may act as root without a password.
fn accounts(context: &CheckContext, passwd: &[Entry]) -> (Vec<Account>, Fact<bool>) {
    let people = rules::ids_of_people(context);
    let shadow = context.text("/etc/shadow").map(|text| secret::shadow(&text));
    let powers = Powers::read(context);
    let logins = logins::Logins::read(context);
    let lets_in = |shell: &str| {
        let name = shell.rsplit('/').next().unwrap_or_default();
        // An empty field means /bin/sh.
        (shell.is_empty() || context.os.exists(shell))
            && !["nologin", "false", "sync", "halt", "shutdown"].contains(&name)
    };
    let mut accounts = Vec::new();
    let mut without_password = Fact::Known(false);
    for entry in passwd.iter().filter(|entry| entry.id == 0 || lets_in(&entry.shell)) {
        let own = secret_of(entry, &shadow);
        let enabled = enabled(context, entry, &own);
        if entry.id != 0 && !people.contains(&entry.id) && enabled == Fact::Known(false) {
            continue;
        }
        if entry.id != 0 {
            without_password = either(without_password, powers.without_password(entry));
        }
        let last_logon_at = logins.last(&entry.name, entry.id);
        accounts.push(Account {
            name: entry.name.clone(),
            id: i64::from(entry.id),
            administrator: powers.administrator(entry),
            enabled,
            empty_password: own.clone().and_then_fact(|own| Fact::Known(own.is_empty())),
            password_never_expires: own.clone().and_then_fact(|own| Fact::Known(own.never_expires())),
            last_used_at: logins.last_used(&last_logon_at, own.clone().and_then_fact(|own| own.changed_at())),
            last_logon_at,
            password_changed_at: own.clone().and_then_fact(|own| match own.has_password() {
                true => own.changed_at(),
                false => Fact::unknown(Reason::SourceMissing, "it has no password"),
            }),
            hash_method: own.and_then_fact(|own| own.hash_method()),
            password_required: Fact::unknown(Reason::NoReader, WINDOWS_ONLY),
        });
    }
    accounts.sort_unstable_by(|one, other| (one.id, &one.name).cmp(&(other.id, &other.name)));
    (accounts, either(without_password, powers.strangers(context, passwd)))
}

/// True when one is true; unknown when neither is true and one is unknown.
fn either(one: Fact<bool>, other: Fact<bool>) -> Fact<bool> {
    match (one, other) {
        (Fact::Known(true), _) | (_, Fact::Known(true)) => Fact::Known(true),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown),
        (Fact::Known(false), Fact::Known(false)) => Fact::Known(false),
    }
}

/// True when somebody can log in: the account is not shut, and it has a password or a key.
fn enabled(context: &CheckContext, entry: &Entry, secret: &Fact<Secret>) -> Fact<bool> {
    let secret = match secret {
        Fact::Known(secret) => secret,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown.clone()),
    };
    match () {
        () if secret.is_shut(context.now) => Fact::Known(false),
        () if secret.has_password() => Fact::Known(true),
        () if secret.is_locked() && ssh::answers(context).lock_shuts_keys_out() => Fact::Known(false),
        () if entry.id == 0 && ssh::answers(context).shuts_root_out() => Fact::Known(false),
        () => keys(context, entry),
    }
}

/// True when the SSH server finds a public key for the account.
fn keys(context: &CheckContext, entry: &Entry) -> Fact<bool> {
    let files = match ssh::answers(context).key_files() {
        Fact::Known(files) => files,
        Fact::Unknown(unknown) => return Fact::Unknown(unknown),
    };
    for file in files {
        let file = file.replace("%h", &entry.home).replace("%u", &entry.name).replace("%U", &entry.id.to_string());
        let file = if file.starts_with('/') { file } else { format!("{}/{file}", entry.home) };
        match context.text(&file) {
            Ok(text) if lines(&text).next().is_some() => return Fact::Known(true),
            Ok(_) | Err(OsError::Missing(_)) => {}
            Err(error) => return unknown(&error),
        }
    }
    Fact::Known(false)
}

/// Chains facts: the second is only known when the first one is.
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

/// The account's line in `shadow`, or the password in `passwd` itself.
fn secret_of(entry: &Entry, shadow: &Answer<Vec<Secret>>) -> Fact<Secret> {
    if entry.password != "x" {
        return Fact::Known(Secret::plain(&entry.name, &entry.password));
    }
    match shadow {
        Ok(all) => {
            let own = all.iter().find(|secret| secret.name == entry.name).cloned();
            // Without a line there is no way in.
            Fact::Known(own.unwrap_or_else(|| Secret::plain(&entry.name, "*")))
        }
        Err(error) => unknown(error),
    }
}

/// All ways for accounts other than root to become root.
struct Powers {
    groups: Answer<Vec<Group>>,
    polkit: Answer<Vec<Named>>,
    sudo: Answer<Option<Sudoers>>,
    doas: Fact<bool>,
}

impl Powers {
    fn read(context: &CheckContext) -> Self {
        Self {
            groups: context.text("/etc/group").map(|text| groups::groups(&text)),
            polkit: groups::polkit(context),
            sudo: sudoers::read(context),
            // Its rules are not read here: few machines have any.
            doas: match context.os.exists("/etc/doas.conf") {
                true => Fact::unknown(Reason::NoReader, "doas may let somebody be root"),
                false => Fact::Known(false),
            },
        }
    }

    fn administrator(&self, entry: &Entry) -> Fact<bool> {
        if entry.id == 0 {
            return Fact::Known(true);
        }
        let all = match &self.groups {
            Ok(groups) => groups,
            Err(error) => return unknown(error),
        };
        let person = Person::new(&entry.name, entry.id, entry.group, all);
        let named = match &self.polkit {
            Ok(names) => Fact::Known(person.is_named(names)),
            Err(error) => unknown(error),
        };
        let by_sudo = by(&self.sudo_rights(&person), |rights| rights.everything);
        [named, by_sudo, self.doas.clone()].into_iter().fold(Fact::Known(person.equals_root()), either)
    }

    fn without_password(&self, entry: &Entry) -> Fact<bool> {
        let all = match &self.groups {
            Ok(groups) => groups,
            Err(error) => return unknown(error),
        };
        let person = Person::new(&entry.name, entry.id, entry.group, all);
        either(by(&self.sudo_rights(&person), |rights| rights.without_password), self.doas.clone())
    }

    /// Unknown where domain users may log in and a rule may spare them the password.
    fn strangers(&self, context: &CheckContext, passwd: &[Entry]) -> Fact<bool> {
        match (&self.sudo, &self.groups) {
            (Ok(Some(sudoers)), Ok(groups)) if rules::knows_a_domain(context) => {
                let here = |kind: &str, name: &str| match kind {
                    "username" => passwd.iter().any(|entry| entry.name == name),
                    "usergroup" => groups.iter().any(|(own, _, _)| own == name),
                    _ => false,
                };
                match sudoers.spares_others(&here) {
                    true => Fact::unknown(Reason::NoReader, "a rule of sudo is for people of a domain"),
                    false => Fact::Known(false),
                }
            }
            _ => Fact::Known(false),
        }
    }

    fn sudo_rights(&self, person: &Person) -> Answer<Rights> {
        let groups = self.groups.as_deref().unwrap_or_default();
        match &self.sudo {
            Ok(Some(sudoers)) => Ok(sudoers.rights(person, &Person::new("root", 0, 0, groups))),
            // Without sudo it has no effect.
            Ok(None) => Ok(NONE),
            Err(error) => Err(error.clone()),
        }
    }
}

fn by(rights: &Answer<Rights>, which: impl Fn(&Rights) -> Option<bool>) -> Fact<bool> {
    match rights {
        Ok(rights) => which(rights)
            .map_or_else(|| Fact::unknown(Reason::NoReader, "it depends on what only sudo can tell"), Fact::Known),
        Err(error) => unknown(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policies::fact::HashMethod;

    use super::*;
    use os::Program;
    use os::recorded::Recorded;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\r\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\r\n\
        canbo:x:1000:1000:Nguyễn Văn A,,,:/home/canbo:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nlan:x:1001:27::/home/lan:/bin/bash\n\
        ftp:x:1002:1002::/srv:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/bash\nbroken:x:y\n+::::::\n";
    const SHADOW: &str = "root:!:19500:0:99999:7:::\ncanbo:$y$j9T$salt$hash:19800:0:90:7::20000:\nlan::19700:0:99999:7:::\n\
        toor:$1$salt$hash:0:0::::: \n";

    fn machine() -> Recorded {
        Recorded::new()
            .file("/etc/passwd", PASSWD)
            .file("/etc/shadow", SHADOW)
            .file("/etc/group", "root:x:0:\nsudo:x:27:\ncanbo:x:1000:\n")
            .file("/bin/bash", "")
            .file("/bin/sh", "")
            // It records every login.
            .file("/run/utmp", [&[2][..], &[0; 383]].concat())
            .file("/var/log/wtmp", "")
    }

    fn collected(os: Recorded, now: &str) -> Accounts {
        collect(&CheckContext::new(Arc::new(os), now.parse().unwrap()))
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
        let mut os = machine().denying("/etc/sudoers").denying("/etc/shadow").unprivileged();
        os.files.remove("/etc/shadow");
        let accounts = collected(os, "2024-05-21T00:00:00Z");
        let users = &accounts.users.known().unwrap().items;
        let reason = |fact: &Fact<bool>| match fact {
            Fact::Unknown(unknown) => Some(unknown.reason),
            Fact::Known(_) => None,
        };
        assert_eq!(reason(&users[2].enabled), Some(Reason::NeedsAdministrator));
        assert_eq!(reason(&users[2].administrator), Some(Reason::NeedsAdministrator));
        assert_eq!(users[4].name, "nobody", "whether it has a password nobody may know");
        assert_eq!(users[3].administrator, Fact::Known(true), "a member of sudo is one whoever asks");
        assert_eq!(reason(&accounts.sudo_without_password), Some(Reason::NeedsAdministrator));
    }

    fn users(os: Recorded) -> Vec<Account> {
        collected(os, "2024-05-21T00:00:00Z").users.known().unwrap().items.clone()
    }

    #[test]
    fn whoever_has_a_shell_and_a_password_is_described_whatever_the_number() {
        let passwd = format!(
            "{PASSWD}sysbash:x:120:120::/:/bin/bash\nfar:x:61000:1::/:/bin/bash\npostgres:x:105:1::/:/bin/bash\n"
        );
        let shadow = format!(
            "{SHADOW}sysbash::19700:0:99999:7:::\nfar::19700:0:99999:7:::\npostgres:*:19700:0:99999:7:::\nnobody:*:1:0:9:7:::\n"
        );
        let users = users(machine().file("/etc/passwd", passwd).file("/etc/shadow", shadow));
        let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["root", "toor", "sysbash", "canbo", "lan", "far"]);
        for open in [&users[2], &users[5]] {
            assert_eq!((&open.enabled, &open.empty_password), (&Fact::Known(true), &Fact::Known(true)));
        }
    }

    /// With an SSH server that prints `settings`.
    fn with_ssh(os: Recorded, settings: &str) -> Recorded {
        os.file("/usr/sbin/sshd", "")
            .file("/etc/ssh/sshd_config", "")
            .process(800, "sshd", "/usr/sbin/sshd")
            .file("/proc/800/cmdline", "/usr/sbin/sshd\0-D\0")
            .answering(Program::Sshd, &["-T"], 0, settings)
    }

    #[test]
    fn a_key_opens_an_account_whose_password_is_locked() {
        let locked = machine()
            .file("/etc/shadow", SHADOW.replace("canbo:$y", "canbo:!$y"))
            .file("/etc/group", "root:x:0:\nsudo:x:27:canbo\ncanbo:x:1000:\n")
            .file("/home/canbo/.ssh/authorized_keys", "# máy 2\nssh-ed25519 AAAA canbo\n");
        let enabled = |os: Recorded| users(os)[2].enabled.clone();
        const SETTINGS: &str =
            "usepam yes\npermitrootlogin no\npubkeyauthentication yes\nauthorizedkeysfile .ssh/authorized_keys\n";
        let served = users(with_ssh(locked.clone(), SETTINGS));
        assert_eq!((&served[2].enabled, &served[2].administrator), (&Fact::Known(true), &Fact::Known(true)));
        assert_eq!(served[2].password_never_expires, Fact::Known(false));
        assert!(served[2].password_changed_at.known().is_none(), "it has none that could be old");
        assert_eq!(enabled(locked.clone()), Fact::Known(false), "nothing asks for a key");
        let stopped = locked.clone().file("/usr/sbin/sshd", "").file("/etc/ssh/sshd_config", "");
        assert_eq!(enabled(stopped), Fact::Known(true), "it may be started any time");
        let with = |change: (&str, &str)| enabled(with_ssh(locked.clone(), &SETTINGS.replace(change.0, change.1)));
        assert_eq!(with(("usepam yes", "usepam no")), Fact::Known(false));
        assert_eq!(with(("pubkeyauthentication yes", "pubkeyauthentication no")), Fact::Known(false));
        assert_eq!(with((".ssh/authorized_keys", "/etc/keys/%u")), Fact::Known(false));
        assert!(
            with(("usepam yes", "usepam yes\nauthorizedkeyscommand /usr/bin/sss_ssh_authorizedkeys")).known().is_none()
        );
        let expired = locked.clone().file("/etc/shadow", "canbo:!:19800:0:90:7::19000:\n");
        assert_eq!(enabled(with_ssh(expired, SETTINGS)), Fact::Known(false));
        // A system account's key is a way in as well.
        let system = locked.file("/etc/passwd", format!("{PASSWD}git:x:110:1::/srv/git:/bin/bash\n"));
        let system =
            system.file("/etc/shadow", "git:*:1:::::\n").file("/srv/git/.ssh/authorized_keys", "ssh-rsa AAAA\n");
        assert!(users(with_ssh(system, SETTINGS)).iter().any(|user| user.name == "git"));
    }

    #[test]
    fn members_of_groups_that_equal_root_are_administrators() {
        for group in ["docker", "lxd", "incus-admin", "disk", "libvirt", "wheel"] {
            let os = machine().file("/etc/group", format!("sudo:x:27:\n{group}:x:999:canbo\n"));
            assert_eq!(users(os)[2].administrator, Fact::Known(true), "{group}");
        }
        let named = "// unix-group:users\npolkit.addAdminRule(function(action, subject) {\n    return [\"unix-group:cntt\"];\n});\n";
        let os = machine().file("/etc/group", "sudo:x:27:\ncntt:x:999:canbo\nusers:x:100:lan\n");
        let users = users(os.file("/etc/polkit-1/rules.d/40-cntt.rules", named));
        assert_eq!(users[2].administrator, Fact::Known(true));
    }

    #[test]
    fn what_doas_or_a_domain_allows_is_unknown() {
        let accounts = collected(machine().file("/etc/doas.conf", "permit nopass canbo\n"), "2024-05-21T00:00:00Z");
        assert!(accounts.sudo_without_password.known().is_none());
        let users = &accounts.users.known().unwrap().items;
        assert!(users[2].administrator.known().is_none());
        assert_eq!(users[3].administrator, Fact::Known(true), "whatever doas says");
        let rule = r#"{"User_Specs":[{"User_List":[{"usergroup":"xa\\can-bo"}],"Host_List":[{"hostname":"ALL"}],"Cmnd_Specs":[{"Options":[{"authenticate":false}],"Commands":[{"command":"ALL"}]}]}]}"#;
        let domain = machine()
            .file("/usr/bin/sudo", "")
            .file("/etc/sudoers", "")
            .answering(Program::Visudo, &["-c"], 0, "/etc/sudoers: parsed OK\n")
            .answering(Program::Cvtsudoers, &["-e", "-f", "json", "/etc/sudoers"], 0, rule);
        let of = |os: Recorded| collected(os, "2024-05-21T00:00:00Z").sudo_without_password;
        assert_eq!(of(domain.clone()), Fact::Known(false));
        assert!(of(domain.file("/etc/nsswitch.conf", "passwd: files winbind\n")).known().is_none());
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
