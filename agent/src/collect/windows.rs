//! The Windows collectors: one file per section. They see numbers, identifiers and values only, never text in the user's language.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use policies::fact::{Facts, Section};

use super::{Check, Reader};
use crate::os::windows::WindowsOs;

mod scene;
mod time;

use scene::Scene;

/// A Windows machine.
#[derive(Clone)]
pub struct Machine {
    os: Arc<dyn WindowsOs>,
}

impl Machine {
    /// The machine behind `os`.
    pub fn new(os: Arc<dyn WindowsOs>) -> Self {
        Self { os }
    }

    /// This machine.
    #[cfg(windows)]
    pub fn this() -> Self {
        Self::new(Arc::new(crate::os::windows::Windows::default()))
    }
}

impl Reader for Machine {
    fn begin(&self, now: Timestamp) -> Arc<dyn Check> {
        Arc::new(Scene::new(Arc::clone(&self.os), now))
    }
}

impl Check for Scene {
    fn fill(&self, section: Section, facts: &mut Facts) {
        match section {
            Section::Time => facts.time = time::collect(self),
            _ => {}
        }
    }
}

/// The files and folders whose change makes it worth collecting `section` again at once.
pub fn watched(section: Section) -> Vec<PathBuf> {
    let paths: &[&str] = match section {
        Section::Lan => &[r"C:\Windows\System32\drivers\etc\hosts"],
        _ => &[],
    };
    paths.iter().map(PathBuf::from).collect()
}

/// The registry keys whose change makes it worth collecting `section` again at once, with all keys below them.
pub fn watched_keys(section: Section) -> &'static [&'static str] {
    match section {
        Section::Time => &[
            r"HKLM\SYSTEM\CurrentControlSet\Services\W32Time",
            r"HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation",
        ],
        _ => &[],
    }
}
