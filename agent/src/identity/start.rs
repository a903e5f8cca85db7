//! Why the agent cannot start from its state folder.

use policies::text;
use policies::text::Text;

use crate::identity::keys::KeyError;
use crate::platform::random::NoRandomBytes;
use crate::state::StateError;
use crate::state::config::ConfigError;

/// Why the agent cannot start.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
pub enum StartError {
    /// Error of the state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// Error of the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Error of the key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The machine was never enrolled, or the enrolment was not finished.
    NotEnrolled,
    /// The machine has no address to dial: it works by files.
    Unconnected,
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomBytes(#[from] NoRandomBytes),
}

impl StartError {
    /// The error message for people, in both languages.
    pub fn text(&self) -> Text {
        match self {
            Self::State(error) | Self::Key(KeyError::State(error)) => error.text(),
            Self::Config(error) => error.text(),
            Self::Key(error) => text!("khoá của máy: {error}", "the machine's key: {error}"),
            Self::NotEnrolled => text!(
                "máy này chưa kết nối với máy chủ; hãy chạy: posture-agent enrol",
                "this machine is not connected to a server yet; run: posture-agent enrol"
            ),
            Self::Unconnected => text!(
                "máy này không nối mạng, chỉ làm việc bằng tệp; hãy dùng: posture-agent export, posture-agent import",
                "this machine has no network and works by files only; use: posture-agent export, posture-agent import"
            ),
            Self::NoRandomBytes(error) => text!("hệ thống không cho số ngẫu nhiên", "{error}"),
        }
    }
}
