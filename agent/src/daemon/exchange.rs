//! Delivery of reports, shared by the single check and the loop: the caller only decides when to send and what a failure
//! costs.

use protocol::{Digest, ReportAnswers};

use crate::connection::{Connection, WireError};
use crate::daemon::agent_state::AgentState;
use crate::report::delivery::{Batch, Next};

/// What the answer to a report request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// What to do next about the reports.
    pub(crate) next: Next,
    /// True when the chain broke and a full report that mends it is now waiting.
    pub(crate) healed: bool,
    /// The address of a policy to fetch.
    pub(crate) policy: Option<Digest>,
}

/// Sends one batch of reports.
pub(crate) async fn send(connection: Connection, mut batch: Batch) -> (Batch, Result<ReportAnswers, WireError>) {
    let answers = connection.send_reports(std::mem::take(&mut batch.frames)).await;
    (batch, answers)
}

/// Processes the answers to `batch`. `outcomes` is the digest of the verdicts, if judged.
pub(crate) fn answered(
    agent_state: &mut AgentState,
    batch: &Batch,
    answers: &ReportAnswers,
    outcomes: Option<Digest>,
) -> Delivered {
    let policy = agent_state.learn(&answers.assignment, answers.server_time_at);
    let next = agent_state.delivery.answered(batch, answers, &agent_state.state);
    let broken =
        agent_state.delivery.chain.opens() && !agent_state.delivery.waits() && !agent_state.observation.is_empty();
    let healed = broken && report(agent_state, outcomes);
    Delivered { next, healed, policy }
}

/// Makes a report of the newest facts; logs an error. True when it was made.
pub(crate) fn report(agent_state: &mut AgentState, outcomes: Option<Digest>) -> bool {
    let made = agent_state.report(outcomes);
    if let Err(error) = &made {
        tracing::error!(%error, "no report could be made");
    }
    made.is_ok()
}
