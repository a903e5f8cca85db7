//! From the machine's answers to facts.

use os::{Answer, OsError};
use policies::fact::{Fact, Reason};

use crate::text::capped;

/// The fact for a question that had no answer.
pub(super) fn unknown<T>(error: &OsError) -> Fact<T> {
    let reason = match error {
        OsError::Missing(_) => Reason::SourceMissing,
        OsError::Denied(_) => Reason::NeedsAdministrator,
        OsError::TimedOut(_) => Reason::TimedOut,
        OsError::TooLarge(..) | OsError::Failed(..) => Reason::Unreadable,
    };
    Fact::unknown(reason, capped(&error.to_string()))
}

/// Turns an answer into a fact: the result of `read`, or why there was no answer.
pub(super) fn answered<A, T>(answer: Answer<A>, read: impl FnOnce(A) -> Fact<T>) -> Fact<T> {
    match answer {
        Ok(answer) => read(answer),
        Err(error) => unknown(&error),
    }
}
