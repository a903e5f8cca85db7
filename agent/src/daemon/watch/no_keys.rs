//! Registry watch for systems without a registry.

use std::collections::BTreeSet;
use std::io;

use super::Subject;

/// Has no keys.
#[derive(Debug)]
pub(super) struct Keys;

impl Keys {
    /// Accepts the keys and watches nothing.
    pub(super) fn new(_wanted: Vec<(&'static str, Subject)>) -> Self {
        Self
    }

    /// Does nothing.
    pub(super) fn arm(&mut self) {}

    /// Never returns.
    pub(super) async fn changed(&mut self) -> io::Result<BTreeSet<Subject>> {
        std::future::pending().await
    }
}
