//! Section `ports`: listening sockets from `/proc/net`, and their programs through `/proc/*/fd`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policies::fact::{Fact, List, ListeningPort, Ports, Reason, Transport};

use super::context::{CheckContext, unknown};
use crate::linux::text::capped;
use crate::reach::reach;
use os::OsError;

/// A listening socket before its program is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    transport: Transport,
    port: u16,
    address: IpAddr,
    inode: u64,
}

pub(super) fn collect(context: &CheckContext) -> Ports {
    let dynamic = context
        .line("/proc/sys/net/ipv4/ip_local_port_range")
        .and_then(|line| line.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(32_768);
    let mut sockets = Vec::new();
    for (path, transport) in [
        ("/proc/net/tcp", Transport::Tcp),
        ("/proc/net/tcp6", Transport::Tcp),
        ("/proc/net/udp", Transport::Udp),
        ("/proc/net/udp6", Transport::Udp),
    ] {
        match context.os.read(path, 64 << 20) {
            Ok(text) => sockets.extend(listening(&String::from_utf8_lossy(&text), transport, dynamic)),
            // Without IPv6 the file does not exist.
            Err(OsError::Missing(_)) if path.ends_with('6') => {}
            Err(error) => return Ports { listening: unknown(&error) },
        }
    }
    sockets.sort_unstable();
    let programs = programs(context, &sockets);
    let mut listening: Vec<ListeningPort> = sockets
        .into_iter()
        .map(|socket| ListeningPort {
            transport: socket.transport,
            port: i64::from(socket.port),
            address: socket.address.to_string(),
            reach: reach(socket.address),
            program: programs.get(&socket.inode).map_or_else(|| nobody(context), |name| Fact::Known(name.clone())),
        })
        .collect();
    listening.dedup();
    Ports { listening: Fact::Known(List::capped(listening)) }
}

fn nobody(context: &CheckContext) -> Fact<String> {
    if context.os.administrator() {
        Fact::unknown(Reason::SourceMissing, "no process of this machine holds it: the kernel or a container does")
    } else {
        Fact::unknown(Reason::NeedsAdministrator, "")
    }
}

/// The sockets in one file that accept connections; for UDP, those on a port below the `dynamic` range without a fixed
/// peer.
fn listening(text: &str, transport: Transport, dynamic: u16) -> Vec<Socket> {
    let socket = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
        let inode = words.nth(5)?.parse().ok()?;
        let (address, port) = local.split_once(':')?;
        let (address, port) = (hexadecimal(address)?, u16::from_str_radix(port, 16).ok()?);
        let accepts = match transport {
            Transport::Udp => state == "07" && port < dynamic && remote.ends_with(":0000"),
            _ => state == "0A",
        };
        (accepts && port != 0).then_some(Socket { transport, port, address, inode })
    };
    text.lines().skip(1).filter_map(socket).collect()
}

/// The kernel prints addresses as 32-bit words in the machine's own order of bytes.
fn hexadecimal(text: &str) -> Option<IpAddr> {
    let word = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::to_ne_bytes);
    match text.len() {
        8 => Some(Ipv4Addr::from(word(text)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(text.get(index * 8..index * 8 + 8)?)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// The program that holds each socket. With socket activation process 1 holds it too; the other one serves.
fn programs(context: &CheckContext, sockets: &[Socket]) -> BTreeMap<u64, String> {
    let mut holders: BTreeMap<u64, u32> = BTreeMap::new();
    let wanted: Vec<u64> = sockets.iter().map(|socket| socket.inode).filter(|&inode| inode != 0).collect();
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    for process in context.visible_processes() {
        let folder = format!("/proc/{}/fd", process.pid);
        for name in context.os.list(&folder).unwrap_or_default() {
            let Ok(target) = context.os.link(&format!("{folder}/{name}")) else { continue };
            let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) else { continue };
            let Ok(inode) = inode.parse() else { continue };
            if wanted.contains(&inode) {
                let holder = holders.entry(inode).or_insert(process.pid);
                if *holder == 1 {
                    *holder = process.pid;
                }
            }
        }
    }
    holders.into_iter().filter_map(|(inode, pid)| Some((inode, program(context, pid)?))).collect()
}

/// File name of the process's program, or its kernel name.
fn program(context: &CheckContext, pid: u32) -> Option<String> {
    let executable = context.os.link(&format!("/proc/{pid}/exe")).ok();
    let name = executable.as_deref().and_then(|path| path.rsplit('/').next());
    let name = name.map(|name| name.strip_suffix(" (deleted)").unwrap_or(name)).filter(|name| !name.is_empty());
    let known =
        || context.visible_processes().iter().find(|process| process.pid == pid).map(|process| process.name.as_str());
    name.or_else(known).map(capped)
}

#[cfg(test)]
mod tests {
    use policies::fact::Reach;

    use super::*;
    use crate::reach::shown;
    use os::recorded::Recorded;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        \u{20}  0: 0100007F:0277 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0\n\
        \u{20}  1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0 100 0 0 10 0\n\
        \u{20}  2: 0500000A:0016 0200000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0 100 0 0 10 0\n\
        \u{20}  3: 0500000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 0 1 0 100 0 0 10 0\r\n\
        \u{20}  4: 0500000A";
    const UDP6: &str = "header\n\
        \u{20}  7: 00000000000000000000000000000000:0222 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 200 2 0 0\n\
        \u{20}  8: 000080FE00000000FF565002BD0F1EFE:E000 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 201 2 0 0\n";

    #[test]
    fn sockets_and_their_programs_are_found() {
        let os = Recorded::new()
            .file("/proc/net/tcp", TCP)
            .file("/proc/net/udp", "")
            .file("/proc/net/udp6", UDP6)
            .process(1, "systemd", "/usr/lib/systemd/systemd")
            .process(700, "sshd", "/usr/sbin/sshd (deleted)")
            .symlink("/proc/1/fd/40", "socket:[101]")
            .symlink("/proc/700/fd/3", "socket:[101]")
            .symlink("/proc/700/fd/4", "/dev/null");
        let found = collect(&CheckContext::of(os.clone())).listening;
        assert_eq!(
            shown(&found),
            [
                "Tcp 22 0.0.0.0 Any Some(\"sshd\")",
                "Tcp 631 127.0.0.1 Loopback None",
                "Tcp 8080 10.0.0.5 Address None",
                "Udp 546 :: Any None"
            ]
        );
        let asked_by_anyone = collect(&CheckContext::of(os.unprivileged())).listening;
        let port = asked_by_anyone.known().unwrap().items[1].program.clone();
        assert_eq!(port, Fact::unknown(Reason::NeedsAdministrator, ""));
    }

    #[test]
    fn addresses_are_read_in_the_order_the_kernel_prints_them() {
        assert_eq!(hexadecimal("0100007F").map(reach), Some(Reach::Loopback));
        assert_eq!(hexadecimal("0000000000000000FFFF00000100007F").map(reach), Some(Reach::Loopback));
        assert_eq!(hexadecimal("00000000000000000000000001000000").map(reach), Some(Reach::Loopback));
        assert_eq!(hexadecimal("xyz"), None);
        assert_eq!(hexadecimal("ệệệệệệệệệệ12"), None);
    }

    #[test]
    fn without_a_table_nothing_is_known() {
        let found = collect(&CheckContext::of(Recorded::new())).listening;
        assert!(matches!(found, Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
    }
}
