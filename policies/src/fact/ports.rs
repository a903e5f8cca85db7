//! Section `ports`: what listens for connections. Changes often, so it is sent at most hourly unless an outcome changes.

use super::{Fact, List};

choice! {
    /// Transport protocol.
    Transport {
        /// TCP.
        Tcp = "tcp", "TCP", "TCP";
        /// UDP.
        Udp = "udp", "UDP", "UDP";
    }
}

choice! {
    /// From where a port can be reached, by the address it is bound to.
    Reach {
        /// Only from the machine itself.
        Loopback = "loopback", "chỉ trong máy", "this machine only";
        /// From one address or network of the machine.
        Address = "address", "một địa chỉ của máy", "one address";
        /// From every address of the machine.
        Any = "any", "mọi địa chỉ", "every address";
    }
}

record! {
    /// One listening socket. UDP sockets count when bound to a fixed port below the dynamic range.
    ListeningPort {
        /// Transport.
        [transport] Transport = "giao thức", "transport";
        /// Port number.
        [port] i64 = "cổng", "port";
        /// The address it is bound to.
        [address] String = "địa chỉ", "address";
        /// From where it can be reached.
        [reach] Reach = "phạm vi", "reach";
        /// File name of the program that holds it, without its path.
        [program] Fact<String> = "chương trình", "program";
    }
}

section! {
    /// Listening sockets with their programs.
    Ports = "ports" ("Cổng đang mở", "Open ports") {
        /// Sockets that accept connections.
        [listening] List<ListeningPort> = "cổng đang mở", "listening ports";
    }
}
