//! The connections that are open now. A newcomer always gets in; when places run short, the holder of the most gives way. Each machine and
//! each address has its share. People do not count in that of their address: those who are logged in or use a browser they logged in with before,
//! with as many connections as one person needs; what one opens beyond that counts as a stranger's.
//!
//! Which connection of an address is closed: the longest idle one, unless it is so new that it may be about to ask; else one drawn by lot,
//! whether it is being answered, waits for a check of its password or is still in the handshake. Nobody can tell an honest browser from others
//! behind its address. The oldest would be the one that waits most patiently; a lot hits whoever opens many connections that much more often.
//! `app::throttle::line` says how long a new browser then takes to get in.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::connection::Connection;
use super::deadlines::Deadlines;
use crate::bound::{lot, network};

/// All connections.
#[derive(Debug)]
pub(super) struct Connections {
    deadlines: Deadlines,
    next: AtomicU64,
    /// Connections still in the handshake, by address.
    handshakes: Pool,
    /// Connections without certificate, by address.
    strangers: Pool,
    /// Connections of machines, by machine.
    machines: Pool,
}

/// Connections of one kind.
#[derive(Debug)]
struct Pool {
    /// Most connections for one key, not counting people.
    each: usize,
    all: usize,
    /// How long a connection must be idle to be closed before all others of its key; `None`: however long, and nothing is drawn by lot.
    grace: Option<Duration>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_key: HashMap<String, Vec<Arc<Connection>>>,
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    connections: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
    key: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Handshake,
    Stranger,
    Machine,
}

impl Connections {
    pub(super) fn new(deadlines: Deadlines) -> Arc<Self> {
        let Deadlines { handshakes, strangers, each_address, machines, each_machine, grace, .. } = deadlines;
        Arc::new(Self {
            deadlines,
            next: AtomicU64::new(0),
            handshakes: Pool::new(handshakes, handshakes, Some(grace)),
            strangers: Pool::new(each_address, strangers, Some(grace)),
            // A machine does not compete with itself: its newest connections count.
            machines: Pool::new(each_machine, machines, None),
        })
    }

    /// A connection that was just accepted, and the signal that it must give way.
    pub(super) fn accept(self: &Arc<Self>, address: IpAddr) -> (Slot, oneshot::Receiver<()>) {
        let (connection, closed) = Connection::new(self.next.fetch_add(1, Ordering::Relaxed), self.deadlines);
        let key = network(address);
        self.enter(Kind::Handshake, &key, &connection);
        (Slot { connections: Arc::clone(self), connection, key, kind: Kind::Handshake }, closed)
    }

    fn enter(&self, kind: Kind, key: &str, connection: &Arc<Connection>) {
        let Some((greedy, gone)) = self.pool(kind).enter(key, connection) else { return };
        gone.close();
        match kind {
            // A machine whose network changed comes back before its old connection is known to be dead.
            Kind::Machine if greedy == key => tracing::debug!(machine = key, "its oldest connection gives way"),
            _ => tracing::warn!(from = greedy, "too many connections: one of whoever holds most is closed"),
        }
    }

    fn pool(&self, kind: Kind) -> &Pool {
        match kind {
            Kind::Handshake => &self.handshakes,
            Kind::Stranger => &self.strangers,
            Kind::Machine => &self.machines,
        }
    }
}

impl Slot {
    /// The handshake is over: the connection counts for `machine`, or still for its address.
    pub(super) fn settle(&mut self, machine: Option<&str>) {
        self.connections.pool(self.kind).leave(&self.key, &self.connection);
        self.kind = if machine.is_some() { Kind::Machine } else { Kind::Stranger };
        if let Some(machine) = machine {
            machine.clone_into(&mut self.key);
        }
        self.connection.settle(machine.is_some());
        self.connections.enter(self.kind, &self.key, &self.connection);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.pool(self.kind).leave(&self.key, &self.connection);
    }
}

impl Pool {
    fn new(each: usize, all: usize, grace: Option<Duration>) -> Self {
        Self { each, all, grace, open: Mutex::default() }
    }

