//! The kernel's routes, asked of it directly (`RTM_GETROUTE` of netlink): those of every table, and every way of a route that has several.
//! `/proc/net/route` shows one table and one way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, recv, send, socket, socket_with,
};

use crate::{Answer, OsError, Route, failed};

const WHAT: &str = "the kernel's routes";
/// The kernel answers at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// An office's machine has a few dozen; a router of the internet a million.
const MOST: usize = 20_000;
/// How often the tables may change while they are read.
const TRIES: usize = 4;

/// [`super::LinuxOs::routes`].
pub(super) fn routes() -> Answer<Vec<Route>> {
    let lost = |error: Errno| failed(WHAT, &error.into());
    for _ in 0..TRIES {
        let mut rows = Vec::new();
        let whole = [AddressFamily::INET, AddressFamily::INET6]
            .into_iter()
            .try_fold(true, |whole, family| Ok(dump(family, &mut rows)? && whole));
        if whole.map_err(lost)? {
            return named(rows).map_err(lost);
        }
        if rows.len() > MOST {
            return Err(OsError::TooLarge(WHAT.to_owned(), MOST));
        }
    }
    Err(OsError::Failed(WHAT.to_owned(), "they change faster than they are read".to_owned()))
}

/// A route, by the number of its interface.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    index: u32,
    destination: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
    metric: u32,
}

fn named(rows: Vec<Row>) -> Result<Vec<Route>, Errno> {
    let asked = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    let route = |Row { index, destination, prefix, gateway, metric }| {
        // An interface that has just gone, or whose name is no text, has none.
        let name = names.entry(index).or_insert_with(|| netdevice::index_to_name(&asked, index).unwrap_or_default());
        Route { interface: name.clone(), destination, prefix, gateway, metric }
    };
    Ok(rows.into_iter().map(route).collect())
}

