//! Pages shown instead of a page: an unknown address, something outside the person's scope, a form from elsewhere, a failing database.

use axum::http::StatusCode;

use crate::web::error::PageError;

/// An unknown address, or a thing that does not exist or is outside the person's scope; the two are not distinguished.
pub(crate) fn unknown_page(status: StatusCode) -> PageError {
    PageError::refused(
        status,
        "Không tìm thấy trang này, hoặc nội dung không thuộc phạm vi của bạn. Hãy kiểm tra lại địa chỉ hoặc quay về danh sách cơ quan.",
        "There is no such page, or it lies outside your part of the tree. Check the address or go back to the list of offices.",
    )
}

/// A role that may only read.
pub(crate) fn only_looking() -> PageError {
    PageError::refused(
        StatusCode::FORBIDDEN,
        "Vai trò của bạn chỉ được xem, không được thay đổi. Hãy liên hệ người quản trị nếu cần quyền này.",
        "Your role may look but not change anything. Ask the administrator if you need to.",
    )
}

/// A form that did not come from one of our pages, or whose page is too old.
pub(crate) fn foreign_form() -> PageError {
    PageError::refused(
        StatusCode::FORBIDDEN,
        "Biểu mẫu không được chấp nhận vì không được gửi từ trang đang mở của phần mềm (trang có thể đã cũ). Hãy tải lại trang rồi gửi lại.",
        "The form was not accepted because it was not sent from an open page of this software (the page may be too old). Reload the page and send it again.",
    )
}

/// An address with a NUL, which no name or id has.
pub(crate) fn broken_address() -> PageError {
    PageError::refused(
        StatusCode::BAD_REQUEST,
        "Địa chỉ trang có ký tự NUL nên không dùng được. Hãy kiểm tra lại địa chỉ.",
        "The address of the page holds a NUL character and cannot be used. Check the address.",
    )
}

/// A form that cannot be parsed.
pub(crate) fn broken_form(status: StatusCode) -> PageError {
    PageError::refused(
        status,
        "Không đọc được biểu mẫu: thiếu mục, sai kiểu hoặc quá lớn. Hãy quay lại và điền lại.",
        "The form cannot be read: a field is missing, of the wrong kind or too large. Go back and fill it in again.",
    )
}

/// A form with a value that cannot be used; `vi` and `en` say which and what to do.
pub(crate) fn wrong_value(vi: impl Into<String>, en: impl Into<String>) -> PageError {
    PageError::refused(StatusCode::UNPROCESSABLE_ENTITY, vi, en)
}

/// A look that has no entry in the audit log.
pub(crate) fn look_not_entered() -> PageError {
    PageError::refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "Chưa ghi được lượt xem này vào nhật ký nên trang không được hiển thị. Hãy thử lại sau ít phút; nếu vẫn vậy, hãy báo người quản trị máy chủ.",
        "This look could not be entered in the audit log, so the page is not shown. Try again in a few minutes; if it stays so, tell the server's administrator.",
    )
}

/// Too many following pages in one browser.
pub(crate) fn too_many_pages(status: StatusCode) -> PageError {
    PageError::refused(
        status,
        "Trình duyệt này đang mở quá nhiều trang theo dõi. Hãy đóng bớt trang rồi tải lại.",
        "Too many pages follow along in this browser. Close some and reload.",
    )
}

/// Too many downloads at once.
pub(crate) fn too_many_downloads(status: StatusCode) -> PageError {
    PageError::refused(
        status,
        "Đang có quá nhiều lượt tải tệp cùng lúc. Hãy đợi các tệp đang tải xong rồi thử lại.",
        "Too many files are being downloaded at once. Wait until those have arrived and try again.",
    )
}

/// A file in the folder of programs that is not a program.
pub(crate) fn unfit_program(name: &str) -> PageError {
    PageError::refused(
        StatusCode::FORBIDDEN,
        format!(
            "Máy chủ không phát tệp {name}: tệp phải là tệp thường, không phải liên kết hay thư mục, và không quá lớn."
        ),
        format!("The server does not hand out {name}: it must be a plain file, no link or folder, and not too large."),
    )
}
