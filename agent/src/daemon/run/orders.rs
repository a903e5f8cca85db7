//! What the server tells the agent: orders, its decisions, a new policy.

use std::time::Duration;

use policies::text::visible;
use protocol::{AgentEventKind, Digest, Order, PollAnswer, SignedBundle, limits};
use tokio::time::Instant;

use super::Daemon;
use crate::connection::WireError;
use crate::platform::logbook::{self, Entry};

/// The most orders remembered; an honest server never has more open.
const ORDERS: usize = 32;
/// A poll that returns sooner than this without news means that the server is in trouble.
const POLL_TOO_SHORT: Duration = Duration::from_millis(500);

impl Daemon {
    pub(super) fn polled(&mut self, answer: PollAnswer) {
        self.done.clear();
        let news = !answer.orders.is_empty();
        for order in answer.orders.into_iter().take(ORDERS) {
            match order {
                Order::CheckNow { id } if !self.ordered.contains(&id) => {
                    tracing::info!(order = visible(&id, 64), "the server asks for a check");
                    self.ordered.push(id);
                }
                Order::CheckNow { .. } | Order::Unknown => {}
            }
        }
        let policy = self.agent_state.learn(&answer.assignment, answer.server_time_at);
        self.heard(false, policy);
        let too_short = self.poll_started.elapsed() < POLL_TOO_SHORT;
        if too_short && !news && self.policy_wanted.is_none() {
            self.polling.failed(&"the server holds no poll", None);
        } else {
            self.polling.succeeded();
            self.polling.rest(limits::DELAY_LEAST);
        }
    }

    /// The server could not be reached; a refusal still counts as an answer.
    pub(super) fn unanswered(&mut self, error: &WireError) {
        let now = Instant::now();
        self.out_of_date |= error.is_out_of_date();
        if matches!(error, WireError::Refused { .. }) {
            self.silence.ended(now);
        } else if let Some(hours) = self.silence.goes_on(now) {
            logbook::enter(&Entry::Unreachable { hours });
        }
    }

    /// The server answered and wants `policy` fetched; `first` is true for the first answer since the start.
    pub(super) fn heard(&mut self, first: bool, policy: Option<Digest>) {
        self.silence.ended(Instant::now());
        self.renewing.helped();
        self.policy_wanted = policy;
        if first && self.policy_wanted.is_none() {
            self.judge();
        }
    }

    pub(super) fn fetched(&mut self, bundle: &SignedBundle) {
        match self.agent_state.policy_use(bundle) {
            Ok(()) => {
                self.policy_wanted =
                    self.policy_wanted.filter(|wanted| Some(*wanted) != self.agent_state.policies.address());
                self.fetching.succeeded();
                self.refused = None;
                self.judge();
            }
            Err(error) => {
                self.policy_refused(&error.to_string());
                self.fetch_failed(&error, None);
            }
        }
    }

    /// Reports a refused policy once per reason, although it is fetched again and again.
    pub(super) fn policy_refused(&mut self, reason: &str) {
        if self.refused.as_deref() != Some(reason) {
            logbook::enter(&Entry::PolicyRefused { reason: reason.to_owned() });
            self.agent_state.journal.note(AgentEventKind::PolicyRefused, None, self.agent_state.clock.now());
            self.refused = Some(reason.to_owned());
        }
    }

    pub(super) fn fetch_failed(&mut self, trouble: &dyn std::fmt::Display, asked: Option<Duration>) {
        self.fetching.failed(trouble, asked);
        // Until then the server would answer every poll at once with the same policy.
        if let Some(next) = self.fetching.next() {
            self.polling.rest(next.saturating_duration_since(Instant::now()));
        }
    }
}