/// Adds the routes of one IP version; false when they changed meanwhile, or are too many.
fn dump(family: AddressFamily, rows: &mut Vec<Row>) -> Result<bool, Errno> {
    // Without a protocol it is `NETLINK_ROUTE`, which is number 0.
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&kernel, Timeout::Recv, Some(PATIENCE))?;
    send(&kernel, &request(family), SendFlags::empty())?;
    let mut buffer = vec![0; 64 << 10];
    let mut whole = true;
    loop {
        let answer = received(&kernel, &mut buffer)?;
        for message in pieces(answer, 4, |bytes| Some(number(bytes.get(..4)?)? as usize)) {
            const INTERRUPTED: u16 = 0x10;
            let (Some(kind), Some(flags)) = (short(message, 4), short(message, 6)) else { return Err(Errno::BADMSG) };
            let body = message.get(HEADER..).unwrap_or_default();
            whole &= flags & INTERRUPTED == 0;
            match kind {
                // `NLMSG_ERROR` and `NLMSG_DONE` carry an error, or 0.
                2 | 3 => {
                    let error = body.get(..4).and_then(number).map_or(0, u32::cast_signed);
                    return if error == 0 { Ok(whole) } else { Err(Errno::from_raw_os_error(-error)) };
                }
                // `RTM_NEWROUTE`.
                24 => rows.extend(of_message(body, family)),
                _ => {}
            }
        }
        if rows.len() > MOST {
            return Ok(false);
        }
    }
}

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct rtmsg`.
const ROUTE_HEADER: usize = 12;

fn request(family: AddressFamily) -> Vec<u8> {
    const GET_ROUTE: u16 = 26;
    const REQUEST_DUMP: u16 = 0x301;
    let mut request = Vec::with_capacity(HEADER + ROUTE_HEADER);
    request.extend(28_u32.to_ne_bytes());
    request.extend(GET_ROUTE.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.push(family.as_raw().to_ne_bytes()[0]);
    request.resize(HEADER + ROUTE_HEADER, 0);
    request
}

fn received<'a>(kernel: &OwnedFd, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    loop {
        match recv(kernel, &mut *buffer, RecvFlags::TRUNC) {
            Ok((_, 0)) => return Err(Errno::CONNRESET),
            Ok((_, length)) => return buffer.get(..length).ok_or(Errno::MSGSIZE),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The routes in a message: one for each of its ways. None for what leads nowhere or to the machine itself.
fn of_message(body: &[u8], family: AddressFamily) -> Vec<Row> {
    const UNICAST: u8 = 1;
    const LOCAL_TABLE: u32 = 255;
    const CLONED: u32 = 0x200;
    let (Some(&[of, prefix, _, _, table, _, _, kind]), Some(flags)) =
        (body.first_chunk::<8>(), body.get(8..12).and_then(number))
    else {
        return Vec::new();
    };
    let attributes = Attributes::read(body.get(ROUTE_HEADER..).unwrap_or_default());
    let table = attributes.number(TABLE).unwrap_or(u32::from(table));
    let of_family = u16::from(of) == family.as_raw();
    if !of_family || kind != UNICAST || table == LOCAL_TABLE || flags & CLONED != 0 {
        return Vec::new();
    }
    let lowest = if family == AddressFamily::INET { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let destination = attributes.0.get(&DESTINATION).and_then(|bytes| address(bytes)).unwrap_or(lowest);
    let metric = attributes.number(PRIORITY).unwrap_or_default();
    let way =
        |index, attributes: &Attributes<'_>| Row { index, destination, prefix, gateway: attributes.gateway(), metric };
    let Some(ways) = attributes.0.get(&MULTIPATH) else {
        return vec![way(attributes.number(INTERFACE).unwrap_or_default(), &attributes)];
    };
    // `struct rtnexthop`: length, flags, hops, interface; then its own attributes.
    let ways = pieces(ways, 4, |bytes| short(bytes, 0).map(usize::from));
    let one = |bytes: &[u8]| {
        let index = bytes.get(4..8).and_then(number).unwrap_or_default();
        way(index, &Attributes::read(bytes.get(8..).unwrap_or_default()))
    };
    ways.map(one).collect()
}

const DESTINATION: u16 = 1;
const INTERFACE: u16 = 4;
const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const MULTIPATH: u16 = 9;
const TABLE: u16 = 15;
const VIA: u16 = 18;
const ENCAPSULATION: u16 = 22;

/// Attributes (`struct rtattr`) by their number.
struct Attributes<'a>(BTreeMap<u16, &'a [u8]>);

impl<'a> Attributes<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        const KIND: u16 = 0x3FFF;
        let all = pieces(bytes, 4, |bytes| short(bytes, 0).map(usize::from));
        Self(all.filter_map(|one| Some((short(one, 2)? & KIND, one.get(4..)?))).collect())
    }

    fn number(&self, kind: u16) -> Option<u32> {
        number(self.0.get(&kind)?)
    }

    /// The next router. None where packets are wrapped on their way to it: then it is not what they are sent to.
    fn gateway(&self) -> Option<IpAddr> {
        if self.0.contains_key(&ENCAPSULATION) {
            return None;
        }
        // A router of the other IP version is named with its family before it.
        let other = || self.0.get(&VIA).and_then(|bytes| bytes.get(2..));
        let found = self.0.get(&GATEWAY).copied().or_else(other).and_then(address);
        found.filter(|address| !address.is_unspecified())
    }
}

/// Cuts `bytes` into pieces that state their own length, each begun at a multiple of `align`. Ends at one that does not fit.
fn pieces(bytes: &[u8], align: usize, length: impl Fn(&[u8]) -> Option<usize>) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let long = length(rest).filter(|long| *long >= align)?;
        let piece = rest.get(..long)?;
        rest = rest.get(long.next_multiple_of(align)..).unwrap_or_default();
        Some(piece)
    })
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.first_chunk()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(prefix: u8, table: u8, kind: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![2, prefix, 0, 0, table, 0, 0, kind, 0, 0, 0, 0];
        bytes.extend(attributes.concat());
        bytes
    }

    fn read(bytes: &[u8]) -> Vec<(u32, String, u8, Option<String>)> {
        let rows = of_message(bytes, AddressFamily::INET);
        rows.into_iter()
            .map(|row| (row.index, row.destination.to_string(), row.prefix, row.gateway.map(|at| at.to_string())))
            .collect()
    }

    #[test]
    fn every_way_of_a_route_is_read_and_what_leads_nowhere_is_not() {
        let (two, via) = (attribute(INTERFACE, &2_u32.to_ne_bytes()), attribute(GATEWAY, &[192, 168, 1, 1]));
        let plain = message(0, 254, 1, &[two.clone(), via.clone()]);
        assert_eq!(read(&plain), [(2, "0.0.0.0".to_owned(), 0, Some("192.168.1.1".to_owned()))]);
        let half = message(1, 254, 1, &[attribute(DESTINATION, &[128, 0, 0, 0]), two.clone()]);
        assert_eq!(read(&half), [(2, "128.0.0.0".to_owned(), 1, None)]);
        let six = attribute(
            VIA,
            &[&10_u16.to_ne_bytes()[..], &[0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]].concat(),
        );
        assert_eq!(read(&message(0, 254, 1, &[two.clone(), six]))[0].3.as_deref(), Some("fe80::1"));
        let wrapped = message(0, 254, 1, &[two.clone(), via.clone(), attribute(ENCAPSULATION, &[])]);
        assert_eq!(read(&wrapped)[0].3, None);
        let way = |index: u32, via: &[u8]| {
            let length = u16::try_from(8 + via.len()).unwrap();
            [&length.to_ne_bytes()[..], &[0, 0], &index.to_ne_bytes(), via].concat()
        };
        let several = message(0, 254, 1, &[attribute(MULTIPATH, &[way(2, &via), way(7, &[])].concat())]);
        let both = [(2, Some("192.168.1.1".to_owned())), (7, None)];
        assert_eq!(read(&several).into_iter().map(|row| (row.0, row.3)).collect::<Vec<_>>(), both);
        // Of another table, which a rule may choose.
        assert_eq!(read(&message(0, 0, 1, &[two.clone(), attribute(TABLE, &51_820_u32.to_ne_bytes())])).len(), 1);
        for nowhere in [
            message(0, 255, 1, std::slice::from_ref(&two)),
            message(0, 254, 7, std::slice::from_ref(&two)),
            Vec::new(),
            vec![2; 11],
        ] {
            assert_eq!(read(&nowhere), []);
        }
    }

    #[test]
    fn pieces_that_do_not_fit_end_the_list() {
        let lengths = |bytes: &[u8]| {
            pieces(bytes, 4, |bytes| short(bytes, 0).map(usize::from)).map(<[u8]>::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&[attribute(1, &[1]), attribute(2, &[])].concat()), [5, 4]);
        for odd in [&[][..], &[1], &[0, 0, 0, 0], &[200, 0, 0, 0], &[3, 0, 0, 0]] {
            assert_eq!(lengths(odd), [0_usize; 0]);
        }
    }

    #[test]
    fn the_kernel_answers() {
        // Which routes there are is the machine's affair.
        assert!(routes().unwrap().iter().all(|route| route.prefix <= 128));
    }
}
