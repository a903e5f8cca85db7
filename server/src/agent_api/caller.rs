//! Who calls: the machine behind a connection's certificate, as the store knows it at this moment, so that a revocation
//! counts from the next request on.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use protocol::{Assignment, Role};

use super::report;
use crate::agent_api::error::ApiError;
use crate::app::App;
use crate::bound::rate::Rate;
use crate::ingest::Reason;
use crate::store::machine::key::Peer as StoredPeer;
use crate::store::machine::{MachineStatus, Role as StoredRole};
use crate::store::{Scope, StoreError, Tx};
use crate::tls::Peer;

/// The machine that sent a request: its certificate was checked, its key is in use and it is not revoked. In the extensions of
/// every request but enrolment and renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub StoredPeer);

impl std::ops::Deref for Caller {
    type Target = StoredPeer;

    fn deref(&self) -> &StoredPeer {
        &self.0
    }
}

/// Lets a request pass when its machine may speak, and tells handlers who it is.
///
/// # Errors
/// A final refusal: no certificate, unknown, revoked, or with a key or certificate that is over. One to be tried again when the machine
/// sends too often.
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
    let stored = app.db.read().await?.machine_peer(&certificate.key).await?;
    let caller = caller_check(stored, &certificate.machine)?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Whether `machine` may send one more request now. Asked before the store is.
///
/// # Errors
/// A refusal to be tried again when it sends too often.
pub fn rate_check(app: &App, machine: &str) -> Result<(), ApiError> {
    rate_take(app, &app.allowances.requests, machine)
}

/// Takes one from the allowance of `machine`.
///
/// # Errors
/// A refusal to be tried again when nothing is left.
pub fn rate_take(app: &App, rate: &Rate, machine: &str) -> Result<(), ApiError> {
    if rate.take(machine, app.clock.steady()) {
        return Ok(());
    }
    app.ingest.counters.count(app.clock.now_ms(), Reason::TooManyRequests, machine, "the allowance is used up");
    Err(report::error(Reason::TooManyRequests, StatusCode::TOO_MANY_REQUESTS))
}

/// Decides whether what the store knows of a key may speak as `machine`.
///
/// # Errors
/// A final refusal.
pub fn caller_check(stored: Option<StoredPeer>, machine: &str) -> Result<Caller, ApiError> {
    let stored = stored.filter(|stored| stored.machine == machine).ok_or_else(unknown_machine)?;
    if stored.status == MachineStatus::Revoked {
        return Err(revoked());
    }
    if stored.until_at.is_some() {
        return Err(ApiError::refused(
            StatusCode::FORBIDDEN,
            "key_replaced",
            "Khoá này của máy đã được thay bằng khoá mới. Máy cần dùng khoá mới hoặc gửi lại yêu cầu gia hạn.",
            "This key of the machine was replaced by a new one. The machine must use the new one or repeat its renewal.",
        ));
    }
    Ok(Caller(stored))
}

fn no_certificate() -> ApiError {
    ApiError::refused(
        StatusCode::UNAUTHORIZED,
        "no_certificate",
        "Kết nối không có chứng thư của máy. Hãy đăng ký máy trước (posture-agent enrol).",
        "The connection carries no machine certificate. Enrol the machine first (posture-agent enrol).",
    )
}

/// What a machine is told that the store does not know: the server was restored from a copy older than the enrolment.
pub fn unknown_machine() -> ApiError {
    ApiError::refused(
        StatusCode::FORBIDDEN,
        "unknown_machine",
        "Máy chủ không có máy này trong danh sách (có thể đã khôi phục từ bản sao lưu cũ). Hãy đăng ký lại máy bằng mã đăng ký máy mới.",
        "The server does not know this machine (it may have been restored from an older copy). Enrol it again with a new token.",
    )
}

/// What a revoked machine is told, whatever it asks.
pub fn revoked() -> ApiError {
    ApiError::refused(
        StatusCode::FORBIDDEN,
        "revoked",
        "Máy đã bị thu hồi quyền kết nối. Hãy liên hệ cán bộ phụ trách công nghệ thông tin nếu máy vẫn đang sử dụng.",
        "The machine was revoked. Ask the IT officer if the machine is still in use.",
    )
}

/// What the server decided about a machine, for its answers.
///
/// # Errors
/// The database fails, or the office is gone.
pub async fn assignment(app: &App, tx: &mut Tx, caller: &StoredPeer) -> Result<Assignment, StoreError> {
    let office = tx.office_get(&Scope::whole(), &caller.office).await?;
    let office = office.ok_or_else(|| StoreError::NotFound { what: "office", id: caller.office.clone() })?;
    Ok(Assignment {
        office: office.name,
        role: match caller.role {
            StoredRole::Workstation => Role::Workstation,
            StoredRole::Server => Role::Server,
        },
        confirmed: caller.status == MachineStatus::Confirmed,
        policy: app.policies.address(),
    })
}
