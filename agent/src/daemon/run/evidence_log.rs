//! Asking the server once a day how its evidence log went on, and sooner when an answer did not fit.

use std::time::Duration;

use protocol::log::LogAnswer;
use tokio::time::Instant;

use super::Daemon;
use super::retried_request::RetriedRequest;
use crate::connection::WireError;
use crate::daemon::agent_state::AgentState;
use crate::daemon::exchange;
use crate::platform::random;

/// The least time from one question to the next, ...
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// ... spread over this.
const SPREAD: Duration = Duration::from_secs(4 * 60 * 60);
/// One that cannot wait, because an answer did not fit, is spread over this; at most one a day.
const SOON: Duration = Duration::from_secs(10 * 60);

/// The request how the evidence log went on: due a day after the last one, also across restarts.
pub(super) fn asking(agent_state: &AgentState) -> RetriedRequest<Result<LogAnswer, WireError>> {
    let left = agent_state.delivery.evidence.due_at().saturating_sub(agent_state.clock.now());
    // A clock that was set back must not put it off for longer.
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(EVERY);
    let mut asking = RetriedRequest::new("asking how the evidence log went on");
    asking.rest(left + SPREAD.mul_f64(random::unit()));
    asking
}

impl Daemon {
    /// Asks, if it is time.
    pub(super) fn log_ask(&mut self) {
        if self.asking.may_start() {
            // Before the first receipt there is nothing to ask about.
            match exchange::question(&mut self.agent_state) {
                Some(question) => self.asking.start(exchange::ask(self.connection.clone(), question)),
                None => self.asking.rest(SPREAD),
            }
        }
    }

    /// The server said how its evidence log went on, or did not: an older one does not know the question.
    pub(super) fn asked(&mut self, answer: Result<LogAnswer, WireError>) {
        match answer {
            Ok(answer) => {
                exchange::asked(&mut self.agent_state, &answer);
                self.asking.succeeded();
                self.judge();
            }
            Err(error) if error.is_final() => {
                tracing::info!(%error, "the server does not answer about its evidence log")
            }
            Err(error) => self.asking.failed(&error, error.retry_after()),
        }
        // Also after a failure: one request a day.
        self.asking.rest(EVERY + SPREAD.mul_f64(random::unit()));
    }

    /// An answer did not fit: the question cannot wait, once a day.
    pub(super) fn log_alarm(&mut self) {
        let now = Instant::now();
        let lately = self.alarmed.is_some_and(|at| now.saturating_duration_since(at) < EVERY);
        if self.agent_state.delivery.evidence.alarmed() && !lately {
            self.alarmed = Some(now);
            self.asking.sooner(SOON.mul_f64(random::unit()));
        }
    }
}
