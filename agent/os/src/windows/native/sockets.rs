//! Listening and bound sockets (`GetExtendedTcpTable`, `GetExtendedUdpTable`).
#![expect(unsafe_code, reason = "the network is asked through its C interface")]

use windows::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, GetExtendedUdpTable, TCP_TABLE_OWNER_PID_LISTENER, UDP_TABLE_OWNER_PID,
};

use crate::windows::decode::address::{IPV4, IPV6};
use crate::windows::decode::sockets::{TABLES, Table};
use crate::windows::{Socket, decode};
use crate::{Answer, OsError};

const WHAT: &str = "sockets";
/// `ERROR_NOT_SUPPORTED`: IPv6 was removed.
const NOT_SUPPORTED: u32 = 50;
/// How often a table may grow between asking for its length and fetching it.
const TRIES: usize = 4;

/// [`super::super::WindowsOs::sockets`].
pub(super) fn list() -> Answer<Vec<Socket>> {
    let mut sockets = Vec::new();
    for table in TABLES {
        let found = table.sockets(&bytes(table)?);
        sockets.extend(
            found.ok_or_else(|| OsError::Failed(WHAT.to_owned(), "the table is shorter than it says".to_owned()))?,
        );
    }
    Ok(sockets)
}

fn bytes(table: Table) -> Answer<Vec<u8>> {
    let family = u32::from(if table.six { IPV6 } else { IPV4 });
    let mut length: u32 = 16 << 10;
    for _ in 0..TRIES {
        let mut bytes = vec![0_u8; length as usize];
        let place = Some(bytes.as_mut_ptr().cast());
        // SAFETY: the buffer is passed with its length; its rows are read as bytes, so it need not be aligned.
        let status = unsafe {
            if table.tcp {
                GetExtendedTcpTable(place, &raw mut length, false, family, TCP_TABLE_OWNER_PID_LISTENER, 0)
            } else {
                GetExtendedUdpTable(place, &raw mut length, false, family, UDP_TABLE_OWNER_PID, 0)
            }
        };
        if status == NO_ERROR.0 {
            return Ok(bytes);
        }
        if status == NOT_SUPPORTED && table.six {
            // A table without rows.
            return Ok(vec![0; 4]);
        }
        if status != ERROR_INSUFFICIENT_BUFFER.0 {
            return Err(decode::refused(WHAT, status));
        }
    }
    Err(OsError::Failed(WHAT.to_owned(), "the table grows faster than it is read".to_owned()))
}
