//! Compares what the collectors report about accounts and SSH with what the system really does: accounts, rules and servers are set up
//! in a Debian folder, tried out, and described by the agent.
//!
//! Needs root. The folders are made once (`debootstrap`, a minute each) and kept below `target`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![cfg(target_os = "linux")]

#[path = "support/debootstrap.rs"]
mod debootstrap;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const SUITES: [&str; 2] = ["bookworm", "trixie"];

fn command(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "tests start programs")]
    Command::new(program)
}

/// A folder with a whole Debian.
fn debian(suite: &str) -> PathBuf {
    let newer = (suite != "bookworm").then_some("libpam-wtmpdb");
    let packages = ["sudo", "openssh-server", "libpam-pwquality", "cracklib-runtime", "login", "passwd"];
    let packages: Vec<&str> = packages.into_iter().chain(newer).collect();
    debootstrap::debian(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian"), suite, &packages, true).unwrap()
}

/// Runs `script` as root in a temporary copy of that Debian, with its own process namespace; there `facts FILE` writes the
/// agent's facts.
fn inside(suite: &str, script: &str) -> String {
    assert!(rustix::process::geteuid().is_root(), "only root can enter a Debian in a folder: run this test as root");
    let place = tempfile::tempdir().unwrap();
    let set_up = r#"
        mount -t tmpfs none "$PLACE"
        mkdir "$PLACE/upper" "$PLACE/work" "$PLACE/root"
        mount -t overlay overlay -o "lowerdir=$DEBIAN,upperdir=$PLACE/upper,workdir=$PLACE/work" "$PLACE/root"
        mount -t proc proc "$PLACE/root/proc"
        cp "$AGENT" "$PLACE/root/usr/bin/posture-agent"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C chroot "$PLACE/root" sh -ec "$SCRIPT"
    "#;
    let prelude = "facts() { posture-agent facts --json --section accounts --section remote; }\n";
    let output = command("unshare")
        .args(["--mount", "--pid", "--net", "--fork", "sh", "-ec", set_up])
        .env("PLACE", place.path())
        .env("DEBIAN", debian(suite))
        .env("AGENT", env!("CARGO_BIN_EXE_posture-agent"))
        .env("SCRIPT", format!("{prelude}{script}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The answers of a script that ends each with a line `---`: what the system did, then the agent's facts.
fn answers(output: &str) -> Vec<(String, Value)> {
    let parts: Vec<&str> = output.split("---\n").collect();
    parts.chunks_exact(2).map(|pair| (pair[0].trim().to_owned(), serde_json::from_str(pair[1]).unwrap())).collect()
}

fn user<'a>(facts: &'a Value, name: &str) -> Option<&'a Value> {
    let users = facts["accounts"]["users"]["known"]["items"].as_array().unwrap();
    users.iter().find(|user| user["name"] == name)
}

#[test]
fn sudo_does_what_is_said_of_it() {
    /// The content of `/etc/sudoers.d/x`, and what is done to it afterwards.
    const RULES: [(&str, &str); 18] = [
        ("canbo ALL=(ALL) ALL", ""),
        ("canbo ALL=(ALL) NOPASSWD: ALL", ""),
        ("canbo ALL=(ALL) NOPASSWD: ALL\ncanbo ALL=(ALL) ALL", ""),
        ("canbo ALL=(ALL) NOPASSWD: ALL, !ALL", ""),
        ("canbo ALL=(ALL, !root) NOPASSWD: ALL", ""),
        ("canbo elsewhere=(ALL) NOPASSWD: ALL", ""),
        ("User_Alias X = daemon\nX ALL=(ALL) NOPASSWD: ALL", ""),
        ("%absent ALL=(ALL) NOPASSWD: ALL", ""),
        ("%#1000 ALL=(ALL) NOPASSWD: ALL", ""),
        ("#1000 ALL=(ALL) NOPASSWD: /usr/bin/id", ""),
        ("ALL, !canbo ALL=(ALL) NOPASSWD: ALL", ""),
        ("canbo ALL=(ALL) ALL\nDefaults !authenticate", ""),
        ("canbo ALL=(ALL) PASSWD: ALL\nDefaults !authenticate", ""),
        ("canbo ALL=(ALL) PASSWD: ALL\nDefaults exempt_group=canbo", ""),
        ("canbo ALL=(ALL) NOPASSWD: ALL", "chmod 664 /etc/sudoers.d/x"),
        ("canbo ALL=(ALL) NOPASSWD: ALL", "chmod 666 /etc/sudoers.d/x"),
        ("canbo ALL=(ALL) NOPASSWD: ALL", "chmod 666 /etc/sudoers"),
        ("canbo ALL=(ALL) NOPASSWD: ALL", "mv /etc/sudoers.d/x \"$(printf '/etc/sudoers.d/\\376')\""),
    ];
    let mut script = "useradd -m -s /bin/bash canbo; echo canbo:Mat-Khau-2026 | chpasswd 2>/dev/null\n".to_owned();
    for (rules, after) in RULES {
        script.push_str(&format!(
            "rm -f /etc/sudoers.d/*; chmod 440 /etc/sudoers; printf '%s\\n' '{rules}' > /etc/sudoers.d/x; chmod 440 /etc/sudoers.d/x\n{after}\n\
             su canbo -c 'sudo -n /usr/bin/id' >/dev/null 2>&1 && echo true || echo false\necho ---\nfacts\necho ---\n"
        ));
    }
    for suite in SUITES {
        let output = inside(suite, &script);
        for ((did, facts), rules) in answers(&output).iter().zip(RULES) {
            let said = &facts["accounts"]["sudo_without_password"];
            // If sudo refuses a file, its effect is unknown; if a file has no name, its mode is.
            let open = rules.1 == "chmod 666 /etc/sudoers.d/x" || rules.1.starts_with("mv");
            let right = if open { said["unknown"].is_object() } else { said["known"] == (did == "true") };
            assert!(right, "{suite}: {rules:?}: sudo lets in: {did}, said: {said}");
        }
    }
}

#[test]
fn who_can_log_in_is_said_of_every_account() {
    let script = "\
        useradd -r -u 120 -s /bin/bash sysbash; passwd -d sysbash >/dev/null\n\
        useradd -u 61000 -s /bin/bash far; passwd -d far >/dev/null\n\
        useradd -m -s /bin/bash old; echo old:Mat-Khau-2026 | chpasswd 2>/dev/null; chage -d 2020-01-01 -M 90 -I 30 old\n\
        useradd -m -s /bin/bash locked\n\
        for name in sysbash far; do passwd -S $name; su nobody -s /bin/sh -c \"su $name -c true\" && echo in; done\n\
        su locked -c true\n\
        su nobody -s /bin/sh -c 'echo Mat-Khau-2026 | su old -c true' 2>/dev/null && echo in || echo out\n\
        echo ---\nfacts\necho ---\n";
    for suite in SUITES {
        let output = inside(suite, script);
        let (did, facts) = &answers(&output)[0];
        let did: Vec<&str> = did.lines().map(|line| line.split(" 20").next().unwrap()).collect();
        assert_eq!(did, ["sysbash NP", "in", "far NP", "in", "out"], "{suite}");
        for name in ["sysbash", "far"] {
            let user = user(facts, name).unwrap();
            assert_eq!((&user["enabled"]["known"], &user["empty_password"]["known"]), (&true.into(), &true.into()));
        }
        // Only the newer system records its session, and there nothing keeps the older files.
        let session = &user(facts, "locked").unwrap()["last_logon_at"];
        assert_eq!(session["known"].is_string(), suite == "trixie", "{suite}: {session}");
        let used = &user(facts, "old").unwrap()["last_used_at"];
        assert_eq!(used["known"].is_string(), suite == "trixie", "{suite}: set in 2020, and no log of logins: {used}");
        for name in ["old", "locked"] {
            assert_eq!(user(facts, name).unwrap()["enabled"]["known"], false, "{suite}: {name}");
        }
    }
}

#[test]
fn a_password_of_the_length_that_is_said_is_the_shortest_that_is_taken() {
    /// `pwquality.conf`, its drop-in.
    const FILES: [(&str, &str); 4] =
        [("", ""), ("minlen = 14", ""), ("minlen = 14", "minlen = 8"), ("minlen = 10\ndcredit = 1", "minlen = 12")];
    // For root the rules are only advice.
    let mut script = "useradd -m -s /bin/bash canbo; mkdir -p /etc/security/pwquality.conf.d\n\
        sed -i 's/pam_pwquality.so retry=3/pam_pwquality.so retry=1 enforce_for_root/' /etc/pam.d/common-password\n"
        .to_owned();
    for (main, part) in FILES {
        script.push_str(&format!(
            "printf '%s\\n' '{main}' > /etc/security/pwquality.conf; printf '%s\\n' '{part}' > /etc/security/pwquality.conf.d/x.conf\n\
             long=tqzkwxvjbgmrdpyhcn; for length in $(seq 6 18); do word=$(printf \"%.${{length}}s\" $long)\n\
             if echo canbo:$word | chpasswd >/dev/null 2>&1; then echo $length; break; fi; done\necho ---\nfacts\necho ---\n"
        ));
    }
    for suite in SUITES {
        let output = inside(suite, &script);
        for ((did, facts), files) in answers(&output).iter().zip(FILES) {
            let said = &facts["accounts"]["password_min_length"]["known"];
            // Without digits no credit is earned; what is said is the shortest with them.
            let credit = i64::from(files.0.contains("dcredit"));
            assert_eq!(said.as_i64().map(|length| length + credit), did.parse().ok(), "{suite}: {files:?}");
        }
    }
}

#[test]
fn the_shell_is_left_when_it_is_said() {
    /// Those that the agent reports, then those that only a shell could evaluate.
    const TEXTS: [(&str, bool); 9] = [
        ("TMOUT=900", true),
        ("TMOUT=\"900\"; export TMOUT", true),
        ("readonly TMOUT=300; export TMOUT", true),
        ("typeset -r TMOUT=600", true),
        (": ${TMOUT:=900}", false),
        ("TMOUT=$((15 * 60))", false),
        ("TMOUT=900\nunset TMOUT", false),
        ("[ -z \"$TMOUT\" ] && TMOUT=700", false),
        ("case $- in\n*i*) TMOUT=800 ;;\nesac", false),
    ];
    let mut script = "useradd -m -s /bin/bash canbo\n".to_owned();
    for (text, _) in TEXTS {
        script.push_str(&format!(
            "cat > /etc/profile.d/x.sh <<'END'\n{text}\nEND\n\
             su - canbo -s /bin/bash -c 'bash -lic \"echo \\${{TMOUT:-0}}\"' 2>/dev/null | tail -n 1\necho ---\nfacts\necho ---\n"
        ));
    }
    for suite in SUITES {
        let output = inside(suite, &script);
        for ((did, facts), (text, told)) in answers(&output).iter().zip(TEXTS) {
            let said = if told { did.as_str() } else { "null" };
            assert_eq!(facts["accounts"]["shell_timeout"]["known"].to_string(), said, "{suite}: {text}");
        }
    }
}

#[test]
fn the_ssh_server_that_runs_is_the_one_that_is_described() {
    let start = |words: &str| {
        // Its pid file exists once it listens. Its title needs the space that systemd's variables provide.
        let room = "x".repeat(200);
        format!(
            "rm -f /run/sshd.pid; ROOM={room} /usr/sbin/sshd {words}; until [ -s /run/sshd.pid ]; do sleep 0.05; done\n"
        )
    };
    let stop = "kill $(cat /run/sshd.pid); while [ -e /run/sshd.pid ]; do sleep 0.05; done\n";
    let facts = "echo ---\nfacts\necho ---\n";
    let folder = "mkdir -p /run/sshd\n";
    let matching = "printf 'Match Address 10.0.0.0/8\\n PermitEmptyPasswords yes\\n' > /etc/ssh/sshd_config.d/x.conf\n";
    let script = [
        folder,
        &start("-p 2201 -o PermitRootLogin=yes -o Ciphers=aes128-cbc"),
        facts,
        stop,
        &start("-p 2202"),
        facts,
        // Changed without a reload; then reloaded.
        "printf 'PermitRootLogin yes\\n' > /etc/ssh/sshd_config.d/y.conf; touch -d '+1 minute' /etc/ssh/sshd_config.d/y.conf\n",
        facts,
        "touch /etc/ssh/sshd_config.d/y.conf /mark; kill -HUP $(cat /run/sshd.pid)\n\
         until [ -s /run/sshd.pid ] && [ /run/sshd.pid -nt /mark ]; do sleep 0.05; done\n",
        facts,
        stop,
        "rm /etc/ssh/sshd_config.d/y.conf\n",
        matching,
        &start("-p 2203"),
        facts,
        stop,
    ]
    .concat();
    for suite in SUITES {
        let output = inside(suite, &script);
        let remotes: Vec<Value> = answers(&output).into_iter().map(|(_, facts)| facts["remote"].clone()).collect();
        let root = |at: usize| &remotes[at]["ssh_root_login"]["known"];
        assert_eq!((root(0), root(1)), (&"yes".into(), &"key_only".into()), "{suite}");
        assert_eq!(remotes[0]["ssh_weak_algorithms"]["known"]["items"][0], "aes128-cbc");
        assert!(remotes[2]["ssh_root_login"]["unknown"].is_object(), "{suite}: {}", remotes[2]);
        assert_eq!(root(3), "yes", "{suite}");
        assert_eq!(remotes[4]["ssh_empty_password"]["known"], true, "{suite}");
        assert_eq!(root(4), "key_only", "{suite}");
    }
}
