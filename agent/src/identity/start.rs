//! Why the agent cannot start from its state folder.

use policies::text::Text;

use crate::identity::keys::KeyError;
use crate::platform::random::NoRandomBytes;
use crate::state::StateError;
use crate::state::config::ConfigError;

/// Why the agent cannot start.
#[derive(Debug, thiserror::Error)]
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
    #[error("this machine is not connected to a server yet; run: posture-agent enrol")]
    NotEnrolled,
    /// The machine has no address to dial: it works by files.
    #[error("this machine works by files alone; use: posture-agent export, posture-agent import")]
    Unconnected,
    /// The system gave no random bytes.
    #[error(transparent)]
    Chance(#[from] NoRandomBytes),
}

impl StartError {
    /// The error message for people, in both languages.
    pub fn text(&self) -> Text {
        match self {
            Self::State(error) | Self::Key(KeyError::State(error)) => error.text(),
            Self::Config(error) => error.text(),
            Self::Key(error) => Text::new(format!("khoá của máy: {error}"), format!("the machine's key: {error}")),
            Self::NotEnrolled => {
                Text::new("máy này chưa kết nối với máy chủ; hãy chạy: posture-agent enrol", self.to_string())
            }
            Self::Unconnected => Text::new(
                "máy này không nối mạng, chỉ làm việc bằng tệp; hãy dùng: posture-agent export, posture-agent import",
                self.to_string(),
            ),
            Self::Chance(error) => Text::new("hệ thống không cho số ngẫu nhiên", error.to_string()),
        }
    }
}
