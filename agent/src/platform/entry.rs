//! The entries of the logbook: number, gravity and message of each event.

use policies::text;
use policies::text::{Text, visible};

/// The most characters of a reason that are shown.
const SHOWN: usize = 500;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The agent has started.
    Started,
    /// The agent stops because somebody asked it to, or because the system is shutting down.
    Stopped,
    /// The machine was connected to an office.
    Enrolled {
        /// The office's name, as the server gives it.
        office: String,
    },
    /// The server could not be reached for a long time.
    Unreachable {
        /// Whole hours since it last answered.
        hours: u64,
    },
    /// Other accounts had access to the agent's folder; the access was closed.
    AccessRepaired {
        /// The folder or file.
        path: String,
        /// Owner and access list before the repair (SDDL).
        found: String,
    },
    /// A policy failed its checks and is not used.
    PolicyRefused {
        /// The error.
        reason: String,
    },
    /// The agent cannot work.
    CannotRun {
        /// The error.
        reason: String,
    },
    /// The server refused to enrol the machine, for good.
    EnrolmentRefused {
        /// The server's reason.
        reason: Text,
    },
    /// There is nothing to run: the machine was never enrolled.
    NotEnrolled,
}

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gravity {
    /// For information only.
    Information,
    /// Worth a look.
    Warning,
    /// Somebody must do something.
    Error,
}

impl Entry {
    /// Its event number: stable, so that it can be searched for. From 1 to 1000, the range of the message file.
    pub fn number(&self) -> u16 {
        match self {
            Self::Started => 1,
            Self::Stopped => 2,
            Self::Enrolled { .. } => 3,
            Self::Unreachable { .. } => 4,
            Self::AccessRepaired { .. } => 5,
            Self::PolicyRefused { .. } => 6,
            Self::CannotRun { .. } => 7,
            Self::EnrolmentRefused { .. } => 8,
            Self::NotEnrolled => 9,
        }
    }

    /// How serious the event is.
    pub fn gravity(&self) -> Gravity {
        match self {
            Self::Started | Self::Stopped | Self::Enrolled { .. } => Gravity::Information,
            Self::Unreachable { .. } | Self::AccessRepaired { .. } | Self::NotEnrolled => Gravity::Warning,
            Self::PolicyRefused { .. } | Self::CannotRun { .. } | Self::EnrolmentRefused { .. } => Gravity::Error,
        }
    }

    /// The event's message for people, in both languages.
    pub fn text(&self) -> Text {
        match self {
            Self::Started => text!(
                "Trạm An {0} đã bắt đầu theo dõi máy này.",
                "Trạm An {0} now watches this machine.",
                env!("CARGO_PKG_VERSION")
            ),
            Self::Stopped => text!(
                "Trạm An đã dừng; máy này không được theo dõi cho đến khi dịch vụ chạy lại.",
                "Trạm An has stopped; this machine is not watched until the service runs again.",
            ),
            Self::Enrolled { office } => {
                let office = visible(office, 200);
                text!(
                    "Máy này đã kết nối với cơ quan \"{office}\".",
                    "This machine is connected to the office \"{office}\"."
                )
            }
            Self::Unreachable { hours } => text!(
                "Không liên lạc được máy chủ đã {hours} giờ. Báo cáo được giữ trên máy và sẽ gửi sau. Kiểm tra đường mạng, \
                     proxy và địa chỉ máy chủ.",
                "The server could not be reached for {hours} hours. Reports are kept on this machine and sent later. Check the \
                     network, the proxy and the server's address."
            ),
            Self::AccessRepaired { path, found } => {
                let (path, found) = (visible(path, SHOWN), visible(found, SHOWN));
                text!(
                    "{path} bị mở cho người khác ({found}); đã đóng lại, chỉ SYSTEM và quản trị viên truy cập được.",
                    "{path} was open to others ({found}); now only SYSTEM and administrators have access."
                )
            }
            Self::PolicyRefused { reason } => {
                let reason = visible(reason, SHOWN);
                text!(
                    "Bộ tiêu chí không hợp lệ nên không được dùng: {reason}",
                    "The policy is not valid and is not used: {reason}"
                )
            }
            Self::CannotRun { reason } => {
                let reason = visible(reason, SHOWN);
                text!("Trạm An không chạy được: {reason}", "Trạm An cannot run: {reason}")
            }
            Self::EnrolmentRefused { reason: Text { vi, en } } => {
                text!("Máy này chưa kết nối được: {vi}", "This machine could not be connected: {en}")
            }
            Self::NotEnrolled => text!(
                "Máy này chưa kết nối với máy chủ nào; hãy chạy posture-agent install với mã đăng ký máy.",
                "This machine is not connected to any server; run posture-agent install with an enrolment token.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_differ_and_strangers_words_are_made_visible() {
        let hostile = "a\u{202e}b\n".to_owned();
        let all = [
            Entry::Started,
            Entry::Stopped,
            Entry::Enrolled { office: hostile.clone() },
            Entry::Unreachable { hours: 25 },
            Entry::AccessRepaired { path: hostile.clone(), found: hostile.clone() },
            Entry::PolicyRefused { reason: hostile.clone() },
            Entry::CannotRun { reason: hostile },
            Entry::EnrolmentRefused { reason: Text::new("mã hết hạn", "the token has expired") },
            Entry::NotEnrolled,
        ];
        let numbers: BTreeSet<u16> = all.iter().map(Entry::number).collect();
        assert_eq!((numbers.len(), numbers.iter().all(|number| (1..=1000).contains(number))), (all.len(), true));
        for entry in &all {
            let text = entry.text();
            assert!(!text.vi.contains(['\u{202e}', '\n']) && !text.en.contains(['\u{202e}', '\n']), "{text:?}");
        }
    }
}
