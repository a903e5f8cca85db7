//! What a caller sees when something is refused or fails, and what the log keeps: [`ApiError`] for agents,
//! [`PageError`] for people at a page, [`Told`] for people at a terminal. Inner layers know no status codes.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use policies::text::{Language, Text};
use protocol::{Refusal, RefusalAction};

use crate::store::StoreError;

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
    pub action: RefusalAction,
    /// When to come again, in seconds.
    pub retry_after_s: Option<u32>,
    /// What the log keeps and the caller never sees.
    pub cause: Option<anyhow::Error>,
}

impl ApiError {
    /// A refusal that sending the same again cannot change.
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

    /// A refusal that passes by itself: come again after `seconds`.
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
    /// The body of the answer.
    pub fn refusal(self) -> Refusal {
        Refusal {
            code: self.code.to_owned(),
            message: self.message,
            action: self.action,
            retry_after_s: self.retry_after_s,
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for ApiError {
    /// A failure of the server's own: the caller learns only that it should come again.
    fn from(cause: E) -> Self {
        let cause = cause.into();
        if cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_text_unusable) {
            return crate::api::text_unusable();
        }
        Self {
            status: status_of(&cause),
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

/// 503 while the store fails, which passes; 500 for a fault of the program.
fn status_of(cause: &anyhow::Error) -> StatusCode {
    match cause.downcast_ref::<StoreError>() {
        Some(error) if !error.is_refusal() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
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

/// The code of a refusal, in the answer's extensions: for the log.
#[derive(Clone, Copy, Debug)]
pub struct RefusalCode(pub &'static str);

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

/// Says in an answer's extensions that it is a refusal with this message; the pages' layer dresses it as a page.
#[derive(Clone, Debug)]
pub struct Refused(pub Text);

impl<E: Into<anyhow::Error>> From<E> for PageError {
    fn from(cause: E) -> Self {
        let cause = cause.into();
        if let Some(StoreError::NotFound { .. }) = cause.downcast_ref() {
            return Self::refused(
                StatusCode::NOT_FOUND,
                "Không tìm thấy nội dung này, hoặc nội dung không thuộc phạm vi của bạn.",
                "There is no such thing, or it lies outside your part of the tree.",
            );
        }
        if cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_text_unusable) {
            return Self::refused(
                StatusCode::BAD_REQUEST,
                "Nội dung gửi lên có ký tự mà máy chủ không lưu được.",
                "The request holds a character that the server cannot keep.",
            );
        }
        let status = status_of(&cause);
        let damage = cause.downcast_ref().is_some_and(StoreError::is_damage);
        let message = if damage {
            Text::new(
                "Cơ sở dữ liệu của máy chủ bị hỏng nên không hiển thị được số liệu này. Người quản trị cần xem nhật ký máy chủ và khôi phục từ bản sao lưu.",
                "The server's database is damaged, so these figures cannot be shown. The administrator should read the server's log and restore a backup.",
            )
        } else if status == StatusCode::SERVICE_UNAVAILABLE {
            Text::new(
                "Máy chủ hiện không đọc hoặc không ghi được cơ sở dữ liệu nên không hiển thị số liệu và chưa thực hiện thay đổi nào. Hãy thử lại sau ít phút; nếu vẫn vậy, hãy báo người quản trị máy chủ.",
                "The server cannot read or write its database at the moment, so no figures are shown and nothing was changed. Try again in a few minutes; if it stays so, tell the server's administrator.",
            )
        } else {
            Text::new(
                "Máy chủ gặp lỗi khi dựng trang. Lỗi đã được ghi vào nhật ký; hãy thử lại sau ít phút.",
                "The server failed while making the page. The failure is in the log; try again in a few minutes.",
            )
        };
        Self { status, message, cause: Some(cause) }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!("page failed: {cause:#}");
        }
        let text = format!("{}\n{}\n", self.message.vi, self.message.en);
        (self.status, Extension(Refused(self.message)), text).into_response()
    }
}

/// A failure told to the person at the terminal in both languages: what, where and what to do.
#[derive(Debug)]
pub struct Told {
    text: Text,
    cause: Option<anyhow::Error>,
}

impl Told {
    /// A failure with nothing behind it.
    pub fn new(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { text: Text::new(vi, en), cause: None }
    }

    /// The same with the technical cause, which stands after the sentence.
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What to print for `error`, whatever it is.
    pub fn render(error: &anyhow::Error, language: Language) -> String {
        match error.downcast_ref::<Self>() {
            Some(Self { text, cause: None }) => text.get(language).to_owned(),
            Some(Self { text, cause: Some(cause) }) => {
                format!("{}\n  {}", text.get(language), Self::render(cause, language))
            }
            None => match error.downcast_ref::<StoreError>() {
                Some(StoreError::NotFound { what, id }) => {
                    let vi = format!("Không có {} mang mã {id:?}.", noun_vi(what));
                    Text::new(vi, format!("There is no {what} {id:?}.")).get(language).to_owned()
                }
                _ => format!("{error:#}"),
            },
        }
    }
}

/// The Vietnamese word for what the store did not find.
fn noun_vi(what: &str) -> &str {
    match what {
        "office" => "cơ quan",
        "machine" => "máy",
        "token" => "mã đăng ký máy",
        "person" => "tài khoản",
        "waiver" => "ngoại lệ",
        "roster line" => "dòng danh mục",
        other => other,
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text.en)
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref())
    }
}
