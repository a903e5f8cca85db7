//! Install on systems where packages do it.

use std::path::Path;

use super::{InstallError, Installed, Plan, Removal};

/// Always refuses: packages do it.
///
/// # Errors
/// [`InstallError::Elsewhere`].
pub(crate) fn install(_plan: &Plan) -> Result<Installed, InstallError> {
    Err(InstallError::Elsewhere)
}

/// Always refuses: packages do it.
///
/// # Errors
/// [`InstallError::Elsewhere`].
pub(crate) fn uninstall(_state: &Path, _what: Removal) -> Result<(), InstallError> {
    Err(InstallError::Elsewhere)
}
