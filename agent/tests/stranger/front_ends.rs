//! The real ufw and firewalld, run in a Debian folder inside the machine's namespace.

use std::path::{Path, PathBuf};

use crate::cases::{Case, Expected};
use crate::debootstrap::debian;
use crate::network::sh;

/// The folder with Debian.
pub(crate) fn folder() -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
    debian(&kept, "bookworm", &["ufw", "firewalld", "procps"], false).unwrap()
}

/// Puts a temporary, writable copy of `folder` at `/mnt/root`.
pub(crate) fn enter(folder: &Path) {
    sh(&format!(
        "mount -t tmpfs none /mnt; mkdir /mnt/up /mnt/work /mnt/root
        mount -t overlay overlay -o lowerdir={},upperdir=/mnt/up,workdir=/mnt/work /mnt/root
        for part in dev proc sys; do mount --rbind /$part /mnt/root/$part; done
        mount -t tmpfs none /mnt/root/run; mkdir /mnt/root/run/dbus",
        folder.display()
    ))
    .unwrap();
    let bus = "<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen><policy context=\"default\">\
        <allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>";
    std::fs::write("/mnt/root/bus.conf", bus).unwrap();
}

pub(crate) fn ufw() -> Vec<Case> {
    use Expected::{KeptOut, LetIn, NoFirewall};
    let case = |expected, name: &str, commands: &str| {
        let inside = "chroot /mnt/root env PATH=/usr/sbin:/usr/bin:/sbin:/bin ufw";
        let commands: String = ["--force reset", "default deny incoming"]
            .into_iter()
            .chain(commands.lines())
            .map(|line| format!("{inside} {}\n", line.trim()))
            .collect();
        // A reset keeps the old rules in files named by the second, and refuses when they are there.
        let start = "exec >/dev/null\nrm -f /mnt/root/etc/ufw/*.rules.2*";
        Case { expected, commands: format!("{start}\n{commands}"), ..Case::new(name, "") }
    };
    vec![
        case(KeptOut, "ufw as it is", "--force enable"),
        case(
            KeptOut,
            "ufw with services",
            "allow 22/tcp\nallow 80,443/tcp\nlimit 25/tcp\nallow from 192.168.0.0/16\nallow 60000:61000/udp\n--force enable",
        ),
        case(KeptOut, "ufw that rejects", "default reject incoming\n--force enable"),
        case(NoFirewall, "ufw that allows", "default allow incoming\n--force enable"),
        case(LetIn, "ufw that allows, but for one port", "default allow incoming\ndeny 23/tcp\n--force enable"),
        case(LetIn, "ufw with a rule for everybody", "allow from any\n--force enable"),
        case(LetIn, "ufw with a rule for the interface", "allow in on eth0\n--force enable"),
        case(LetIn, "ufw with a rule for the address", "allow to 192.168.50.10\n--force enable"),
        case(LetIn, "ufw with all of TCP", "allow 1024:65535/tcp\n--force enable"),
        case(KeptOut, "ufw with a rule for another interface", "allow in on wg0\n--force enable"),
        case(NoFirewall, "ufw switched off again", "--force enable\ndisable"),
    ]
}

pub(crate) fn firewalld() -> Vec<Case> {
    use Expected::{KeptOut, LetIn, NoFirewall};
    let case = |expected, name: &str, commands: &str| {
        let inside = "chroot /mnt/root env PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        let start = format!("if test ! -e /mnt/root/run/bus; then chroot /mnt/root dbus-daemon --config-file=/bus.conf --fork --print-pid=3 3>/mnt/root/run/bus; fi
            {inside} firewalld --nofork --nopid 2>/dev/null & echo $! >/mnt/root/run/own
            until {inside} firewall-cmd --state 2>/dev/null; do sleep 0.1; done");
        let commands: String =
            commands.lines().map(|line| format!("{inside} firewall-cmd {}\n", line.trim())).collect();
        let stop = "if test -e /mnt/root/run/own; then kill $(cat /mnt/root/run/own); while test -e /proc/$(cat /mnt/root/run/own); do sleep 0.1; done; rm /mnt/root/run/own; fi";
        // Without its own file it uses its built-in defaults.
        let fresh = "nft flush ruleset; rm -rf /mnt/root/etc/firewalld/zones/* /mnt/root/etc/firewalld/firewalld.conf";
        let commands = format!("exec >/dev/null\n{stop}\n{fresh}\n{start}\n{commands}");
        Case { expected, commands, ..Case::new(name, "") }
    };
    let end = Case { expected: NoFirewall, commands: "kill $(cat /mnt/root/run/own); while nft list tables | grep -q firewalld; do sleep 0.1; done; kill $(cat /mnt/root/run/bus)".to_owned(), ..Case::new("firewalld stopped", "") };
    vec![
        case(KeptOut, "firewalld as it is", "--get-default-zone"),
        case(KeptOut, "firewalld that drops", "--set-default-zone=drop"),
        case(KeptOut, "firewalld that blocks", "--set-default-zone=block"),
        case(NoFirewall, "firewalld that trusts", "--set-default-zone=trusted"),
        case(NoFirewall, "firewalld that trusts the interface", "--zone=trusted --add-interface=eth0"),
        case(
            KeptOut,
            "firewalld with a service and a trusted network",
            "--add-service=http\n--zone=trusted --add-source=192.168.0.0/16",
        ),
        case(LetIn, "firewalld with all ports", "--add-port=1-65535/tcp"),
        case(LetIn, "firewalld that accepts what is left", "--permanent --zone=public --set-target=ACCEPT\n--reload"),
        case(LetIn, "firewalld with a rule for everybody", "--add-rich-rule=rule\\ protocol\\ value=tcp\\ accept"),
        end,
    ]
}
