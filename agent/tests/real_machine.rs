//! The collectors on the machine that runs the tests: the native door, real programs, with and without administrator
//! rights.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use collect::Collector;
use jiff::Timestamp;
use policies::fact::{Fact, Facts, Reason, Section, Transport};
use serde_json::Value;

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the real machine is looked at now")]
    Timestamp::now()
}

fn command(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "tests start programs")]
    Command::new(program)
}

const AGENT: &str = env!("CARGO_BIN_EXE_posture-agent");

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn installed(path: &str) -> bool {
    Path::new(path).exists()
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Runs `script` in its own namespaces, as root of a network or mount tree that nobody else sees. `None` where the machine
/// does not allow such namespaces.
fn apart(namespaces: &str, script: &str) -> Option<Output> {
    let granted = command("unshare").args([namespaces, "true"]).output().is_ok_and(|output| output.status.success());
    granted.then(|| command("unshare").args([namespaces, "sh", "-ec", script]).output().unwrap())
}

#[test]
fn facts_feed_back_into_check() {
    let folder = tempfile::tempdir().unwrap();
    let recorded = folder.path().join("facts.json");
    let facts = command(AGENT).args(["facts", "--json"]).output().unwrap();
    assert_eq!(facts.status.code(), Some(0), "{}", String::from_utf8_lossy(&facts.stderr));
    assert_eq!(json(&facts)["system"]["family"]["known"], "linux");
    std::fs::write(&recorded, &facts.stdout).unwrap();
    let [_, (name, text)] = policies::policy::SHIPPED;
    let policy = folder.path().join(name);
    std::fs::write(&policy, text).unwrap();
    let check = |more: &[&str]| {
        command(AGENT)
            .arg("check")
            .arg("--policy")
            .arg(&policy)
            .arg("--facts")
            .arg(&recorded)
            .args(more)
            .output()
            .unwrap()
    };
    let answer = check(&["--json"]);
    let outcomes = json(&answer)["outcomes"].as_array().unwrap().clone();
    assert!(outcomes.len() >= 25);
    let failing = outcomes.iter().any(|outcome| outcome["outcome"] == "fail");
    assert_eq!(answer.status.code(), Some(i32::from(failing)));
    let said = check(&["--lang", "vi"]);
    assert!(String::from_utf8(said.stdout).unwrap().contains("chưa ký"));
    std::fs::write(&recorded, "{}").unwrap();
    assert_eq!(check(&[]).status.code(), Some(2));
}

#[test]
fn every_section_is_collected_on_this_machine() {
    let facts = Collector::of_this_machine(agent::platform::door()).collect(Section::ALL, now());
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(facts.system.name, Fact::Known(hostname.trim().to_owned()));
    assert!(facts.system.memory.known().is_some() && facts.system.booted_at.known().is_some());
    assert!(facts.lan.interfaces.known().is_some() && facts.ports.listening.known().is_some());
    let users = facts.accounts.users.known().unwrap();
    assert_eq!(users.items[0].name, "root");
    assert_eq!(users.items[0].enabled.known().is_some(), is_root());
    assert!(facts.time.synchronised.known().is_some() && facts.logging.running.known().is_some());
    for &section in Section::ALL {
        let mut read = Facts::default();
        read.decode(section, facts.encode(section).unwrap().as_bytes()).unwrap();
        assert_eq!(read.encode(section).unwrap(), facts.encode(section).unwrap(), "{section:?}");
    }
}

#[test]
fn two_looks_at_a_resting_machine_are_equal() {
    let collector = Collector::of_this_machine(agent::platform::door());
    // Sections that neither another test nor the passing of time affects.
    let resting = [Section::System, Section::Accounts, Section::Sharing, Section::Logging];
    let look = || {
        let facts = collector.collect(&resting, now());
        resting.map(|section| facts.encode(section).unwrap())
    };
    assert_eq!(look(), look());
}

#[test]
fn a_listening_socket_is_found_with_its_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = i64::from(listener.local_addr().unwrap().port());
    let facts = Collector::of_this_machine(agent::platform::door()).collect(&[Section::Ports], now());
    let listening = facts.ports.listening.known().unwrap();
    let own = listening.items.iter().find(|item| item.transport == Transport::Tcp && item.port == port).unwrap();
    let program = std::env::current_exe().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!((own.address.as_str(), &own.program), ("127.0.0.1", &Fact::Known(program)));
}

#[test]
fn somebody_who_is_no_administrator_gets_reasons() {
    let mut asked = match is_root() {
        // The test program is in a folder only root may enter, so a copy is run.
        true => {
            let copy = std::env::temp_dir().join(format!("posture-agent-{}", std::process::id()));
            std::fs::copy(AGENT, &copy).unwrap();
            let mut asked = command("runuser");
            asked.args(["-u", "nobody", "--"]).arg(copy);
            asked
        }
        false => command(AGENT),
    };
    let output = asked.args(["facts", "--json"]).current_dir("/").output().unwrap();
    std::fs::remove_file(std::env::temp_dir().join(format!("posture-agent-{}", std::process::id()))).ok();
    let facts = json(&output);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(facts["accounts"]["users"]["known"]["items"][0]["enabled"]["unknown"]["reason"], "needs_administrator");
    assert_eq!(facts["lan"]["firewalls"]["unknown"]["reason"], "needs_administrator");
    assert_eq!(facts["system"]["family"]["known"], "linux");
    assert!(facts["lan"]["interfaces"]["known"]["items"].is_array());
}

