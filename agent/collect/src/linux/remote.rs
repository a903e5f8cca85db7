//! Section `remote`: SSH with the settings that the server itself reports, and remote-control programs.

use policies::fact::{Fact, List, Reason, Remote, RootLogin, Seconds};

use super::context::CheckContext;
use crate::control::PROGRAMS;
use crate::linux::ssh_settings::{Settings, Ssh};
use crate::linux::text::{capped, yes};

pub(super) mod ssh;

pub(super) fn collect(context: &CheckContext) -> Remote {
    let ssh = ssh::answers(context);
    let flag = |keyword: &'static str| ssh.any(&[keyword], |settings| settings.value(keyword).map(yes));
    Remote {
        ssh_server: Fact::Known(ssh.serves()),
        ssh_root_login: root_login(ssh),
        ssh_password: password(ssh),
        ssh_empty_password: flag("permitemptypasswords"),
        ssh_max_tries: ssh.worst(
            &["maxauthtries"],
            |settings| number(settings, "maxauthtries").map(|tries| (tries, tries)),
            &i64::MAX,
        ),
        ssh_idle: idle(ssh),
        ssh_limited: limited(ssh),
        ssh_x11: flag("x11forwarding"),
        ssh_weak_algorithms: weak_algorithms(ssh),
        // Both are for Windows; xrdp and the like are remote-control programs.
        rdp: Fact::Known(false),
        rdp_nla: Fact::unknown(Reason::SourceMissing, "Remote Desktop of Windows only"),
        rdp_port: Fact::unknown(Reason::SourceMissing, "Remote Desktop of Windows only"),
        winrm: Fact::Known(false),
        control_programs: control_programs(context),
    }
}

fn root_login(ssh: &Ssh) -> Fact<RootLogin> {
    let read = |settings: &Settings| match settings.value("permitrootlogin")? {
        "no" => Some((0, RootLogin::No)),
        "forced-commands-only" => Some((1, RootLogin::ForcedCommandsOnly)),
        "prohibit-password" | "without-password" => Some((2, RootLogin::KeyOnly)),
        "yes" => Some((3, RootLogin::Yes)),
        _ => None,
    };
    // What a block sets here for users other than root changes nothing.
    ssh.worst(
        &["permitrootlogin"],
        |settings| if settings.of_root() { read(settings) } else { Some((0, RootLogin::No)) },
        &3,
    )
}

/// True when a password is enough: the server accepts one itself or lets PAM ask for one, and requires nothing else.
fn password(ssh: &Ssh) -> Fact<bool> {
    let keywords = ["passwordauthentication", "kbdinteractiveauthentication", "usepam", "authenticationmethods"];
    ssh.any(&keywords, |settings| {
        let [itself, asked, pam] = ["passwordauthentication", "kbdinteractiveauthentication", "usepam"];
        let flag = |keyword: &str| settings.value(keyword).map(yes);
        let taken = flag(itself)? || flag(asked)? && flag(pam)?;
        let alone = |list: &str| {
            let mut methods = list.split(',').map(|method| method.split(':').next().unwrap_or_default());
            methods.all(|method| ["any", "password", "keyboard-interactive"].contains(&method))
        };
        // Old servers do not print the methods when any is accepted.
        let methods = settings.value("authenticationmethods").unwrap_or("any");
        Some(taken && methods.split_ascii_whitespace().any(alone))
    })
}

/// Never is worse than late. A count of 0 disables disconnecting.
fn idle(ssh: &Ssh) -> Fact<Seconds> {
    let keywords = ["clientaliveinterval", "clientalivecountmax"];
    let read = |settings: &Settings| {
        let seconds = number(settings, keywords[0])?.saturating_mul(number(settings, keywords[1])?);
        Some((if seconds == 0 { i64::MAX } else { seconds }, Seconds(seconds)))
    };
    ssh.worst(&keywords, read, &i64::MAX)
}

/// A pattern that matches everyone limits nobody.
fn limited(ssh: &Ssh) -> Fact<bool> {
    let keywords = ["allowusers", "allowgroups"];
    let open = ssh.any(&keywords, |settings| {
        let named = |list: &str| !list.split_ascii_whitespace().any(|pattern| pattern == "*");
        Some(!keywords.iter().any(|keyword| settings.value(keyword).is_some_and(named)))
    });
    match open {
        Fact::Known(open) => Fact::Known(!open),
        Fact::Unknown(unknown) => Fact::Unknown(unknown),
    }
}

