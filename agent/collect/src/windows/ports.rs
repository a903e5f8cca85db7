//! Section `ports`: listening and bound sockets, with the program of their process.
//!
//! UDP sockets count below the dynamic port range of Windows (from 49152, since Vista).

use policies::fact::{Fact, List, ListeningPort, Ports, Reason, Transport};

use super::context::{CheckContext, answered, unknown};
use crate::reach::reach;
use crate::text::capped;
use os::windows::Socket;

/// The first dynamic port.
const DYNAMIC: u16 = 49_152;

pub(super) fn collect(context: &CheckContext) -> Ports {
    Ports { listening: answered(context.os.sockets(), |sockets| Fact::Known(listening(context, sockets))) }
}

fn listening(context: &CheckContext, mut sockets: Vec<Socket>) -> List<ListeningPort> {
    sockets.retain(|socket| socket.port != 0 && (socket.tcp || socket.port < DYNAMIC));
    let all = sockets.len();
    let mut listening: Vec<ListeningPort> = sockets
        .into_iter()
        .filter_map(|socket| {
            let address: std::net::IpAddr = socket.address.parse().ok()?;
            Some(ListeningPort {
                transport: if socket.tcp { Transport::Tcp } else { Transport::Udp },
                port: i64::from(socket.port),
                address: address.to_string(),
                reach: reach(address),
                program: program(context, socket.pid),
            })
        })
        .collect();
    let unread = all - listening.len();
    listening.sort_by(|one, other| {
        let order = |port: &ListeningPort| (port.transport, port.port, port.address.clone());
        order(one).cmp(&order(other))
    });
    listening.dedup();
    let mut list = List::capped(listening);
    list.left_out = list.left_out.saturating_add(u32::try_from(unread).unwrap_or(u32::MAX));
    list
}

fn program(context: &CheckContext, pid: u32) -> Fact<String> {
    match context.processes() {
        Ok(processes) => match processes.iter().find(|process| process.pid == pid && pid != 0) {
            Some(process) => Fact::Known(capped(&process.name)),
            None => Fact::unknown(Reason::SourceMissing, "its process has gone"),
        },
        Err(error) => unknown(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::shown;
    use os::windows::recorded::Recorded;

    fn collected(sockets: Option<Vec<Socket>>) -> Fact<List<ListeningPort>> {
        let os = Recorded { sockets, ..Recorded::new().process(4, "System").process(900, "Phần mềm.exe") };
        collect(&CheckContext::of(os)).listening
    }

    fn socket(tcp: bool, address: &str, port: u16, pid: u32) -> Socket {
        Socket { tcp, address: address.to_owned(), port, pid }
    }

    #[test]
    fn sockets_have_their_program_and_their_reach() {
        let sockets = vec![
            socket(false, "0.0.0.0", 137, 4),
            socket(false, "0.0.0.0", 51_000, 900),
            socket(true, "::", 445, 4),
            socket(true, "0.0.0.0", 445, 4),
            socket(true, "0.0.0.0", 445, 4),
            socket(true, "127.0.0.1", 49_664, 900),
            socket(true, "10.0.0.5", 8080, 1234),
            socket(true, "nonsense", 1, 1),
            socket(true, "0.0.0.0", 0, 4),
        ];
        let found = collected(Some(sockets));
        assert_eq!(
            shown(&found),
            [
                "Tcp 445 0.0.0.0 Any Some(\"System\")",
                "Tcp 445 :: Any Some(\"System\")",
                "Tcp 8080 10.0.0.5 Address None",
                "Tcp 49664 127.0.0.1 Loopback Some(\"Phần mềm.exe\")",
                "Udp 137 0.0.0.0 Any Some(\"System\")",
            ]
        );
        assert_eq!(found.known().unwrap().left_out, 1, "one without an address");
    }

    #[test]
    fn without_a_table_nothing_is_known_and_an_empty_one_is_empty() {
        assert!(matches!(collected(None), Fact::Unknown(unknown) if unknown.reason == Reason::SourceMissing));
        assert_eq!(collected(Some(Vec::new())), Fact::Known(List::default()));
    }
}
