//! The Windows door: registry, WMI, Win32 and COM, asked with numbers and identifiers only, never for text in the user's
//! language.
//!
//! The questions and the shapes of their answers are plain values that compile everywhere; [`this`] asks this machine,
//! [`recorded`] replays. What an answer means is decided by the collectors, from these plain values.

use super::{Answer, Os};

pub mod answer;
pub mod recorded;
#[cfg(windows)]
pub mod this;

pub use answer::{Registry, Row, Service, Variant, WindowsProcess};
#[cfg(windows)]
pub use this::Windows;

/// What only Windows answers. Every call that may hang (WMI) is given up at its deadline with
/// [`super::OsError::TimedOut`], and not started again while it hangs.
///
/// Registry keys are written `HKLM\SOFTWARE\...`, `HKU\S-1-5-...\...`; a 32-bit agent sees the 64-bit view. Names of keys and
/// values are compared without regard to case, as Windows does.
pub trait WindowsOs: Os {
    /// The value `name` of a key; the empty name is the key's own value.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when key or value is absent, [`super::OsError::Denied`] when it may not be read.
    fn value(&self, key: &str, name: &str) -> Answer<Registry>;

    /// All values of a key, by name.
    ///
    /// # Errors
    /// As [`WindowsOs::value`].
    fn values(&self, key: &str) -> Answer<Vec<(String, Registry)>>;

    /// The names of the keys below a key, sorted.
    ///
    /// # Errors
    /// As [`WindowsOs::value`].
    fn keys(&self, key: &str) -> Answer<Vec<String>>;

    /// The rows of a WMI query (`SELECT a, b FROM class`) in a namespace (`ROOT\CIMV2`): the properties asked for, by name.
    ///
    /// # Errors
    /// [`super::OsError::Missing`] when there is no such namespace or class (servers have no Security Center), `Denied`,
    /// `TimedOut`, `Failed`.
    fn wmi(&self, namespace: &str, query: &str) -> Answer<Vec<Row>>;

    /// Services and drivers with their state, by name.
    ///
    /// # Errors
    /// When the service manager cannot be asked.
    fn services(&self) -> Answer<Vec<Service>>;

    /// Running processes.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn processes(&self) -> Answer<Vec<WindowsProcess>>;

    /// The computer's name.
    ///
    /// # Errors
    /// When it cannot be read.
    fn computer_name(&self) -> Answer<String>;
}