/// A number as the server prints it; times are in seconds.
fn number(settings: &Settings, keyword: &str) -> Option<i64> {
    settings.value(keyword)?.parse().ok()
}

/// Broken or deprecated algorithms: old CBC and stream ciphers, SHA-1 key exchange, MD5 and truncated MACs.
fn weak_algorithms(ssh: &Ssh) -> Fact<List<String>> {
    let keywords = ["ciphers", "kexalgorithms", "macs"];
    let read = |settings: &Settings| {
        let mut weak: Vec<String> = Vec::new();
        for keyword in keywords {
            weak.extend(settings.value(keyword)?.split(',').filter(|name| is_weak(name)).map(capped));
        }
        weak.sort_unstable();
        weak.dedup();
        Some((weak.len(), List::capped(weak)))
    };
    ssh.worst(&keywords, read, &1)
}

fn is_weak(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or_default();
    name.ends_with("-cbc")
        || ["arcfour", "blowfish", "cast128", "hmac-md5", "hmac-ripemd"].iter().any(|start| name.starts_with(start))
        || (name.starts_with("diffie-hellman-") && name.ends_with("-sha1"))
        || name.ends_with("-96")
}

fn control_programs(context: &CheckContext) -> Fact<List<String>> {
    if context.processes().is_empty() {
        return Fact::unknown(Reason::Unreadable, "/proc shows no process");
    }
    let mut found: Vec<String> = PROGRAMS
        .iter()
        .filter(|program| context.runs_any(program.linux))
        .map(|program| program.name.to_owned())
        .collect();
    found.sort_unstable();
    found.dedup();
    Fact::Known(List::capped(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::Program;
    use os::recorded::Recorded;

    const PRINTED: &str = "port 22\npermitrootlogin without-password\npasswordauthentication no\nkbdinteractiveauthentication no\n\
        usepam yes\npermitemptypasswords no\nmaxauthtries 6\nclientaliveinterval 300\nclientalivecountmax 3\nx11forwarding yes\n\
        authenticationmethods any\nallowgroups canbo\nciphers chacha20-poly1305@openssh.com,aes128-cbc\n\
        macs hmac-sha2-256,hmac-md5-96@openssh.com\nkexalgorithms curve25519-sha256,diffie-hellman-group14-sha1\n";

    fn installed() -> Recorded {
        let os = Recorded::new().file("/usr/sbin/sshd", "").process(800, "sshd", "/usr/sbin/sshd");
        os.file("/etc/ssh/sshd_config", "").file("/proc/800/cmdline", "/usr/sbin/sshd\0-D\0")
    }

    fn collected(os: Recorded) -> Remote {
        collect(&CheckContext::of(os))
    }

    fn printed(change: (&str, &str), config: &str) -> Remote {
        let text = PRINTED.replace(change.0, change.1);
        collected(installed().file("/etc/ssh/sshd_config", config).answering(Program::Sshd, &["-T"], 0, &text))
    }

    #[test]
    fn the_server_is_believed_about_itself() {
        let remote = printed(("", ""), "");
        assert_eq!((remote.ssh_server, remote.ssh_root_login), (Fact::Known(true), Fact::Known(RootLogin::KeyOnly)));
        assert_eq!((remote.ssh_password, remote.ssh_empty_password), (Fact::Known(false), Fact::Known(false)));
        assert_eq!((remote.ssh_max_tries, remote.ssh_idle), (Fact::Known(6), Fact::Known(Seconds(900))));
        assert_eq!((remote.ssh_limited, remote.ssh_x11), (Fact::Known(true), Fact::Known(true)));
        let weak = ["aes128-cbc", "diffie-hellman-group14-sha1", "hmac-md5-96@openssh.com"];
        assert_eq!(remote.ssh_weak_algorithms.known().unwrap().items, weak);
    }

    #[test]
    fn a_password_asked_by_pam_is_a_password() {
        let change = ("kbdinteractiveauthentication no", "kbdinteractiveauthentication yes");
        assert_eq!(printed(change, "").ssh_password, Fact::Known(true));
        let both = ("passwordauthentication no\nkbd", "passwordauthentication yes\nkbd");
        assert_eq!(printed(both, "").ssh_password, Fact::Known(true));
        let text = PRINTED.replace(both.0, both.1).replace("methods any", "methods publickey,password");
        let os = installed().answering(Program::Sshd, &["-T"], 0, &text);
        assert_eq!(collected(os).ssh_password, Fact::Known(false));
    }

    #[test]
    fn the_case_of_keywords_does_not_matter() {
        let mixed = PRINTED.replace("permitroot", "PermitRoot").replace("allowgroups canbo", "AllowGroups canbo");
        let remote = collected(installed().answering(Program::Sshd, &["-T"], 0, &mixed));
        assert_eq!((remote.ssh_root_login, remote.ssh_limited), (Fact::Known(RootLogin::KeyOnly), Fact::Known(true)));
        assert_eq!(printed(("allowgroups canbo", "allowusers *"), "").ssh_limited, Fact::Known(false));
    }

    /// A listening server with these words after its name.
    fn running(os: Recorded, pid: u32, words: &str) -> Recorded {
        let title = format!("sshd: /usr/sbin/sshd {words} [listener] 0 of 10-100 startups\0");
        os.process(pid, "sshd", "/usr/sbin/sshd").file(&format!("/proc/{pid}/cmdline"), title)
    }

    #[test]
    fn the_options_of_the_running_server_win_over_its_file() {
        let weak = PRINTED.replace("permitrootlogin without-password", "permitrootlogin yes");
        let arguments = ["-T", "-o", "PermitRootLogin=yes", "-o", "PermitEmptyPasswords=yes"];
        let weak = weak.replace("permitemptypasswords no", "permitemptypasswords yes");
        let os = running(installed(), 800, "-D -o PermitRootLogin=yes -o PermitEmptyPasswords=yes")
            .answering(Program::Sshd, &["-T"], 0, PRINTED)
            .answering(Program::Sshd, &arguments, 0, &weak);
        let remote = collected(os);
        assert_eq!(remote.ssh_root_login, Fact::Known(RootLogin::Yes));
        assert_eq!(remote.ssh_empty_password, Fact::Known(true));
    }

    #[test]
    fn of_two_servers_the_worse_one_counts() {
        let other = ["-T", "-p", "2222", "-f", "/etc/ssh/other"];
        let os = running(installed(), 900, "-p 2222 -f /etc/ssh/other")
            .file("/etc/ssh/other", "PermitEmptyPasswords yes\n")
            .answering(Program::Sshd, &["-T"], 0, PRINTED);
        let weak = PRINTED.replace("permitemptypasswords no", "permitemptypasswords yes");
        let remote = collected(os.clone().answering(Program::Sshd, &other, 0, &weak));
        assert_eq!(remote.ssh_empty_password, Fact::Known(true));
        let silent = collected(os.clone());
        assert!(silent.ssh_empty_password.known().is_none(), "the other one was not heard");
        assert_eq!(silent.ssh_x11, Fact::Known(true), "it cannot be worse than this");
        // Made by an unprivileged user, for their own use only.
        let own = collected(os.clone().owned("/proc/900", 1000, 0o555));
        assert_eq!(own.ssh_empty_password, Fact::Known(false));
        let hidden = collected(os.clone().file("/proc/900/status", "Name:\tsshd\nUid:\t1000\t1000\t1000\t1000\n"));
        assert_eq!(hidden.ssh_empty_password, Fact::Known(false));
        let foreign = os.symlink("/proc/900/exe", "/opt/ssh/sbin/sshd");
        assert!(collected(foreign).ssh_empty_password.known().is_none());
        let dropbear = installed().process(901, "dropbear", "").answering(Program::Sshd, &["-T"], 0, PRINTED);
        assert!(collected(dropbear).ssh_empty_password.known().is_none());
    }

    #[test]
    fn a_server_on_demand_is_asked_with_the_options_of_its_unit() {
        let os = Recorded::new()
            .file("/usr/sbin/sshd", "")
            .file("/etc/ssh/sshd_config", "")
            .folder("/run/systemd/system")
            .symlink("/etc/systemd/system/sockets.target.wants/ssh.socket", "/usr/lib/systemd/system/ssh.socket")
            .file("/usr/lib/systemd/system/ssh.socket", "[Socket]\nListenStream=22\nAccept=no\n")
            .file(
                "/usr/lib/systemd/system/ssh.service",
                "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n",
            )
            .file("/etc/default/ssh", "SSHD_OPTS='-o PermitRootLogin=yes'\n");
        let arguments = ["-T", "-G", "-o", "PermitRootLogin=yes"];
        let text = PRINTED.replace("permitrootlogin without-password", "permitrootlogin yes");
        // Nobody is connected, so its folder under /run does not exist and a full test is refused.
        let os = os.answering(Program::Sshd, &["-T", "-o", "PermitRootLogin=yes"], 255, "").answering(
            Program::Sshd,
            &arguments,
            0,
            &text,
        );
        let remote = collected(os.clone());
        assert_eq!((&remote.ssh_server, &remote.ssh_root_login), (&Fact::Known(true), &Fact::Known(RootLogin::Yes)));
        assert!(!remote.ssh_weak_algorithms.known().unwrap().items.is_empty());
        let quoted = os.file("/etc/default/ssh", "SSHD_OPTS='-o \"AllowUsers x\"'\n");
        assert!(collected(quoted).ssh_root_login.known().is_none());
    }

    #[test]
    fn a_file_that_was_changed_since_does_not_speak_for_the_server() {
        let stat = format!("800 (sshd) S {}1000 0\n", "0 ".repeat(18));
        let mut os =
            running(installed(), 800, "-D").file("/proc/800/stat", stat).answering(Program::Sshd, &["-T"], 0, PRINTED);
        os.hardware.booted_at = 1_000_000;
        let at = |seconds: i64| os.clone().modified("/etc/ssh/sshd_config", seconds * 1_000);
        assert_eq!(collected(at(1_000_000)).ssh_empty_password, Fact::Known(false));
        let changed = at(1_000_100);
        assert!(collected(changed.clone()).ssh_empty_password.known().is_none());
        let renewed = changed.file("/run/sshd.pid", "800\n").modified("/run/sshd.pid", 1_000_200_000);
        assert_eq!(collected(renewed).ssh_empty_password, Fact::Known(false));
    }

    #[test]
    fn each_match_block_is_asked_and_the_worst_answer_counts() {
        let config = "Match Address 10.0.0.0/8\n  PermitEmptyPasswords yes\n";
        let who = |user: &str, address: &str| {
            format!("user={user},host=stranger.invalid,addr={address},laddr=198.51.100.1,lport=22")
        };
        let weak = PRINTED.replace("permitemptypasswords no", "permitemptypasswords yes");
        let mut os = installed().file("/etc/ssh/sshd_config", config);
        for user in ["root", "stranger"] {
            os = os.answering(Program::Sshd, &["-T", "-C", &who(user, "203.0.113.77")], 0, PRINTED).answering(
                Program::Sshd,
                &["-T", "-C", &who(user, "10.0.0.0")],
                0,
                &weak,
            );
        }
        let remote = collected(os.clone());
        assert_eq!(remote.ssh_empty_password, Fact::Known(true));
        assert_eq!(remote.ssh_root_login, Fact::Known(RootLogin::KeyOnly));
        let undecided = os.file("/etc/ssh/sshd_config", "Match Exec x\nPermitEmptyPasswords yes\n");
        let remote = collected(undecided);
        assert!(remote.ssh_empty_password.known().is_none());
        assert_eq!(remote.ssh_root_login, Fact::Known(RootLogin::KeyOnly), "the block says nothing of it");
    }

    #[test]
    fn without_an_administrator_the_server_may_still_speak() {
        let os = installed().unprivileged().answering(Program::Sshd, &["-T"], 1, "");
        let unheard = |os: Recorded| matches!(collected(os).ssh_password, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator);
        assert!(unheard(os.clone()));
        assert!(unheard(os.clone().denying("/etc/ssh/sshd_config")));
        let newer = collected(os.answering(Program::Sshd, &["-T", "-G"], 0, PRINTED));
        assert_eq!(newer.ssh_idle, Fact::Known(Seconds(900)));
    }

    #[test]
    fn no_server_has_no_settings() {
        let remote = collected(Recorded::new().process(5, "anydesk", ""));
        assert_eq!(remote.ssh_server, Fact::Known(false));
        assert!(matches!(remote.ssh_password, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        assert_eq!(remote.control_programs.known().unwrap().items, ["AnyDesk"]);
    }
}
