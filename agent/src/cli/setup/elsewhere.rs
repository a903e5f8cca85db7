//! On other systems packages install.

use crate::cli::Exit;
use crate::cli::terminal::Terminal;
use crate::install::InstallError;

/// Says what to do here.
///
/// # Errors
/// Always.
pub(in crate::cli) fn run(_terminal: &Terminal) -> anyhow::Result<Exit> {
    Err(InstallError::Elsewhere.into())
}
