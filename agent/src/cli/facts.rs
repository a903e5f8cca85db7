//! `posture-agent facts`: shows a person everything that would be sent.

use crate::cli::{Exit, FactsOptions};
use crate::terminal::Terminal;

/// Collects the sections asked for and prints them.
///
/// # Errors
/// When the output cannot be written.
pub fn run(_options: &FactsOptions, _terminal: &Terminal) -> anyhow::Result<Exit> {
    anyhow::bail!("no collector is built in yet")
}
