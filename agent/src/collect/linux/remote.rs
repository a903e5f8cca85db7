//! Section `remote`: SSH as the server itself reports its settings, and remote-control programs.

use policies::fact::{Fact, List, Reason, Remote, RootLogin, Seconds, Unknown};

use super::scene::{Scene, unknown};
use crate::collect::control::PROGRAMS;
use crate::collect::linux::text::{capped, yes};
use crate::os::{Answer, OsError, Program};

mod sshd;

use sshd::Settings;

pub(super) fn collect(scene: &Scene) -> Remote {
    let settings = settings(scene);
    let ask = |keyword: &str| match &settings {
        Ok(settings) => settings.value(keyword),
        Err(error) => unknown(error),
    };
    let flag = |keyword: &str| decided(&settings, keyword, yes);
    Remote {
        ssh_server: Fact::Known(ssh_server(scene)),
        ssh_root_login: root_login(&settings),
        ssh_password: password(&settings),
        ssh_empty_password: flag("permitemptypasswords"),
        ssh_max_tries: number(ask("maxauthtries")),
        ssh_idle: match (number(ask("clientaliveinterval")), number(ask("clientalivecountmax"))) {
            // A count of 0 switches the cut off.
            (Fact::Known(interval), Fact::Known(count)) => Fact::Known(Seconds(interval.saturating_mul(count))),
            (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown),
        },
        ssh_limited: match &settings {
            Ok(settings) => Fact::Known(["allowusers", "allowgroups"].iter().any(|keyword| settings.says(keyword))),
            Err(error) => unknown(error),
        },
        ssh_x11: flag("x11forwarding"),
        ssh_weak_algorithms: weak_algorithms(&settings),
        // Both are of Windows; xrdp and its like are remote-control programs.
        rdp: Fact::Known(false),
        rdp_nla: Fact::unknown(Reason::SourceMissing, "Remote Desktop of Windows only"),
        rdp_port: Fact::unknown(Reason::SourceMissing, "Remote Desktop of Windows only"),
        winrm: Fact::Known(false),
        control_programs: control_programs(scene),
    }
}

/// True when a server runs, or systemd holds its port for it.
fn ssh_server(scene: &Scene) -> bool {
    let installed = Program::Sshd.paths().iter().any(|path| scene.os.exists(path));
    let on_demand = || {
        ["ssh.socket", "sshd.socket"].iter().any(|unit| {
            let unit_folder = format!("/sys/fs/cgroup/system.slice/{unit}");
            scene.systemd() && (scene.os.exists(&unit_folder) || scene.unit_enabled(unit))
        })
    };
    scene.runs_any(&["sshd", "dropbear"]) || (installed && on_demand())
}

/// What `sshd -T` prints; where it cannot be asked, what its file says.
fn settings(scene: &Scene) -> Answer<Settings> {
    if !Program::Sshd.paths().iter().any(|path| scene.os.exists(path)) {
        return Err(OsError::Missing(Program::Sshd.paths()[0].to_owned()));
    }
    let why = |reason, detail: &str| Unknown { reason, detail: capped(detail) };
    // Without being an administrator it cannot read its own keys and prints nothing.
    if !scene.os.administrator() {
        return sshd::read_file(scene, why(Reason::NeedsAdministrator, "sshd -T"));
    }
    let output = scene.os.run(Program::Sshd, &["-T"])?;
    let said = output.stderr.lines().next().unwrap_or_default();
    let file = sshd::read_file(scene, why(Reason::Unreadable, &format!("sshd -T: {said}")));
    if output.status == Some(0) && !output.cut { Ok(Settings::printed(&output.stdout, file?)) } else { file }
}

/// A yes-or-no setting that is dangerous when `weak`. A `Match` block that says otherwise leaves it open, unless it is weak
/// for everybody already.
fn decided(settings: &Answer<Settings>, keyword: &str, weak: impl Fn(&str) -> bool) -> Fact<bool> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return unknown(error),
    };
    match settings.value(keyword) {
        Fact::Known(value) if weak(&value) => Fact::Known(true),
        Fact::Known(_) if settings.matches(keyword).any(weak) => {
            Fact::unknown(Reason::Unreadable, format!("a Match block sets {keyword} otherwise"))
        }
        Fact::Known(_) => Fact::Known(false),
        Fact::Unknown(unknown) => Fact::Unknown(unknown),
    }
}

fn root_login(settings: &Answer<Settings>) -> Fact<RootLogin> {
    let read = |value: &str| match value {
        "no" => Some(RootLogin::No),
        "prohibit-password" | "without-password" => Some(RootLogin::KeyOnly),
        "forced-commands-only" => Some(RootLogin::ForcedCommandsOnly),
        "yes" => Some(RootLogin::Yes),
        _ => None,
    };
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return unknown(error),
    };
    match settings.value("permitrootlogin") {
        Fact::Known(value) => match read(&value) {
            Some(RootLogin::Yes) => Fact::Known(RootLogin::Yes),
            Some(global) if settings.matches("permitrootlogin").all(|value| read(value) == Some(global)) => {
                Fact::Known(global)
            }
            Some(_) => Fact::unknown(Reason::Unreadable, "a Match block sets permitrootlogin otherwise"),
            None => Fact::unknown(Reason::Unreadable, format!("permitrootlogin {}", capped(&value))),
        },
        Fact::Unknown(unknown) => Fact::Unknown(unknown),
    }
}

