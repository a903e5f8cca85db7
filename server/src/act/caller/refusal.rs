//! Why a machine does not get what it asks for, over the wire or by file.

use policies::text::Text;
use protocol::RefusalAction;

use crate::bound::allowance::RENEWAL_EVERY_S;
use crate::ingest::Reason;
use crate::store::StoreError;

/// Why a machine does not get what it asks for.
#[derive(Debug)]
pub enum CallerError {
    /// A rule forbids it.
    Refused(Refusal),
    /// The server failed.
    Failed(anyhow::Error),
}

impl From<Refusal> for CallerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<anyhow::Error>> From<E> for CallerError {
    fn from(cause: E) -> Self {
        let cause = cause.into();
        match cause.downcast_ref::<StoreError>() {
            Some(error) if error.is_text_unusable() => Self::Refused(Refusal::TextUnusable),
            _ => Self::Failed(cause),
        }
    }
}

/// The rule that forbids it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A text holds a NUL.
    TextUnusable,
    /// What was sent as a token is not one.
    TokenMalformed,
    /// No such token.
    TokenUnknown,
    /// The token was revoked.
    TokenRevoked,
    /// The token has expired.
    TokenExpired,
    /// The token enrolled as many machines as it may.
    TokenUsedUp,
    /// The request for a certificate cannot be used; the reason.
    CsrUnusable(String),
    /// The key belongs to this machine, which is enrolled.
    KeyKnown(String),
    /// The key belongs to this machine, which is revoked; its agent then makes a new key.
    KeyRevoked(String),
    /// The new key of a renewal was used before.
    KeyUsed,
    /// The machine has already had the maximum number of keys.
    TooManyKeys,
    /// The key was replaced by a newer one.
    KeyReplaced,
    /// A renewal is not signed with the machine's key.
    BadSignature,
    /// What a machine shows as a checkpoint of the evidence log is not one that this server signed.
    CheckpointUnusable,
    /// The machine asks for certificates too often.
    TooManyRenewals,
    /// The store does not know the machine: it was restored from a backup older than the enrolment.
    UnknownMachine,
    /// The machine is revoked.
    Revoked,
    /// A whole request of reports is refused.
    Reports(Reason),
}

