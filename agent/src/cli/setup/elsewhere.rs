//! Setup on other systems, where packages do the installing.

use crate::cli::Exit;
use crate::cli::terminal::Terminal;
use crate::install::InstallError;

/// Says how to install here.
///
/// # Errors
/// Always.
pub(in crate::cli) fn run(_terminal: &Terminal) -> anyhow::Result<Exit> {
    Err(InstallError::Elsewhere.into())
}