/// A password is enough when the server takes one itself or lets PAM ask for one, and asks for nothing beside it.
fn password(settings: &Answer<Settings>) -> Fact<bool> {
    let itself = decided(settings, "passwordauthentication", yes);
    let asked = decided(settings, "kbdinteractiveauthentication", yes);
    let pam = decided(settings, "usepam", yes);
    let by_pam = match (&asked, &pam) {
        (Fact::Known(false), _) | (_, Fact::Known(false)) => Fact::Known(false),
        (Fact::Known(true), Fact::Known(true)) => Fact::Known(true),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown.clone()),
    };
    let taken = match (itself, by_pam) {
        (Fact::Known(true), _) | (_, Fact::Known(true)) => Fact::Known(true),
        (Fact::Known(false), Fact::Known(false)) => Fact::Known(false),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown),
    };
    let Ok(settings) = settings else { return taken };
    match (taken, settings.value("authenticationmethods")) {
        (Fact::Known(true), Fact::Known(methods)) if methods != "any" => {
            let alone = |list: &str| {
                let mut methods = list.split(',').map(|method| method.split(':').next().unwrap_or_default());
                methods.all(|method| method == "password" || method == "keyboard-interactive")
            };
            Fact::Known(methods.split_ascii_whitespace().any(alone))
        }
        (taken, _) => taken,
    }
}

fn number(value: Fact<String>) -> Fact<i64> {
    match value {
        Fact::Known(value) => match sshd::seconds(&value) {
            Some(number) => Fact::Known(number),
            None => Fact::unknown(Reason::Unreadable, capped(&value)),
        },
        Fact::Unknown(unknown) => Fact::Unknown(unknown),
    }
}

/// Algorithms broken or given up: CBC and stream ciphers of old, SHA-1 key exchange, MD5 and shortened codes.
fn weak_algorithms(settings: &Answer<Settings>) -> Fact<List<String>> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return unknown(error),
    };
    let mut weak = Vec::new();
    for keyword in ["ciphers", "kexalgorithms", "macs"] {
        match settings.value(keyword) {
            Fact::Known(list) => weak.extend(list.split(',').filter(|name| is_weak(name)).map(capped)),
            Fact::Unknown(unknown) => return Fact::Unknown(unknown),
        }
    }
    weak.sort_unstable();
    weak.dedup();
    Fact::Known(List::capped(weak))
}

fn is_weak(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or_default();
    name.ends_with("-cbc")
        || ["arcfour", "blowfish", "cast128", "hmac-md5", "hmac-ripemd"].iter().any(|start| name.starts_with(start))
        || (name.starts_with("diffie-hellman-") && name.ends_with("-sha1"))
        || name.ends_with("-96")
}

fn control_programs(scene: &Scene) -> Fact<List<String>> {
    if scene.processes().is_empty() {
        return Fact::unknown(Reason::Unreadable, "/proc shows no process");
    }
    let mut found: Vec<String> = PROGRAMS
        .iter()
        .filter(|program| scene.runs_any(program.linux))
        .map(|program| program.name.to_owned())
        .collect();
    found.sort_unstable();
    found.dedup();
    Fact::Known(List::capped(found))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    const PRINTED: &str = "port 22\npermitrootlogin without-password\npasswordauthentication no\nkbdinteractiveauthentication no\n\
        usepam yes\npermitemptypasswords no\nmaxauthtries 6\nclientaliveinterval 300\nclientalivecountmax 3\nx11forwarding yes\n\
        authenticationmethods any\nallowgroups canbo\nciphers chacha20-poly1305@openssh.com,aes128-cbc\n\
        macs hmac-sha2-256,hmac-md5-96@openssh.com\nkexalgorithms curve25519-sha256,diffie-hellman-group14-sha1\n";

    fn installed() -> Recorded {
        let os = Recorded::new().file("/usr/sbin/sshd", "").process(800, "sshd", "/usr/sbin/sshd");
        os.file("/etc/ssh/sshd_config", "")
    }

    fn collected(os: Recorded) -> Remote {
        collect(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH))
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
    fn a_match_block_that_says_otherwise_leaves_it_open() {
        let config = "PasswordAuthentication no\nMatch Address 10.0.0.0/8\n  PasswordAuthentication yes\n";
        assert!(printed(("", ""), config).ssh_password.known().is_none());
        let stricter = "Match User x\n X11Forwarding no\n PermitRootLogin yes\n";
        let remote = printed(("", ""), stricter);
        assert_eq!(remote.ssh_x11, Fact::Known(true));
        assert!(remote.ssh_root_login.known().is_none());
    }

    #[test]
    fn without_an_administrator_the_file_speaks() {
        let os =
            installed().unprivileged().file("/etc/ssh/sshd_config", "PermitRootLogin no\nClientAliveInterval 5m\n");
        let remote = collected(os);
        assert_eq!((remote.ssh_root_login, remote.ssh_idle), (Fact::Known(RootLogin::No), Fact::Known(Seconds(900))));
        assert!(
            matches!(remote.ssh_weak_algorithms, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator)
        );
        let denied = collected(installed().unprivileged().denying("/etc/ssh/sshd_config"));
        assert!(matches!(denied.ssh_password, Fact::Unknown(unknown) if unknown.reason == Reason::NeedsAdministrator));
    }

    #[test]
    fn no_server_has_no_settings() {
        let remote = collected(Recorded::new().process(5, "anydesk", ""));
        assert_eq!(remote.ssh_server, Fact::Known(false));
        assert!(matches!(remote.ssh_password, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        assert_eq!(remote.control_programs.known().unwrap().items, ["AnyDesk"]);
    }
}
