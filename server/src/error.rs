//! What a caller sees when something is refused or fails, and what the log keeps: [`ApiError`] for agents,
//! [`PageError`] for people. Inner layers know no status codes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use policies::text::Text;

/// What an agent should do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try the same again later.
    Retry,
    /// Do not send the same again.
    Final,
}

/// A refused or failed request of an agent.
#[derive(Debug)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// A stable word for programs, such as `token_expired`.
    pub code: &'static str,
    /// What a person reads: what, where and what to do.
    pub message: Text,
    /// What the agent should do.
    pub next: Next,
    /// When to come again, in seconds.
    pub retry_after_s: Option<u32>,
    /// What the log keeps and the caller never sees.
    pub cause: Option<anyhow::Error>,
}

impl ApiError {
    /// A refusal that sending the same again cannot change.
    pub fn refused(status: StatusCode, code: &'static str, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { status, code, message: Text::new(vi, en), next: Next::Final, retry_after_s: None, cause: None }
    }

    /// A refusal that passes by itself: come again after `seconds`.
    pub fn busy(code: &'static str, seconds: u32, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code,
            message: Text::new(vi, en),
            next: Next::Retry,
            retry_after_s: Some(seconds),
            cause: None,
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for ApiError {
    /// A failure of the server's own: the caller learns only that it should come again.
    fn from(cause: E) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "server_failed",
            message: Text::new(
                "Máy chủ gặp lỗi, yêu cầu chưa được thực hiện. Máy sẽ tự gửi lại sau.",
                "The server failed and the request was not carried out. The machine will send it again later.",
            ),
            next: Next::Retry,
            retry_after_s: Some(60),
            cause: Some(cause.into()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(code = self.code, "request of an agent failed: {cause:#}");
        }
        let action = match self.next {
            Next::Retry => "retry",
            Next::Final => "final",
        };
        let mut body = serde_json::json!({ "code": self.code, "message": self.message, "action": action });
        if let Some(seconds) = self.retry_after_s {
            body["retry_after_s"] = seconds.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A page that cannot be shown.
#[derive(Debug)]
pub struct PageError {
    /// HTTP status.
    pub status: StatusCode,
    /// What the person reads.
    pub message: Text,
    /// What the log keeps and the person never sees.
    pub cause: Option<anyhow::Error>,
}

impl PageError {
    /// A page the person may not see or that does not exist.
    pub fn refused(status: StatusCode, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { status, message: Text::new(vi, en), cause: None }
    }
}

impl<E: Into<anyhow::Error>> From<E> for PageError {
    fn from(cause: E) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: Text::new(
                "Máy chủ gặp lỗi khi dựng trang. Lỗi đã được ghi vào nhật ký; hãy thử lại sau ít phút.",
                "The server failed while making the page. The failure is in the log; try again in a few minutes.",
            ),
            cause: Some(cause.into()),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!("page failed: {cause:#}");
        }
        (self.status, format!("{}\n{}\n", self.message.vi, self.message.en)).into_response()
    }
}