    /// Adds a connection; returns the key that had to give way for it, if any.
    fn enter(&self, key: &str, connection: &Arc<Connection>) -> Option<(String, Arc<Connection>)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let strangers = |mine: &Vec<Arc<Connection>>| mine.iter().filter(|connection| !connection.is_person()).count();
        let greedy = if open.by_key.get(key).is_some_and(|mine| strangers(mine) >= self.each) {
            Some(key.to_owned())
        } else if open.all >= self.all {
            open.greediest(key)
        } else {
            None
        };
        let gone = greedy.and_then(|key| Some((open.gives_way(&key, self.grace)?, key))).map(|(gone, key)| {
            open.remove(&key, gone.number());
            (key, gone)
        });
        open.all += 1;
        open.by_key.entry(key.to_owned()).or_default().push(Arc::clone(connection));
        gone
    }

    fn leave(&self, key: &str, connection: &Connection) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(key, connection.number());
    }
}

impl Open {
    /// The key that holds the most once `newcomer` has one more; among equals, the one with the longest idle connection.
    fn greediest(&self, newcomer: &str) -> Option<String> {
        let holds = |key: &str, held: &[Arc<Connection>]| held.len() + usize::from(key == newcomer);
        let most = self.by_key.iter().map(|(key, held)| holds(key, held)).max()?;
        let greedy = self.by_key.iter().filter(|(key, held)| holds(key, held) == most);
        let idle = |held: &[Arc<Connection>]| held.iter().map(|connection| connection.rank()).min();
        greedy.max_by_key(|(_, held)| Reverse(idle(held))).map(|(key, _)| key.clone())
    }

    fn gives_way(&self, key: &str, grace: Option<Duration>) -> Option<Arc<Connection>> {
        let held = self.by_key.get(key)?;
        let first = held.iter().min_by_key(|connection| connection.rank())?;
        if grace.is_none_or(|grace| first.is_idle(grace)) {
            return Some(Arc::clone(first));
        }
        let strangers: Vec<_> = held.iter().filter(|connection| !connection.is_person()).collect();
        Some(Arc::clone(strangers.get(lot(strangers.len())).copied().unwrap_or(first)))
    }

