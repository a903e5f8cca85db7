//! Delivery of reports, the same in one check and in the loop: who drives it decides only when, and what a failure costs.

use protocol::{Digest, ReportAnswers};

use crate::connection::{Connection, WireError};
use crate::daemon::agent_state::AgentState;
use crate::report::delivery::{Batch, Next};

/// What the answer to a request of reports means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// What to do next with the reports.
    pub(crate) next: Next,
    /// True when the chain broke and a full report that heals it waits now.
    pub(crate) healed: bool,
    /// The address of a policy that is to be fetched.
    pub(crate) policy: Option<Digest>,
}

/// Sends a request of reports.
pub(crate) async fn send(connection: Connection, mut batch: Batch) -> (Batch, Result<ReportAnswers, WireError>) {
    let answers = connection.send_reports(std::mem::take(&mut batch.frames)).await;
    (batch, answers)
}

/// Takes in the answers to `batch`. `outcomes` is the digest of the verdicts, if judged.
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

/// Makes a report of the newest facts; trouble is logged. True when it was made.
pub(crate) fn report(agent_state: &mut AgentState, outcomes: Option<Digest>) -> bool {
    let made = agent_state.report(outcomes);
    if let Err(error) = &made {
        tracing::error!(%error, "no report could be made");
    }
    made.is_ok()
}
