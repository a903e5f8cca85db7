//! One connection as the server remembers it: whether it is used, by whom, and when it has had its time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::accept::Deadlines;

/// Requests that a connection may have open at the same time before a person is known to be behind it: a page with all it needs.
const STRANGER_REQUESTS: usize = 16;
/// The same for a machine: an honest agent holds a poll and does one or two things beside it.
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
    /// It showed a machine's certificate.
    machine: bool,
    /// A person who is logged in uses it.
    person: bool,
    /// It sent a request.
    asked: bool,
    /// Requests that are not answered to the end.
    open: usize,
    /// Since when none is open.
    rested_at: Instant,
    /// The last byte either way.
    active_at: Instant,
    /// Answers of which the peer has not taken what was handed out, and since when.
    unread: BTreeMap<u64, Instant>,
    answers: u64,
}

/// A request that is not answered to the end; over when dropped.
#[derive(Debug)]
pub struct OpenRequest {
    connection: Arc<Connection>,
    number: u64,
}

impl Connection {
    /// A connection that begins now, and what says that it must end.
    pub(super) fn new(number: u64, deadlines: Deadlines) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (close, closed) = oneshot::channel();
        let now = Instant::now();
        let state = State {
            close: Some(close),
            machine: false,
            person: false,
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
        (state.machine, state.rested_at) = (machine, Instant::now());
    }

    /// Has it end as soon as its task looks.
    pub(super) fn close(&self) {
        if let Some(close) = self.state().close.take() {
            // The task is gone: it has ended already.
            let _ = close.send(());
        }
    }

    /// Notes that a byte passed.
    pub(super) fn active(&self) {
        self.state().active_at = Instant::now();
    }

    /// By what it stands in the line of those that give way: strangers before persons, then those that wait for nothing before those
    /// whose request we owe an answer (somebody who logs in may wait for its turn), the one longest idle first.
    pub(super) fn rank(&self) -> (bool, bool, Instant) {
        let state = self.state();
        (state.person, state.open > state.unread.len(), state.active_at)
    }

    /// True when a person who is logged in uses it.
    pub(super) fn is_person(&self) -> bool {
        self.state().person
    }

    /// When it ends if nothing more happens: it sent no request, has none open for long, lets an answer lie, or is silent.
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

    /// Notes that a person who is logged in uses it.
    pub fn person_note(&self) {
        self.state().person = true;
    }

    /// Begins a request; none when too many are open.
    pub fn request_begin(self: &Arc<Self>) -> Option<OpenRequest> {
        let mut state = self.state();
        let most = match (state.person, state.machine) {
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
    /// A piece of the answer was handed out: from now on the peer is waited for.
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
    use std::time::Duration;

    use super::*;

    /// A connection without a network.
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
