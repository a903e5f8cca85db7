//! Network adapters (`GetAdaptersAddresses`), routes (`GetIpForwardTable2`) and neighbours (`GetIpNetTable2`).
#![expect(unsafe_code, reason = "the network is asked through its C interface, with lists of pointers")]

use std::net::IpAddr;

use windows::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, ERROR_NO_DATA, ERROR_NOT_FOUND, NO_ERROR};
use windows::Win32::NetworkManagement::IpHelper::{
    FreeMibTable, GAA_FLAG_INCLUDE_GATEWAYS, GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses,
    GetIfEntry2, GetIpForwardTable2, GetIpNetTable2, IP_ADAPTER_ADDRESSES_LH, MIB_IF_ROW2, MIB_IPFORWARD_ROW2,
    MIB_IPFORWARD_TABLE2, MIB_IPNET_ROW2, MIB_IPNET_TABLE2,
};
use windows::Win32::NetworkManagement::Ndis::{IfOperStatusUp, NET_LUID_LH};
use windows::Win32::Networking::WinSock::{ADDRESS_FAMILY, AF_UNSPEC, SOCKADDR_INET, SOCKET_ADDRESS};

use crate::windows::{Adapter, NeighbourEntry, decode};
use crate::{Answer, OsError, Route};

const WHAT: &str = "network adapters";
/// `IP_ADAPTER_DHCP_ENABLED`.
const DHCP: u32 = 4;
/// How often the list may grow between asking for its length and fetching it.
const TRIES: usize = 4;

/// [`super::super::WindowsOs::adapters`].
pub(super) fn adapters() -> Answer<Vec<Adapter>> {
    let flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_INCLUDE_GATEWAYS;
    // Microsoft advises starting with 15 KB. Made of 8-byte numbers, so that the structures in it are aligned.
    let mut length: u32 = 16 << 10;
    for _ in 0..TRIES {
        let mut buffer = vec![0_u64; (length as usize).div_ceil(8)];
        let first = buffer.as_mut_ptr().cast::<IP_ADAPTER_ADDRESSES_LH>();
        // SAFETY: the buffer holds at least `length` bytes.
        let status = unsafe { GetAdaptersAddresses(u32::from(AF_UNSPEC.0), flags, None, Some(first), &raw mut length) };
        if status == ERROR_NO_DATA.0 {
            return Ok(Vec::new());
        }
        if status == NO_ERROR.0 {
            // SAFETY: the list is in `buffer`, which lives on.
            return Ok(unsafe { linked(first, |row| row.Next) }.map(|row| adapter(row)).collect());
        }
        if status != ERROR_BUFFER_OVERFLOW.0 {
            return Err(decode::refused(WHAT, status));
        }
    }
    Err(OsError::Failed(WHAT.to_owned(), "the list grows faster than it is read".to_owned()))
}

/// Iterates over a list of structures that point to their next one.
///
/// # Safety `first` is null or the start of a list that does not change during `'a`.
unsafe fn linked<'a, T: 'a>(first: *const T, next: impl Fn(&T) -> *mut T) -> impl Iterator<Item = &'a T> {
    // SAFETY: each pointer is null or valid, guaranteed by the caller.
    let mut at = unsafe { first.as_ref() };
    std::iter::from_fn(move || {
        let row = at?;
        // SAFETY: as above.
        at = unsafe { next(row).cast_const().as_ref() };
        Some(row)
    })
}

fn adapter(row: &IP_ADAPTER_ADDRESSES_LH) -> Adapter {
    // SAFETY: both members of these unions are plain numbers.
    let (index, flags) = unsafe { (row.Anonymous1.Anonymous.IfIndex, row.Anonymous2.Flags) };
    // SAFETY: the lists lie in the same buffer as the row.
    let (unicast, dns, gateways) = unsafe {
        (
            linked(row.FirstUnicastAddress, |row| row.Next),
            linked(row.FirstDnsServerAddress, |row| row.Next),
            linked(row.FirstGatewayAddress, |row| row.Next),
        )
    };
    let text = |address: IpAddr| address.to_string();
    let mac = row.PhysicalAddress.get(..row.PhysicalAddressLength as usize).unwrap_or_default();
    Adapter {
        // SAFETY: the name is in the same buffer and ends with NUL.
        guid: unsafe { row.AdapterName.to_string() }.unwrap_or_default().to_uppercase(),
        // SAFETY: as before.
        name: unsafe { super::text(row.FriendlyName) },
        index: if index == 0 { row.Ipv6IfIndex } else { index },
        kind: row.IfType,
        up: row.OperStatus == IfOperStatusUp,
        mac: mac.to_vec(),
        addresses: unicast
            .filter_map(|row| Some(format!("{}/{}", address(row.Address)?, row.OnLinkPrefixLength)))
            .collect(),
        dhcp: flags & DHCP != 0,
        dns: dns.filter_map(|row| address(row.Address)).map(text).collect(),
        gateways: gateways.filter_map(|row| address(row.Address)).map(text).collect(),
        metric: if row.Ipv4Metric == 0 { row.Ipv6Metric } else { row.Ipv4Metric },
        hardware: hardware(row.Luid),
    }
}

