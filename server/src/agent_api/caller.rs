//! Who calls over the wire: the machine behind a connection's certificate.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use protocol::path;

use crate::act::caller::{caller_check, rate_check};
use crate::agent_api::error::ApiError;
use crate::app::App;
use crate::tls::Peer;

/// Lets a request through when its machine may call, and passes the machine on to handlers.
///
/// # Errors
/// A final refusal: no certificate, unknown, revoked, or with an ended key or certificate. A retryable one when the machine sends too often.
pub async fn caller_identify(State(app): State<App>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let certificate =
        request.extensions().get::<Peer>().and_then(|peer| peer.certificate.clone()).ok_or_else(no_certificate)?;
    rate_check(&app, &certificate.machine)?;
    if certificate.valid_until_ms < app.clock.now_ms() {
        return Err(ApiError::refused(
            StatusCode::FORBIDDEN,
            "certificate_expired",
            "Chứng thư của máy đã hết hạn. Máy cần gia hạn chứng thư trước khi gửi tiếp.",
            "The machine's certificate has expired. The machine must renew it before it goes on.",
        ));
    }
    let stored = if request.uri().path() == path::REPORTS {
        app.callers.find(&app.db, &app.events, &certificate.machine, &certificate.key).await?
    } else {
        app.db.read().await?.machine_peer(&certificate.key).await?
    };
    let caller = caller_check(stored, &certificate.machine)?;
    app.contacts.note(&app.clock, &caller.machine);
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn no_certificate() -> ApiError {
    ApiError::refused(
        StatusCode::UNAUTHORIZED,
        "no_certificate",
        "Kết nối không có chứng thư của máy. Hãy đăng ký máy trước (posture-agent enrol).",
        "The connection carries no machine certificate. Enrol the machine first (posture-agent enrol).",
    )
}