#[test]
fn real_rules_of_nftables_are_judged() {
    if !installed("/usr/sbin/nft") {
        let facts = Collector::of_this_machine(agent::platform::door()).collect(&[Section::Lan], now());
        assert_ne!(facts.lan.firewall_active, Fact::Known(true), "no tool could tell");
        return;
    }
    let lan = |rules: &str| {
        let rules = rules.replace('}', "\n}\n");
        let script = format!("printf '%s' '{rules}' | /usr/sbin/nft -f -; exec '{AGENT}' facts --json --section lan");
        apart("-rn", &script).map(|output| json(&output)["lan"].clone())
    };
    let accept =
        "table inet own { chain in { type filter hook input priority 0; policy accept; tcp dport 22 accept; } }";
    let Some(open) = lan(accept) else {
        assert!(!is_root(), "root is granted a network of its own");
        return;
    };
    assert_eq!(
        (&open["firewall_active"]["known"], &open["firewall_blocks_inbound"]["known"]),
        (&false.into(), &false.into()),
        "it keeps nobody out"
    );
    let none = lan("").unwrap();
    assert_eq!(
        (&none["firewall_active"]["known"], &none["firewalls"]["known"]["items"]),
        (&false.into(), &Value::Array(Vec::new()))
    );
    for blocking in [
        accept.replace("policy accept", "policy drop"),
        accept.replace(
            "tcp dport 22 accept;",
            "ct state established,related accept; iif lo accept; tcp dport 22 accept; counter reject;",
        ),
        accept
            .replace("own {", "own { chain world { drop; }")
            .replace("tcp dport 22 accept;", "iifname eth0 goto world;"),
    ] {
        let lan = lan(&blocking).unwrap();
        assert_eq!(lan["firewall_blocks_inbound"]["known"], true, "{blocking} {lan}");
        assert_eq!(lan["firewalls"]["known"]["items"][0]["kind"], "nftables");
    }
}

