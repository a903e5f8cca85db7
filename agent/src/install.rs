//! Installs the program on a Windows machine as a service, and removes it again. An error names the step that failed; every step
//! can be repeated.
//!
//! Enrolment is left to the service: what `install` is given waits in the state folder, because possibly only the account that runs
//! the service can read the machine's key. On other systems packages do the installing.

use std::path::PathBuf;

use policies::text;
use policies::text::Text;

use crate::enrol::pending_enrolment::EnrolmentProgress;
use crate::enrol::{EnrolError, Invitation};
use crate::state::StateError;

#[cfg(windows)]
pub(crate) mod manager;
#[cfg(windows)]
mod program;
#[cfg(windows)]
#[path = "install/windows.rs"]
mod system;
#[cfg(not(windows))]
#[path = "install/elsewhere.rs"]
mod system;

pub(crate) use system::{install, uninstall};

/// What to install.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// What the officer gave; none to only replace the program.
    pub(crate) invitation: Option<Invitation>,
    /// The state folder.
    pub(crate) state: PathBuf,
}

/// What to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Service, program, registry keys, state.
    All,
    /// All but the state.
    KeepIdentity,
    /// State and registry keys; the service is only stopped.
    StateOnly,
}

/// The result of an installation.
#[derive(Debug)]
pub(crate) struct Installed {
    /// How far the enrolment got; none when the service has not reported yet.
    pub(crate) enrolment: Option<EnrolmentProgress>,
    /// Service settings that Windows refused; the service works without them.
    pub(crate) missing: Vec<Text>,
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
#[cfg_attr(not(windows), expect(dead_code, reason = "nothing is installed on other systems"))]
pub(crate) enum InstallError {
    /// Not supported on this system.
    #[cfg_attr(windows, expect(dead_code, reason = "Windows is where it can be done"))]
    Elsewhere,
    /// Administrator rights are missing.
    NotAdministrator,
    /// The address, token or fingerprint given is invalid.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// Error of the state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// Windows refused a step.
    Step {
        /// The step.
        step: Text,
        /// Windows' error message.
        reason: String,
    },
    /// Several steps of the removal failed.
    Several(Vec<Self>),
}

impl InstallError {
    /// The error message for people, in both languages.
    pub(crate) fn text(&self) -> Text {
        match self {
            Self::Elsewhere => text!(
                "lệnh install và uninstall dành cho Windows; trên máy này hãy cài gói tram-an-agent (.deb hoặc .rpm) rồi chạy posture-agent enrol",
                "install and uninstall are for Windows; here install the package tram-an-agent (.deb or .rpm) and run posture-agent enrol"
            ),
            Self::NotAdministrator => text!(
                "cần quyền quản trị: mở Command Prompt bằng \"Run as administrator\" rồi chạy lại lệnh này",
                "administrator rights are needed: open the command prompt with \"Run as administrator\" and repeat the command"
            ),
            Self::Enrol(error) => error.text(),
            Self::State(error) => error.text(),
            Self::Step { step: Text { vi, en }, reason } => text!("{vi}: {reason}", "{en}: {reason}"),
            Self::Several(errors) => {
                let (vi, en): (Vec<_>, Vec<_>) = errors.iter().map(Self::text).map(|text| (text.vi, text.en)).unzip();
                Text::new(vi.join("; "), en.join("; "))
            }
        }
    }
}
