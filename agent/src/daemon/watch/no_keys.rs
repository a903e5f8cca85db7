//! A system without a registry.

use std::collections::BTreeSet;
use std::io;

use super::Subject;

/// No keys.
#[derive(Debug)]
pub(super) struct Keys;

impl Keys {
    /// Nothing to watch.
    pub(super) fn new(_wanted: Vec<(&'static str, Subject)>) -> Self {
        Self
    }

    /// Nothing to watch.
    pub(super) fn arm(&mut self) {}

    /// Waits for ever.
    pub(super) async fn changed(&mut self) -> io::Result<BTreeSet<Subject>> {
        std::future::pending().await
    }
}
