//! The agent as an office installs it on Linux: the static program.

use std::path::PathBuf;

use anyhow::ensure;

use crate::checkout;
use crate::process::{answer, command};

/// Builds it, unless that was done before.
///
/// # Errors
/// The build fails; the error has its output.
pub fn program() -> anyhow::Result<PathBuf> {
    let built = answer(&mut command(checkout::root()?.join("agent/packaging/linux/static")))?;
    ensure!(built.code == Some(0), "the static program was not built: {}", built.err);
    Ok(PathBuf::from(built.out.trim()))
}
