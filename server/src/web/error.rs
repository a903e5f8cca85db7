//! The message a person at a page sees when something is refused or fails, and what the log keeps.

use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use policies::text::Text;

use crate::store::StoreError;

/// A page that cannot be shown.
#[derive(Debug)]
pub(crate) struct PageError {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// The message for the person.
    pub(crate) message: Text,
    /// What the log keeps and the person never sees.
    pub(crate) cause: Option<anyhow::Error>,
}

impl PageError {
    /// A page the person may not see or that does not exist.
    pub(crate) fn refused(status: StatusCode, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { status, message: Text::new(vi, en), cause: None }
    }
}

/// Marks an answer, in its extensions, as a refusal with this message; the pages' layer renders it as a page.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) Text);

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
        let passes = StoreError::passes(&cause);
        let status = if passes { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
        let damage = cause.downcast_ref().is_some_and(StoreError::is_damage);
        let message = if damage {
            Text::new(
                "Cơ sở dữ liệu của máy chủ bị hỏng nên không hiển thị được số liệu này. Người quản trị cần xem nhật ký máy chủ và khôi phục từ bản sao lưu.",
                "The server's database is damaged, so these figures cannot be shown. The administrator should read the server's log and restore a backup.",
            )
        } else if passes {
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
