//! The answers to a job after its commit, or after none.

use protocol::Digest;

use super::Taken;
use super::plan::Answer;
use super::refusal::Reason;

/// The answers of one job with the machine they are about.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) id: Option<String>,
    pub(super) taken: Taken,
}

impl std::ops::Deref for Answered {
    type Target = Taken;

    fn deref(&self) -> &Taken {
        &self.taken
    }
}

/// Refuses `count` reports: the first for `reason`, those after it because of the first.
pub(super) fn refusals(reason: Reason, detail: &str, count: usize) -> Vec<Answer> {
    let mut reason = Some(reason);
    std::iter::repeat_with(|| {
        let reason = reason.take().unwrap_or(Reason::AfterRefused);
        Answer::Refused { reason, detail: detail.to_owned(), agreed: None }
    })
    .take(count)
    .collect()
}

/// The answers to a job that could not be stored.
pub(super) fn failed(reports: usize) -> Answered {
    let answers = refusals(Reason::ServerFailed, "the store failed", reports);
    Answered { id: None, taken: Taken { answers, machine: None, audit_head: Digest::ZERO, logged: None } }
}
