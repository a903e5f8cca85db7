//! Parses the tables of `GetExtendedTcpTable` (listeners) and `GetExtendedUdpTable`.

use std::net::IpAddr;

use crate::windows::Socket;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::windows) struct Table {
    /// True for TCP, false for UDP.
    pub(in crate::windows) tcp: bool,
    /// True for IPv6, false for IPv4.
    pub(in crate::windows) six: bool,
}

/// All four tables.
pub(in crate::windows) const TABLES: [Table; 4] = [
    Table { tcp: true, six: false },
    Table { tcp: true, six: true },
    Table { tcp: false, six: false },
    Table { tcp: false, six: true },
];

impl Table {
    /// Size of a row, and offsets of its local address, local port and process (`MIB_*ROW_OWNER_PID`).
    const fn layout(self) -> (usize, usize, usize, usize) {
        match (self.tcp, self.six) {
            (true, false) => (24, 4, 8, 20),
            (true, true) => (56, 0, 20, 52),
            (false, false) => (12, 0, 4, 8),
            (false, true) => (28, 0, 20, 24),
        }
    }

    /// The sockets in the table; `None` when there are fewer bytes than its row count needs.
    pub(in crate::windows) fn sockets(self, bytes: &[u8]) -> Option<Vec<Socket>> {
        let (count, rows) = bytes.split_first_chunk()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let rows = rows.chunks_exact(self.layout().0);
        if rows.len() < count {
            return None;
        }
        rows.take(count).map(|row| self.socket(row)).collect()
    }

    fn socket(self, row: &[u8]) -> Option<Socket> {
        let (_, address, port, pid) = self.layout();
        let address = if self.six {
            IpAddr::from(<[u8; 16]>::try_from(row.get(address..address + 16)?).ok()?)
        } else {
            IpAddr::from(<[u8; 4]>::try_from(row.get(address..address + 4)?).ok()?)
        };
        Some(Socket {
            tcp: self.tcp,
            address: address.to_string(),
            // In network order, in the first half of a 32-bit number.
            port: u16::from_be_bytes(row.get(port..port + 2)?.try_into().ok()?),
            pid: u32::from_le_bytes(row.get(pid..pid + 4)?.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(row: &[u8], times: u32) -> Vec<u8> {
        let mut bytes = times.to_le_bytes().to_vec();
        bytes.extend(row);
        bytes
    }

    #[test]
    fn each_table_has_its_own_rows() {
        let mut four = [0; 24];
        four[0] = 2;
        (four[4], four[7]) = (127, 1);
        (four[8], four[9]) = (0x01, 0xBD);
        four[20] = 4;
        let [tcp, tcp6, udp, udp6] = TABLES;
        let socket = |tcp, address: &str, port, pid| Socket { tcp, address: address.to_owned(), port, pid };
        assert_eq!(tcp.sockets(&table(&four, 1)).unwrap(), [socket(true, "127.0.0.1", 445, 4)]);
        let mut six = [0; 56];
        (six[20], six[21]) = (0x0D, 0x3D);
        (six[52], six[53]) = (0x10, 0x04);
        assert_eq!(tcp6.sockets(&table(&six, 1)).unwrap(), [socket(true, "::", 3389, 1040)]);
        assert_eq!(
            udp.sockets(&table(&[0, 0, 0, 0, 0x14, 0xE9, 0, 0, 7, 0, 0, 0], 1)).unwrap(),
            [socket(false, "0.0.0.0", 5353, 7)]
        );
        let mut six = [0; 28];
        (six[15], six[21], six[24]) = (1, 123, 9);
        assert_eq!(udp6.sockets(&table(&six, 1)).unwrap(), [socket(false, "::1", 123, 9)]);
    }

    #[test]
    fn a_table_that_is_shorter_than_it_says_is_none() {
        let [_, _, udp, _] = TABLES;
        assert_eq!(udp.sockets(&table(&[0; 24], 1)).map(|sockets| sockets.len()), Some(1));
        assert_eq!(udp.sockets(&table(&[], 0)), Some(Vec::new()));
        for (row, times) in [(12, 2), (12, u32::MAX), (11, 1)] {
            assert_eq!(udp.sockets(&table(&vec![0; row], times)), None, "{row} {times}");
        }
        assert_eq!(udp.sockets(&[1, 0]), None);
    }
}
