//! The answer to an agent when something is refused or fails, and what the log keeps.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use policies::text::Text;
use protocol::RefusalAction;

use crate::act::caller::{CallerError, Refusal};
use crate::ingest::Reason;
use crate::store::StoreError;

/// A refused or failed request of an agent.
#[derive(Debug)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// A stable code for programs, such as `token_expired`.
    pub code: &'static str,
    /// The message for a person: what happened, where, and what to do.
    pub message: Text,
    /// What the agent should do.
    pub action: RefusalAction,
    /// When to come again, in seconds.
    pub retry_after_s: Option<u32>,
    /// What the log keeps and the caller never sees.
    pub cause: Option<anyhow::Error>,
}

impl ApiError {
    /// A refusal that resending cannot change.
    pub fn refused(status: StatusCode, code: &'static str, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: Text::new(vi, en),
            action: RefusalAction::Final,
            retry_after_s: None,
            cause: None,
        }
    }

    /// A refusal that passes by itself: retry after `seconds`.
    pub fn busy(code: &'static str, seconds: u32, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code,
            message: Text::new(vi, en),
            action: RefusalAction::Retry,
            retry_after_s: Some(seconds),
            cause: None,
        }
    }
}

impl ApiError {
    /// The refusal as it is sent in the answer's body.
    fn refusal(self) -> protocol::Refusal {
        protocol::Refusal {
            code: self.code.to_owned(),
            message: self.message,
            action: self.action,
            retry_after_s: self.retry_after_s,
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for ApiError {
    /// A failure of the server itself: the caller only learns that it should retry.
    fn from(cause: E) -> Self {
        let cause = cause.into();
        if cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_text_unusable) {
            return Refusal::TextUnusable.into();
        }
        Self {
            status: if StoreError::passes(&cause) {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            },
            code: "server_failed",
            message: Text::new(
                "Máy chủ gặp lỗi, yêu cầu chưa được thực hiện. Máy sẽ tự gửi lại sau.",
                "The server failed and the request was not carried out. The machine will send it again later.",
            ),
            action: RefusalAction::Retry,
            retry_after_s: Some(60),
            cause: Some(cause),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: status_of(&refusal),
            code: refusal.code(),
            message: refusal.text(),
            action: refusal.action(),
            retry_after_s: refusal.retry_after_s(),
            cause: None,
        }
    }
}

impl From<CallerError> for ApiError {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Refused(refusal) => refusal.into(),
            CallerError::Failed(cause) => cause.into(),
        }
    }
}

const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::TextUnusable
        | Refusal::TokenMalformed
        | Refusal::CsrUnusable(_)
        | Refusal::Reports(Reason::BadFrame) => StatusCode::BAD_REQUEST,
        Refusal::KeyKnown(_) | Refusal::KeyRevoked(_) | Refusal::KeyUsed => StatusCode::CONFLICT,
        Refusal::TooManyRenewals | Refusal::Reports(Reason::TooManyRequests) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Reports(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::TokenUnknown
        | Refusal::TokenRevoked
        | Refusal::TokenExpired
        | Refusal::TokenUsedUp
        | Refusal::TooManyKeys
        | Refusal::KeyReplaced
        | Refusal::BadSignature
        | Refusal::CheckpointUnusable
        | Refusal::UnknownMachine
        | Refusal::Revoked => StatusCode::FORBIDDEN,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(code = self.code, "request of an agent failed: {cause:#}");
        }
        let (retry_after_s, code) = (self.retry_after_s, RefusalCode(self.code));
        let mut response = (self.status, Extension(code), Json(self.refusal())).into_response();
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The code of a refusal, kept in the answer's extensions for the log.
#[derive(Clone, Copy, Debug)]
pub struct RefusalCode(pub &'static str);