    fn remove(&mut self, key: &str, number: u64) {
        let Some(held) = self.by_key.get_mut(key) else { return };
        let before = held.len();
        held.retain(|connection| connection.number() != number);
        self.all -= before - held.len();
        if held.is_empty() {
            self.by_key.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::Bound;
    use crate::tls::connection::OpenRequest;

    fn connections(most: usize) -> Arc<Connections> {
        let grace = Duration::ZERO;
        Connections::new(Deadlines { handshakes: most, strangers: most, machines: most, grace, ..Deadlines::default() })
    }

    fn is_closed(closed: &mut oneshot::Receiver<()>) -> bool {
        !matches!(closed.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn whoever_holds_most_gives_way_with_its_longest_idle_connection() {
        let all = connections(4);
        let (_there, mut there) = all.accept(THERE);
        let mut here: Vec<_> = (0..3).map(|_| all.accept(HERE)).collect();
        here[0].0.connection.active();
        let (_newcomer, _closed) = all.accept(THERE);
        let gone: Vec<bool> = here.iter_mut().map(|(_, closed)| is_closed(closed)).collect();
        assert_eq!(gone, [false, true, false], "the first was used since");
        assert!(!is_closed(&mut there), "the oldest of all, but of an address that holds less");
        // The greedy address itself may connect again, at the cost of its own connections.
        let (_again, mut again) = all.accept(HERE);
        let gone = here.iter_mut().filter_map(|(_, closed)| is_closed(closed).then_some(())).count();
        assert!(!is_closed(&mut there) && !is_closed(&mut again) && gone == 2, "{gone}");
    }

    #[test]
    fn a_person_behind_the_greedy_address_stays() {
        let all = connections(3);
        let (mut person, mut stays) = all.accept(HERE);
        person.settle(None);
        person.connection.person_note(&Bound::new(1, 1), "lan");
        let mut idle = Vec::new();
        for _ in 0..20 {
            let (mut place, closed) = all.accept(HERE);
            place.settle(None);
            idle.push((place, closed));
        }
        assert!(!is_closed(&mut stays));
        assert_eq!(idle.iter_mut().filter(|(_, closed)| closed.is_empty()).count(), 2);
    }

    #[test]
    fn an_address_has_a_share_in_which_persons_and_those_who_wait_for_an_answer_stay() {
        let deadlines = Deadlines { each_address: 3, grace: Duration::ZERO, ..Deadlines::default() };
        let all = Connections::new(deadlines);
        let settled = |address| {
            let (mut place, closed) = all.accept(address);
            place.settle(None);
            (place, closed)
        };
        let bound = Bound::new(5, 5);
        let mut persons: Vec<_> =
            (0..5).map(|_| settled(HERE)).inspect(|(place, _)| place.connection.person_note(&bound, "lan")).collect();
        let mut elsewhere = settled(THERE);
        let mut waiting = settled(HERE);
        let request = waiting.0.connection.request_begin().unwrap();
        let mut idle: Vec<_> = (0..20).map(|_| settled(HERE)).collect();
        assert!(persons.iter_mut().all(|(_, closed)| !is_closed(closed)) && !is_closed(&mut elsewhere.1));
        assert!(!is_closed(&mut waiting.1), "older than all of them, but it waits for an answer");
        assert_eq!(idle.iter_mut().filter(|(_, closed)| closed.is_empty()).count(), 2);
        // An answer it does not take does not count as one it waits for.
        request.handed_out();
        let _newcomer = settled(HERE);
        assert!(is_closed(&mut waiting.1));
    }

    #[test]
    fn what_a_person_opens_beyond_their_part_counts_as_a_strangers() {
        let deadlines = Deadlines { each_address: 3, grace: Duration::ZERO, ..Deadlines::default() };
        let (all, bound) = (Connections::new(deadlines), Bound::new(2, usize::MAX));
        let settled = || {
            let (mut place, closed) = all.accept(HERE);
            place.settle(None);
            place.connection.person_note(&bound, "lan");
            (place, closed)
        };
        let mut held: Vec<_> = (0..20).map(|_| settled()).collect();
        let open: Vec<usize> = (0..20).filter(|&index| !is_closed(&mut held[index].1)).collect();
        assert_eq!(open, [0, 1, 17, 18, 19], "two as a person, and the share of the address");
        held.drain(..2);
        held[17].0.connection.person_note(&bound, "lan");
        assert!(held[17].0.connection.is_person(), "what was closed came back");
    }

    /// 200 times: `most` connections of one address that wait for an answer, an honest one among them, and as many newcomers. How often the
    /// honest one stays.
    fn survivals(kind: impl Fn(&mut Slot) -> Option<OpenRequest>) -> usize {
        let most = 32;
        let survives = |_: &usize| {
            let grace = Duration::MAX;
            let deadlines = Deadlines { handshakes: most, each_address: most, grace, ..Deadlines::default() };
            let all = Connections::new(deadlines);
            let mut held = Vec::new();
            let mut enter = || {
                let (mut place, closed) = all.accept(HERE);
                let request = kind(&mut place);
                held.push((place, closed, request));
            };
            (0..2 * most).for_each(|_| enter());
            !is_closed(&mut held[most - 1].1)
        };
        (0..200).filter(survives).count()
    }

    #[test]
    fn among_those_who_are_busy_a_lot_decides_so_that_the_oldest_is_no_worse_off() {
        // Each of 32 newcomers closes it with 1/32: it stays with (31/32)^32 = 36 %, 72 times of 200, and by chance fewer than 40 or more
        // than 104 times once in a hundred thousand runs.
        let waiting = survivals(|place| {
            place.settle(None);
            place.connection.request_begin()
        });
        assert!((40..=104).contains(&waiting), "{waiting}");
        let new = survivals(|place| {
            place.settle(None);
            None
        });
        assert!((40..=104).contains(&new), "those that may be about to ask: {new}");
        let shaking = survivals(|_| None);
        assert!((40..=104).contains(&shaking), "in the handshake: {shaking}");
    }

    #[test]
    fn a_machine_holds_few_and_its_newest_count() {
        let all = connections(100);
        let mut held = Vec::new();
        for _ in 0..10 {
            let (mut place, closed) = all.accept(HERE);
            place.settle(Some("m"));
            held.push((place, closed));
        }
        let open: Vec<bool> = held.iter_mut().map(|(_, closed)| !is_closed(closed)).collect();
        assert_eq!(open.iter().filter(|open| **open).count(), Deadlines::default().each_machine);
        assert!(open[9] && !open[0]);
        drop(held);
        assert_eq!(all.machines.open.lock().unwrap().all, 0, "every place came back");
    }
}
