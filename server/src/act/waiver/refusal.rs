//! Why a waiver cannot be requested, granted, refused or withdrawn, in words for the person who tried.

use policies::policy::Severity;
use policies::text;
use policies::text::Text;

use super::REASON_MOST;
use crate::store::StoreError;

/// Why nothing was done to a waiver.
#[derive(Debug)]
pub enum WaiverError {
    /// A rule forbids it.
    Refused(Refusal),
    /// It is not within scope, or the database failed.
    Store(StoreError),
}

/// The rule that forbids an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No policy is published.
    NoPolicy,
    /// The policy has no such control; a sentence with the nearest name.
    NoControl(Text),
    /// The machine is revoked.
    Revoked,
    /// The reason is missing or too long.
    NoReason,
    /// The end has passed.
    Past,
    /// The end lies too far ahead.
    TooLong {
        /// The control's severity.
        severity: Severity,
        /// The most that the policy allows.
        days: u32,
    },
    /// One is already requested or in force.
    Open,
    /// It was decided or withdrawn before.
    Decided,
    /// It has ended.
    Over,
    /// The person asked for it.
    Author,
    /// The person belongs to the graded office.
    Inside,
    /// The person neither asked for it nor may decide on it.
    Stranger,
}

impl From<Refusal> for WaiverError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for WaiverError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Refusal {
    /// True when the act is refused to this person but another may do it.
    pub fn is_about_the_person(&self) -> bool {
        matches!(self, Self::Author | Self::Inside | Self::Stranger)
    }

    /// What happened and what to do.
    pub fn text(&self) -> Text {
        match self {
            Self::NoPolicy => Text::new(
                "Chưa ban hành bộ tiêu chí nên chưa thể đề nghị ngoại lệ.",
                "No policy is published, so there is nothing to be excepted from.",
            ),
            Self::NoControl(sentence) => {
                let mut text = Text::new("Không nhận ngoại lệ: ", "The waiver is refused: ");
                text.push(&sentence.vi, &sentence.en);
                let end = if text.en.ends_with('?') { "" } else { "." };
                text.push(end, end);
                text
            }
            Self::Revoked => Text::new(
                "Máy này đã bị thu hồi nên không cần ngoại lệ.",
                "This machine is revoked and needs no waiver.",
            ),
            Self::NoReason => text!(
                "Hãy ghi lý do, không quá {REASON_MOST} ký tự.",
                "Give a reason of at most {REASON_MOST} characters."
            ),
            Self::Past => Text::new(
                "Ngày hết hạn của ngoại lệ đã qua. Hãy đề nghị lại với ngày khác.",
                "The end of the waiver has passed. Ask again with another date.",
            ),
            Self::TooLong { severity, days } => {
                let severity = severity.text();
                Text::new(
                    format!(
                        "Thời hạn quá dài: với tiêu chí mức {}, ngoại lệ kéo dài nhiều nhất {days} ngày kể từ lúc được chấp \
                         thuận. Hãy chọn ngày sớm hơn.",
                        severity.vi
                    ),
                    format!(
                        "The end lies too far ahead: a waiver from a {} control lasts at most {days} days from when it is \
                         granted. Choose an earlier date.",
                        severity.en
                    ),
                )
            }
            Self::Open => Text::new(
                "Tiêu chí này trên máy này đã có một ngoại lệ đang chờ quyết định hoặc đang áp dụng.",
                "There is a waiver from this control on this machine already, waiting for a decision or in force.",
            ),
            Self::Decided => Text::new(
                "Ngoại lệ này đã được quyết định hoặc đã rút trước đó. Hãy tải lại trang.",
                "This waiver was decided or withdrawn before. Reload the page.",
            ),
            Self::Over => Text::new(
                "Ngoại lệ này không còn hiệu lực nên không rút được nữa.",
                "This waiver is over and can no longer be withdrawn.",
            ),
            Self::Author => Text::new(
                "Người đề nghị không được tự quyết định ngoại lệ của mình. Hãy để người khác, thuộc cấp trên của cơ quan, quyết định.",
                "Whoever asked for a waiver must not decide on it. Leave it to somebody else, from above the office.",
            ),
            Self::Inside => Text::new(
                "Chỉ người thuộc cấp trên của cơ quan được chấm điểm mới quyết định được ngoại lệ này.",
                "Only somebody from above the graded office may decide on this waiver.",
            ),
            Self::Stranger => Text::new(
                "Chỉ người đề nghị, người đã chấp thuận hoặc người thuộc cấp trên của cơ quan mới rút được ngoại lệ này.",
                "Only its author, whoever granted it or somebody from above the office may withdraw this waiver.",
            ),
        }
    }
}
