//! One connection as tracked by the server: whether it is used, by whom, and when it must end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::deadlines::Deadlines;
use crate::bound::{Bound, Share};

/// Requests a connection may have open at once before a person is known to be behind it: a page with everything it loads.
const STRANGER_REQUESTS: usize = 16;
/// The same for a machine: an honest agent holds a poll and does one or two other things.
const MACHINE_REQUESTS: usize = 8;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    number: u64,
    deadlines: Deadlines,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    close: Option<oneshot::Sender<()>>,
    /// It presented a machine's certificate.
    machine: bool,
    /// What it takes of the connections of the person who uses it, being logged in or having logged in with this browser before.
    person: Option<Share>,
    /// It sent a request.
    asked: bool,
    /// Requests not yet fully answered.
    open: usize,
    /// Since when no request is open.
    rested_at: Instant,
    /// When the last byte passed in either direction.
    active_at: Instant,
    /// Answers with data handed out that the peer has not taken, and since when.
    unread: BTreeMap<u64, Instant>,
    answers: u64,
}

/// A request not yet fully answered; closed when dropped.
#[derive(Debug)]
pub struct OpenRequest {
    connection: Arc<Connection>,
    number: u64,
}

impl Connection {
    /// A connection that begins now, and the signal that it must end.
    pub(super) fn new(number: u64, deadlines: Deadlines) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (close, closed) = oneshot::channel();
        let now = Instant::now();
        let state = State {
            close: Some(close),
            machine: false,
            person: None,
            asked: false,
            open: 0,
            rested_at: now,
            active_at: now,
            unread: BTreeMap::new(),
            answers: 0,
        };
        (Arc::new(Self { number, deadlines, state: Mutex::new(state) }), closed)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// The handshake is over.
    pub(super) fn settle(&self, machine: bool) {
        let mut state = self.state();
        let now = Instant::now();
        (state.machine, state.rested_at, state.active_at) = (machine, now, now);
    }

    /// Makes it end as soon as its task runs.
    pub(super) fn close(&self) {
        if let Some(close) = self.state().close.take() {
            // The task is gone: it has ended already.
            let _ = close.send(());
        }
    }

    /// Records that a byte passed.
    pub(super) fn active(&self) {
        self.state().active_at = Instant::now();
    }

    /// Its sort key among connections that may have to give way: strangers before people, then those waiting for nothing before
    /// those owed an answer (someone logging in may be waiting in line), the longest idle first.
    pub(super) fn rank(&self) -> (bool, bool, Instant) {
        let state = self.state();
        (state.person.is_some(), state.open > state.unread.len(), state.active_at)
    }

    /// True when it waits for nothing and no byte has passed for `time`.
    pub(super) fn is_idle(&self, time: Duration) -> bool {
        let (person, waits, active_at) = self.rank();
        !person && !waits && active_at.elapsed() >= time
    }

    /// True when a person uses it who is known: see [`Self::person_note`].
    pub(super) fn is_person(&self) -> bool {
        self.state().person.is_some()
    }

    /// When it ends if nothing more happens: because it sent no request, has had none open for long, leaves an answer untaken, or is silent.
    pub(super) fn ends_at(&self) -> Instant {
        let state = self.state();
        let deadlines = &self.deadlines;
        let idle = if state.machine { deadlines.idle_machine } else { deadlines.idle_stranger };
        let mut ends = state.active_at + idle;
        if state.open == 0 {
            ends = ends.min(state.rested_at + if state.asked { idle } else { deadlines.silent });
        }
        state.unread.values().min().map_or(ends, |since| ends.min(*since + deadlines.unread))
    }

    /// Records that `person`, who is logged in or logged in with this browser before, uses it. It stays a stranger's while `persons` has no
    /// room for one more of theirs.
    pub fn person_note(&self, persons: &Bound, person: &str) {
        let mut state = self.state();
        if state.person.is_none() {
            state.person = persons.enter(person);
        }
    }

    /// Begins a request; `None` when too many are open.
    pub fn request_begin(self: &Arc<Self>) -> Option<OpenRequest> {
        let mut state = self.state();
        let most = match (state.person.is_some(), state.machine) {
            (true, _) => usize::MAX,
            (false, true) => MACHINE_REQUESTS,
            (false, false) => STRANGER_REQUESTS,
        };
        state.asked = true;
        if state.open >= most {
            return None;
        }
        state.open += 1;
        state.answers += 1;
        Some(OpenRequest { connection: Arc::clone(self), number: state.answers })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenRequest {
    /// A piece of the answer was handed out: from now on we wait for the peer.
    pub fn handed_out(&self) {
        self.connection.state().unread.insert(self.number, Instant::now());
    }

    /// The peer took it and asks for more: now it waits for us.
    pub fn taken(&self) {
        self.connection.state().unread.remove(&self.number);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut state = self.connection.state();
        state.unread.remove(&self.number);
        state.open -= 1;
        if state.open == 0 {
            state.rested_at = Instant::now();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A connection without a network, for tests.
    pub(crate) fn connection(deadlines: Deadlines) -> Arc<Connection> {
        Connection::new(0, deadlines).0
    }

    #[test]
    fn what_a_connection_does_decides_when_it_ends() {
        let deadlines = Deadlines::default();
        let (connection, _closed) = Connection::new(1, deadlines);
        let left = || connection.ends_at().duration_since(Instant::now()).as_secs_f64().round();
        let seconds = |time: Duration| time.as_secs_f64();
        assert_eq!(left(), seconds(deadlines.silent), "no request yet, whatever bytes pass");
        let request = connection.request_begin().unwrap();
        assert_eq!(left(), seconds(deadlines.idle_stranger));
        request.handed_out();
        assert_eq!(left(), seconds(deadlines.unread));
        request.taken();
        assert_eq!(left(), seconds(deadlines.idle_stranger));
        drop(request);
        connection.settle(true);
        assert_eq!(left(), seconds(deadlines.idle_machine));
        let open: Vec<_> = std::iter::from_fn(|| connection.request_begin()).take(100).collect();
        assert_eq!(open.len(), MACHINE_REQUESTS);
    }
}