impl Refusal {
    /// The stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TextUnusable => "text_unusable",
            Self::TokenMalformed => "token_malformed",
            Self::TokenUnknown => "token_unknown",
            Self::TokenRevoked => "token_revoked",
            Self::TokenExpired => "token_expired",
            Self::TokenUsedUp => "token_used_up",
            Self::CsrUnusable(_) => "csr_unusable",
            Self::KeyKnown(_) | Self::KeyUsed => "key_known",
            Self::KeyRevoked(_) => "key_revoked",
            Self::TooManyKeys => "too_many_keys",
            Self::KeyReplaced => "key_replaced",
            Self::BadSignature => "bad_signature",
            Self::CheckpointUnusable => "checkpoint_unusable",
            Self::TooManyRenewals => "too_many_renewals",
            Self::UnknownMachine => "unknown_machine",
            Self::Revoked => "revoked",
            Self::Reports(reason) => reason.code(),
        }
    }

    /// What the agent should do.
    pub const fn action(&self) -> RefusalAction {
        match self {
            Self::TooManyRenewals => RefusalAction::Retry,
            Self::Reports(reason) => reason.action(),
            _ => RefusalAction::Final,
        }
    }

    /// Minimum seconds to wait before sending the same again.
    pub const fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::TooManyRenewals => Some(RENEWAL_EVERY_S),
            Self::Reports(reason) => reason.retry_after_s(),
            _ => None,
        }
    }

    /// The refusal in its wire form.
    pub fn wire(&self) -> protocol::Refusal {
        protocol::Refusal {
            code: self.code().to_owned(),
            message: self.text(),
            action: self.action(),
            retry_after_s: self.retry_after_s(),
        }
    }

    /// The message for a person.
    pub fn text(&self) -> Text {
        let (vi, en) = match self {
            Self::TextUnusable => (
                "Trong tên hoặc chữ gửi lên có ký tự NUL nên máy chủ không nhận.",
                "A name or text in the request holds a NUL character, which the server does not take.",
            ),
            Self::TokenMalformed => (
                "Mã đăng ký máy không đúng dạng: cần 26 chữ và số, viết thành từng nhóm năm ký tự.",
                "This is not an enrolment token: 26 letters and digits in groups of five are expected.",
            ),
            Self::TokenUnknown => return token("không có trên máy chủ này", "is not known to this server"),
            Self::TokenRevoked => return token("đã bị thu hồi", "was revoked"),
            Self::TokenExpired => return token("đã hết hạn", "has expired"),
            Self::TokenUsedUp => return token("đã dùng hết số lượt", "is used up"),
            Self::CsrUnusable(why) => {
                return Text::new(
                    format!("Yêu cầu cấp chứng thư không dùng được: {why}."),
                    format!("The certificate request cannot be used: {why}."),
                );
            }
            Self::KeyKnown(machine) => {
                return Text::new(
                    format!(
                        "Máy này đang được kết nối (mã máy {machine}), không cần đăng ký lại. Nếu muốn đăng ký lại từ đầu, hãy thu hồi máy đó trước (posture-server machine revoke)."
                    ),
                    format!(
                        "This machine is enrolled already (machine id {machine}) and need not enrol again. To begin anew, revoke that machine first (posture-server machine revoke)."
                    ),
                );
            }
            Self::KeyRevoked(machine) => {
                return Text::new(
                    format!("Khoá này thuộc máy đã bị thu hồi ({machine}). Máy cần đăng ký bằng khoá mới."),
                    format!(
                        "This key belongs to a machine that is revoked ({machine}). The machine must enrol with a new key."
                    ),
                );
            }
            Self::KeyUsed => (
                "Khoá mới đã từng được dùng. Máy cần tạo một khoá khác.",
                "The new key was used before. The machine must make another one.",
            ),
            Self::TooManyKeys => (
                "Máy đã đổi khoá quá nhiều lần. Hãy đăng ký lại máy bằng mã đăng ký máy mới.",
                "The machine has changed its key too often. Enrol it again with a new token.",
            ),
            Self::KeyReplaced => (
                "Khoá này của máy đã được thay bằng khoá mới. Máy cần dùng khoá mới hoặc gửi lại yêu cầu gia hạn.",
                "This key of the machine was replaced by a new one. The machine must use the new one or repeat its renewal.",
            ),
            Self::BadSignature => (
                "Chữ ký của yêu cầu gia hạn không đúng với khoá của máy.",
                "The renewal's signature does not fit the machine's key.",
            ),
            Self::CheckpointUnusable => (
                "Mốc đối chứng gửi lên không phải do máy chủ này ký.",
                "The checkpoint of the evidence log in the request is not signed by this server.",
            ),
            Self::TooManyRenewals => (
                "Máy đề nghị gia hạn chứng thư quá nhiều lần trong thời gian ngắn. Máy sẽ tự gửi lại sau.",
                "The machine asks for certificates too often. It will ask again later.",
            ),
            Self::UnknownMachine => (
                "Máy chủ không có máy này trong danh sách (có thể đã khôi phục từ bản sao lưu cũ). Hãy đăng ký lại máy bằng mã đăng ký máy mới.",
                "The server does not know this machine (it may have been restored from an older copy). Enrol it again with a new token.",
            ),
            Self::Revoked => return Reason::Revoked.text(),
            Self::Reports(reason) => return reason.text(),
        };
        Text::new(vi, en)
    }
}

fn token(vi: &str, en: &str) -> Text {
    Text::new(
        format!("Mã đăng ký máy {vi}. Hãy xin cán bộ phụ trách cấp mã đăng ký máy mới."),
        format!("The enrolment token {en}. Ask the officer for a new one."),
    )
}