#[test]
fn real_routes_of_a_vpn_show_among_the_gateways() {
    let office = "mount -t sysfs none /sys; ip link set lo up
        for name in eth0 tun0; do
            ip link add $name type veth peer name far-$name; ip link set far-$name up; ip link set $name up
        done
        ip addr add 192.168.50.10/24 dev eth0; ip addr add 10.8.0.2/24 dev tun0; ip route add default via 192.168.50.1";
    let lan = |routes: &str| {
        let script = format!("{office}; {routes}; exec '{AGENT}' facts --json --section lan");
        apart("-rnm", &script).map(|output| json(&output)["lan"].clone())
    };
    if !installed("/usr/sbin/ip") || lan(":").is_none() {
        assert!(!is_root() || !installed("/usr/sbin/ip"), "root is granted a network of its own");
        return;
    }
    let router = "192.168.50.1";
    for (routes, gateways, by_tunnel) in [
        (":", &[router][..], false),
        ("ip route add 10.0.0.0/8 dev tun0; ip route add unreachable default metric 9", &[router], false),
        ("ip route add 0.0.0.0/1 via 10.8.0.1; ip route add 128.0.0.0/1 via 10.8.0.1", &["10.8.0.1", router], true),
        ("ip route add 0.0.0.0/1 dev tun0; ip route add 128.0.0.0/1 dev tun0", &["0.0.0.0", router], true),
        ("ip -6 route add ::/1 dev tun0; ip -6 route add 8000::/1 dev tun0", &[router, "::"], true),
        ("ip -6 route add 2000::/3 dev tun0", &[router, "::"], true),
        ("ip route add default dev tun0 table 51820; ip rule add not fwmark 7 table 51820", &["0.0.0.0", router], true),
        ("ip route replace default nexthop via 192.168.50.1 nexthop via 10.8.0.1", &["10.8.0.1", router], true),
        ("ip route del default; ip route add default via inet6 fe80::1 dev eth0", &["fe80::1"], false),
    ] {
        let lan = lan(routes).unwrap();
        let mut found: Vec<&str> =
            lan["gateways"]["known"]["items"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        found.sort_unstable();
        let mut wanted = gateways.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{routes}");
        let interfaces = lan["interfaces"]["known"]["items"].as_array().unwrap();
        let tunnel = interfaces.iter().find(|interface| interface["name"] == "tun0").unwrap();
        assert_eq!(tunnel["default_route"], by_tunnel, "{routes}");
    }
}

#[test]
fn the_real_ssh_server_tells_its_settings() {
    if !installed("/usr/sbin/sshd") {
        let facts = Collector::of_this_machine(agent::platform::door()).collect(&[Section::Remote], now());
        assert!(matches!(facts.remote.ssh_password, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\nUsePAM yes\nKbdInteractiveAuthentication no\n\
        HostKey /etc/ssh/key\nClientAliveInterval 300\nMatch User canbo\n  X11Forwarding yes\n";
    std::fs::create_dir(folder.path().join("sshd_config.d")).unwrap();
    std::fs::write(folder.path().join("sshd_config"), config).unwrap();
    std::fs::write(
        folder.path().join("sshd_config.d/xa.conf"),
        "PasswordAuthentication no\nPermitRootLogin no\nCiphers aes128-cbc,aes256-ctr\n",
    )
    .unwrap();
    let key = command("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(folder.path().join("key"))
        .status()
        .unwrap();
    assert!(key.success());
    let script = format!(
        "mount --bind '{}' /etc/ssh; mount -t tmpfs none /run; mkdir -p /run/sshd; exec '{AGENT}' facts --json --section remote",
        folder.path().display()
    );
    let Some(output) = apart("-rm", &script) else {
        assert!(!is_root(), "root is granted mounts of its own");
        return;
    };
    let remote = json(&output)["remote"].clone();
    assert_eq!(remote["ssh_root_login"]["known"], "no", "{remote}");
    assert_eq!(remote["ssh_password"]["known"], false);
    assert_eq!(remote["ssh_idle"]["known"], 900);
    assert_eq!(remote["ssh_weak_algorithms"]["known"]["items"], serde_json::json!(["aes128-cbc"]));
    assert_eq!(remote["ssh_x11"]["known"], true, "a Match block lets one person");
}

#[test]
fn pending_updates_are_those_that_apt_would_install() {
    let sources = || -> Vec<(PathBuf, Option<std::time::SystemTime>)> {
        let lists = std::fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten().map(|entry| entry.path());
        let paths = lists.chain([PathBuf::from("/var/lib/dpkg/status")]);
        let time = |path: &Path| path.metadata().ok().and_then(|metadata| metadata.modified().ok());
        let mut sources: Vec<_> = paths.map(|path| (path.clone(), time(&path))).collect();
        sources.sort_unstable();
        sources
    };
    // Packages may be installed meanwhile: then both are asked again.
    for _ in 0..5 {
        let before = sources();
        let facts = Collector::of_this_machine(agent::platform::door()).collect(&[Section::Patches], now());
        let Some(&pending) = facts.patches.pending.known() else {
            let lists = before.iter().any(|(path, _)| path.to_string_lossy().ends_with("Packages"));
            assert!(!lists, "lists are there and yet: {:?}", facts.patches.pending);
            return;
        };
        let simulation = command("apt-get")
            .args(["-s", "-qq", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "dist-upgrade"])
            .env("LC_ALL", "C")
            .output();
        let Ok(simulation) = simulation else { return assert!(pending >= 0, "dnf's own word") };
        let text = String::from_utf8(simulation.stdout).unwrap();
        let upgrades = text.lines().filter(|line| {
            line.strip_prefix("Inst ")
                .and_then(|rest| rest.split_once(' '))
                .is_some_and(|(_, rest)| rest.starts_with('['))
        });
        if before == sources() {
            assert_eq!(pending, i64::try_from(upgrades.count()).unwrap());
            return;
        }
    }
    panic!("packages kept changing");
}

#[test]
fn a_real_antivirus_daemon_is_seen_to_run_and_to_stop() {
    if !installed("/usr/sbin/clamd") {
        let facts = Collector::of_this_machine(agent::platform::door()).collect(&[Section::Antivirus], now());
        assert!(facts.antivirus.products.known().is_some());
        return;
    }
    let collector = Collector::of_this_machine(agent::platform::door());
    let product = || {
        let facts = collector.collect(&[Section::Antivirus], now());
        facts
            .antivirus
            .products
            .known()
            .unwrap()
            .items
            .iter()
            .find(|product| product.name == "ClamAV")
            .cloned()
            .unwrap()
    };
    // The machine may have a daemon of its own.
    let before = product().running;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("db")).unwrap();
    // A signature we make ourselves: the daemon loads nothing from elsewhere.
    std::fs::write(
        path("db/own.ndb"),
        "Own.Test:0:*:58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d5354414e44\n",
    )
    .unwrap();
    std::fs::write(
        path("clamd.conf"),
        format!(
            "Foreground yes\nDatabaseDirectory {}\nLocalSocket {}\n",
            path("db").display(),
            path("socket").display()
        ),
    )
    .unwrap();
    let mut daemon = command("/usr/sbin/clamd")
        .arg("--config-file")
        .arg(path("clamd.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let name = format!("/proc/{}/comm", daemon.id());
    while !path("socket").exists() && std::time::Instant::now() < until {
        std::thread::yield_now();
    }
    let (running, comm) = (product(), std::fs::read_to_string(name).unwrap_or_default());
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(comm.trim(), "clamd");
    assert_eq!(running.running, Fact::Known(true));
    assert_eq!(product().running, before);
}