/// True when the interface is backed by hardware; false when it cannot be queried (it has just gone).
fn hardware(luid: NET_LUID_LH) -> bool {
    const HARDWARE: u8 = 1;
    let mut row = MIB_IF_ROW2 { InterfaceLuid: luid, ..Default::default() };
    // SAFETY: the row names an interface and outlives the call.
    let status = unsafe { GetIfEntry2(&raw mut row) };
    status == NO_ERROR && row.InterfaceAndOperStatusFlags._bitfield & HARDWARE != 0
}

fn address(socket: SOCKET_ADDRESS) -> Option<IpAddr> {
    let length = usize::try_from(socket.iSockaddrLength).ok()?;
    if socket.lpSockaddr.is_null() {
        return None;
    }
    // SAFETY: Windows tells the length of what it points to.
    decode::address::address(unsafe { std::slice::from_raw_parts(socket.lpSockaddr.cast::<u8>(), length) })
}

/// A table that Windows made.
struct Table<T>(*mut T);

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        // SAFETY: Windows made the table for its one holder; it is freed once.
        unsafe { FreeMibTable(self.0.cast()) };
    }
}

/// [`super::super::WindowsOs::routes`].
pub(super) fn routes() -> Answer<Vec<Route>> {
    let mut table = std::ptr::null_mut();
    // SAFETY: the pointer outlives the call.
    let status = unsafe { GetIpForwardTable2(ADDRESS_FAMILY(AF_UNSPEC.0), &raw mut table) };
    if status == ERROR_NOT_FOUND || (status == NO_ERROR && table.is_null()) {
        return Ok(Vec::new());
    }
    if status != NO_ERROR {
        return Err(decode::refused("routes", status.0));
    }
    let table: Table<MIB_IPFORWARD_TABLE2> = Table(table);
    // SAFETY: the table has as many rows as it says, one after the other from its first.
    let rows = unsafe {
        let first = (&raw const (*table.0).Table).cast::<MIB_IPFORWARD_ROW2>();
        std::slice::from_raw_parts(first, (*table.0).NumEntries as usize)
    };
    Ok(rows.iter().filter_map(route).collect())
}

fn route(row: &MIB_IPFORWARD_ROW2) -> Option<Route> {
    Some(Route {
        interface: row.InterfaceIndex.to_string(),
        destination: inet(&row.DestinationPrefix.Prefix)?,
        prefix: row.DestinationPrefix.PrefixLength,
        gateway: inet(&row.NextHop).filter(|gateway| !gateway.is_unspecified()),
        metric: row.Metric,
    })
}

/// [`super::super::WindowsOs::neighbours`].
pub(super) fn neighbours() -> Answer<Vec<NeighbourEntry>> {
    let mut table = std::ptr::null_mut();
    // SAFETY: the pointer outlives the call.
    let status = unsafe { GetIpNetTable2(ADDRESS_FAMILY(AF_UNSPEC.0), &raw mut table) };
    if status == ERROR_NOT_FOUND || (status == NO_ERROR && table.is_null()) {
        return Ok(Vec::new());
    }
    if status != NO_ERROR {
        return Err(decode::refused("neighbour table", status.0));
    }
    let table: Table<MIB_IPNET_TABLE2> = Table(table);
    // SAFETY: the table has as many rows as it says, one after the other from its first.
    let rows = unsafe {
        let first = (&raw const (*table.0).Table).cast::<MIB_IPNET_ROW2>();
        std::slice::from_raw_parts(first, (*table.0).NumEntries as usize)
    };
    Ok(rows.iter().filter_map(neighbour).collect())
}

fn neighbour(row: &MIB_IPNET_ROW2) -> Option<NeighbourEntry> {
    Some(NeighbourEntry {
        address: inet(&row.Address)?.to_string(),
        mac: row.PhysicalAddress.get(..row.PhysicalAddressLength as usize).unwrap_or_default().to_vec(),
        index: row.InterfaceIndex,
        state: row.State.0.cast_unsigned(),
    })
}

fn inet(socket: &SOCKADDR_INET) -> Option<IpAddr> {
    // SAFETY: the union is read as the bytes it consists of.
    let bytes = unsafe { std::slice::from_raw_parts((&raw const *socket).cast::<u8>(), size_of::<SOCKADDR_INET>()) };
    decode::address::address(bytes)
}
