//! The machine's and the stranger's network.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cases::Case;

/// Long enough for a packet between two undisturbed namespaces.
pub(crate) const BRIEFLY: Duration = Duration::from_millis(250);
/// Timeout for a connection that should succeed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Includes the ports that the product treats as ordinary, and others.
const PORTS: [u16; 14] = [12345, 777, 1777, 5777, 8777, 10777, 20777, 24777, 30777, 32777, 40777, 48777, 56777, 64777];

/// How the machine is connected. The stranger is behind its gateway.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `eth0` has the addresses.
    Plain,
    /// `br0` has them, and `eth0` is its port.
    Bridge,
    /// The macvlan `lan0` on top of `eth0` has them.
    Stacked,
}

pub(crate) struct Network {
    listeners: Vec<TcpListener>,
    stranger: std::process::Child,
}

pub(crate) fn command(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "tests start programs")]
    let mut command = Command::new(program);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    command
}

/// True in a process that is root of its own namespaces. Otherwise runs `test` again in such a process and returns false.
pub(crate) fn alone(test: &str) -> bool {
    const ALONE: &str = "TRAM_AN_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let own = std::env::current_exe().unwrap();
    let output = command("unshare")
        .arg("-rnm")
        .arg(own)
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    false
}

/// Runs a shell script.
pub(crate) fn sh(script: &str) -> Result<(), String> {
    let output = command("sh").args(["-ec", script]).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(format!("{script}: {}", String::from_utf8_lossy(&output.stderr))) }
}

impl Network {
    pub(crate) fn new(layout: Layout) -> Self {
        sh("mount -t sysfs none /sys; ip link set lo up; ip link add name eth0 type veth peer name far").unwrap();
        let mut stranger =
            command("unshare").args(["-n", "sh", "-c", "echo; exec sleep 600"]).stdout(Stdio::piped()).spawn().unwrap();
        // Read in its own namespace.
        std::io::Read::read_exact(stranger.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let pid = stranger.id();
        let (holder, links) = match layout {
            Layout::Plain => ("eth0", ":"),
            Layout::Bridge => {
                ("br0", "ip link add name br0 type bridge; ip link set eth0 master br0; ip link set eth0 up")
            }
            Layout::Stacked => {
                ("lan0", "ip link set eth0 up; ip link add link eth0 name lan0 type macvlan mode bridge")
            }
        };
        sh(links).unwrap();
        sh(&format!(
            "ip link set far netns {pid}
            ip addr add 192.168.50.10/24 dev {holder}; ip addr add 2001:db8:1::10/64 dev {holder} nodad; ip link set {holder} up
            inside='nsenter -t {pid} -n ip'
            $inside link set lo up; $inside addr add 203.0.113.66/32 dev lo; $inside addr add 2001:db8:ffff::66/128 dev lo nodad
            $inside addr add 192.168.50.1/24 dev far; $inside addr add 2001:db8:1::1/64 dev far nodad; $inside link set far up
            ip route add default via 192.168.50.1; ip -6 route add default via 2001:db8:1::1"
        ))
        .unwrap();
        let listeners = PORTS.iter().map(|port| TcpListener::bind(("::", *port)).unwrap()).collect::<Vec<_>>();
        for listener in &listeners {
            listener.set_nonblocking(true).unwrap();
        }
        let network = Self { listeners, stranger };
        // The link comes up by itself, and neighbours are resolved.
        assert!(network.stranger_connects(&Case::new("no rules", ""), LONG), "the stranger has no way to the machine");
        network
    }

    /// Replaces the current rules with those of the case.
    pub(crate) fn apply(&self, case: &Case) -> Result<(), String> {
        sh("nft flush ruleset
            for tool in iptables-legacy ip6tables-legacy; do for table in filter mangle raw nat; do
                if grep -qs $table /proc/net/${tool%tables-legacy}_tables_names; then
                    $tool -t $table -P INPUT ACCEPT 2>/dev/null || true; $tool -t $table -P PREROUTING ACCEPT 2>/dev/null || true
                    $tool -t $table -F; $tool -t $table -X
                fi
            done; done")?;
        if !case.rules.is_empty() {
            let mut nft =
                command("nft").args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            nft.stdin.take().unwrap().write_all(case.rules.as_bytes()).unwrap();
            let output = nft.wait_with_output().unwrap();
            if !output.status.success() {
                return Err(format!(
                    "{}: nft refuses: {}\n{}",
                    case.name,
                    String::from_utf8_lossy(&output.stderr),
                    case.rules
                ));
            }
        }
        sh(&case.commands)
    }

    /// Whether the stranger can connect to some ordinary port, over IPv4 or IPv6, retried until `patience` is over.
    pub(crate) fn stranger_connects(&self, case: &Case, patience: Duration) -> bool {
        for listener in &self.listeners {
            while listener.accept().is_ok() {}
        }
        let namespace = std::fs::File::open(format!("/proc/{}/ns/net", self.stranger.id())).unwrap();
        let ways = [("203.0.113.66", "192.168.50.10"), ("2001:db8:ffff::66", "2001:db8:1::10")];
        let found = AtomicBool::new(false);
        let attempts = |from: &str, to: &str, port: u16| {
            let net = rustix::thread::LinkNameSpaceType::Network;
            rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(net)).unwrap();
            let address = |text: &str| text.parse::<IpAddr>().unwrap();
            let (from, to) = (SocketAddr::new(address(from), case.source_port), SocketAddr::new(address(to), port));
            let until = Instant::now() + patience;
            while !found.load(Ordering::Relaxed) {
                if connects(from, to) {
                    found.store(true, Ordering::Relaxed);
                }
                if Instant::now() >= until {
                    break;
                }
                // A refusal is immediate.
                std::thread::park_timeout(Duration::from_millis(20));
            }
        };
        std::thread::scope(|scope| {
            for (from, to) in ways {
                for port in PORTS {
                    scope.spawn(move || attempts(from, to, port));
                }
            }
        });
        found.into_inner()
    }
}

/// One attempt, with the timeout [`BRIEFLY`].
fn connects(from: SocketAddr, to: SocketAddr) -> bool {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    // The kernel gives up a connection after this time.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(BRIEFLY)).unwrap();
    bind(&socket, &from).unwrap();
    connect(&socket, &to).is_ok()
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stranger.kill().ok();
        self.stranger.wait().ok();
    }
}
