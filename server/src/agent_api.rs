//! What agents call: the routes of `/agent/*`, in the order a request is checked: who sent it, how much, what it says. Each
//! file below owns one route.

pub mod caller;
pub mod enrol;
pub mod error;
pub mod event;
pub mod log;
pub mod policy;
pub mod poll;
pub mod report;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, get, post};
use policies::text::Text;
use protocol::{RefusalAction, limits, path};
use serde::de::DeserializeOwned;
use tokio_stream::StreamExt as _;

use crate::act::caller::{Caller, Refusal};
use crate::agent_api::error::{ApiError, RefusalCode};
use crate::app::App;
use crate::bound::Share;
use crate::ingest::Reason;
use crate::store::text::is_storable_json;
use crate::tls::Peer;

/// How long the body of a request of reports may take to arrive.
const BODY_ARRIVES: Duration = Duration::from_secs(30);
/// How long any other body may take to arrive.
const SMALL_BODY_ARRIVES: Duration = Duration::from_secs(15);

/// The routes of `/agent/*`. All but enrolment and renewal demand the certificate of a machine that is not revoked.
pub fn router(app: &App) -> Router<App> {
    let known = Router::new()
        .route(path::POLL, post(poll::poll_hold))
        .route(path::EVENT, post(event::event_take))
        .route(path::LOG, post(log::log_ask))
        .route(&format!("{}{{address}}", path::POLICY), get(policy::policy_show))
        .layer(from_fn_with_state(app.clone(), small_body_read))
        .route(path::REPORTS, post(report::reports_take))
        .route_layer(from_fn_with_state(app.clone(), caller::caller_identify));
    let strangers = Router::new()
        .route(path::ENROL, post(enrol::enrol))
        .route(path::RENEW, post(enrol::renew))
        .layer(from_fn_with_state(app.clone(), small_body_read));
    known
        .merge(strangers)
        .route("/agent/{*rest}", any(unknown_path))
        .method_not_allowed_fallback(unknown_path)
        .layer(from_fn(refusal_log))
}

/// Logs every refused request with its sender, so that attempts at tokens or keys are visible.
async fn refusal_log(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let peer = request.extensions().get::<Peer>().cloned();
    let response = next.run(request).await;
    if let Some(RefusalCode(code)) = response.extensions().get() {
        let address = peer.as_ref().map(|peer| peer.address.to_string()).unwrap_or_default();
        let machine = peer.and_then(|peer| peer.certificate).map(|certificate| certificate.machine.clone());
        tracing::info!(code, path, address, machine, "refused a request of an agent");
    }
    response
}

/// The answer to a request for something this version does not have.
async fn unknown_path() -> ApiError {
    ApiError::refused(
        StatusCode::NOT_FOUND,
        "unknown_path",
        "Máy chủ không có chức năng này; phiên bản phần mềm trên máy và trên máy chủ có thể khác nhau.",
        "The server has no such function; the versions of agent and server may differ.",
    )
}

async fn small_body_read(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let mut share = match (head.extensions.get::<Caller>(), head.extensions.get::<Peer>()) {
        (Some(caller), _) => app.allowances.machine_bytes(&caller.machine, caller.status),
        (None, peer) => {
            let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip());
            app.allowances.stranger_bytes(address)
        }
    };
    let bytes = body_read(body, limits::REQUEST_BODY, SMALL_BODY_ARRIVES, &mut share).await?;
    drop(share);
    Ok(next.run(Request::from_parts(head, Body::from(bytes))).await)
}

/// Reads a whole body, of at most `most` bytes, within `arrives`, while `share` can grow.
///
/// # Errors
/// A refusal when it is longer (final); too slow, broken off or more than the server can hold now (retryable).
pub async fn body_read(body: Body, most: usize, arrives: Duration, share: &mut Share) -> Result<Bytes, ApiError> {
    let read = async {
        let mut bytes = Vec::new();
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| body_incomplete())?;
            if bytes.len() + piece.len() > most {
                return Err(body_too_long(most));
            }
            if !share.grow(piece.len()) {
                return Err(Refusal::Reports(Reason::QueueFull).into());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    };
    tokio::time::timeout(arrives, read).await.unwrap_or_else(|_| Err(body_incomplete()))
}

fn body_too_long(most: usize) -> ApiError {
    ApiError::refused(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_long",
        format!("Yêu cầu dài hơn {most} byte cho phép."),
        format!("The request is longer than the {most} bytes allowed."),
    )
}

fn body_incomplete() -> ApiError {
    ApiError {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "body_incomplete",
        message: Text::new("Yêu cầu gửi lên chưa đủ hoặc quá chậm.", "The request did not arrive whole in time."),
        action: RefusalAction::Retry,
        retry_after_s: Some(30),
        cause: None,
    }
}

/// Reads a JSON request.
///
/// # Errors
/// A final refusal that says where it stops being readable.
pub fn json_read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if !is_storable_json(bytes) {
        return Err(Refusal::TextUnusable.into());
    }
    serde_json::from_slice(bytes).map_err(|error| {
        ApiError::refused(
            StatusCode::BAD_REQUEST,
            "unreadable",
            format!("Không đọc được nội dung yêu cầu (dòng {}, cột {}).", error.line(), error.column()),
            format!("The request cannot be read (line {}, column {}).", error.line(), error.column()),
        )
    })
}
