//! Delivery of reports, shared by the single check and the loop: the caller only decides when to send and what a failure
//! costs.

use protocol::log::{LogAnswer, LogRequest};
use protocol::{AgentEventKind, Digest, ReportAnswers, path};

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
    contradictions_note(agent_state);
    let broken =
        agent_state.delivery.chain.opens() && !agent_state.delivery.waits() && !agent_state.observation.is_empty();
    let healed = broken && report(agent_state, outcomes);
    Delivered { next, healed, policy }
}

/// Notes as events what was found to contradict a kept checkpoint: the next report carries them, signed.
fn contradictions_note(agent_state: &mut AgentState) {
    let now = agent_state.clock.now();
    for size in agent_state.delivery.evidence.news() {
        agent_state.journal.note(AgentEventKind::LogContradiction, i64::try_from(size).ok(), now);
    }
}

/// The question how the evidence log went on, to be sent now; none before the first checkpoint.
pub(crate) fn question(agent_state: &mut AgentState) -> Option<LogRequest> {
    let now = agent_state.clock.now();
    let checkpoint = agent_state.delivery.evidence.question(now, &agent_state.state)?;
    Some(LogRequest { checkpoint })
}

/// Asks it.
pub(crate) async fn ask(connection: Connection, question: LogRequest) -> Result<LogAnswer, WireError> {
    connection.post(path::LOG, &question).await
}

/// Judges its answer.
pub(crate) fn asked(agent_state: &mut AgentState, answer: &LogAnswer) {
    agent_state.delivery.evidence.answered(answer, &agent_state.state);
    contradictions_note(agent_state);
}

/// Makes a report of the newest facts; logs an error. True when it was made.
pub(crate) fn report(agent_state: &mut AgentState, outcomes: Option<Digest>) -> bool {
    let made = agent_state.report(outcomes);
    if let Err(error) = &made {
        tracing::error!(%error, "no report could be made");
    }
    made.is_ok()
}
