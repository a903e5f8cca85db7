//! Random tokens of the pages (sessions, forms, browsers, enrolment) and the hash under which the store keeps them.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;

/// Draws a token of 256 random bits in lower-case hexadecimal.
///
/// # Errors
/// When the system has no random numbers.
pub(crate) fn draw_token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(HEXLOWER.encode(&bytes))
}

/// SHA-256 of a token in lower-case hexadecimal: tokens are random, so nothing slower is needed.
pub(crate) fn hash_token(token: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, token.as_bytes()).as_ref())
}

/// The token that the forms of a session repeat. It is derived from the session's token, so it is stored nowhere, and neither it nor the
/// stored hash reveals that token.
pub(crate) fn form_token(session: &str) -> String {
    hash_token(&format!("forms of {session}"))
}

/// True when two tokens are the same, compared in constant time.
pub(crate) fn same_token(one: &str, other: &str) -> bool {
    !one.is_empty() && one.as_bytes().ct_eq(other.as_bytes()).into()
}
