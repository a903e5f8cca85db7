//! Counts and numbers as both databases keep them: 64 bits with a sign.

/// `protocol` refuses headers whose segment or number is too large.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
