//! The page `/enrolment`: making and revoking enrolment tokens (mã đăng ký máy), and what each of them enrolled.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use policies::text;
use policies::text::visible;
use protocol::token;
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::csrf_form::CsrfForm;
use super::download::{download, download_begin};
use super::frame::{Frame, NavItem, render};
use super::programs::apart;
use super::refusal;
use super::visitor::{Session, Visitor};
use crate::act;
use crate::act::token::Reach;
use crate::app::App;
use crate::store::machine::Role;
use crate::store::office::Office;
use crate::store::token::{Admission, Token};
use crate::store::{Noun, StoreError, Tx};
use crate::web::error::PageError;

mod stick;

/// How long a token may be valid, in hours. The first is not the default; 24 is.
const HOURS: [u64; 5] = [1, 8, 24, 72, 168];

/// Most machines one token may enrol.
const MOST_USES: u32 = 500;

/// The most offices offered in one list; beyond that, the offices' own pages lead here.
const CHOICES: usize = 400;

#[derive(Template)]
#[template(path = "enrolment.html")]
struct EnrolmentPage {
    t: Catalogue,
    frame: Frame,
    may_change: bool,
    offices: Vec<Choice>,
    office: Option<Choice>,
    made: Option<Made>,
    tokens: Vec<TokenView>,
}

#[derive(Clone)]
struct Choice {
    id: String,
    name: String,
    chosen: bool,
}

/// A token that was just made, for the only time it is shown.
struct Made {
    token: String,
    server: String,
    fingerprint: String,
    command: String,
    validity: String,
}

struct TokenView {
    id: String,
    class: &'static str,
    state: String,
    summary: String,
    made: String,
    machines: Vec<MachineView>,
    revocable: bool,
}

struct MachineView {
    id: String,
    name: String,
    status: String,
    at: String,
}

/// Which office's tokens to show.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct EnrolmentQuery {
    #[serde(default)]
    office: String,
}

/// `GET /enrolment`
pub(crate) async fn enrolment_page(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    Query(query): Query<EnrolmentQuery>,
) -> Result<Response, PageError> {
    page(&app, &visitor, &session, &query.office, None).await
}

async fn page(
    app: &App,
    visitor: &Visitor,
    session: &Session,
    chosen: &str,
    made: Option<(Token, token::Token)>,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let mut frame = visitor.frame(app, t.text("Đăng ký máy", "Enrolment"), NavItem::Enrolment);
    let mut tx = app.db.read().await?;
    let mut offices = tx.office_list(&session.scope).await?;
    let office = if chosen.is_empty() {
        offices.first().cloned()
    } else {
        Some(tx.office_get(&session.scope, chosen).await?.ok_or_else(|| StoreError::not_found(Noun::Office, chosen))?)
    };
    let mut tokens = Vec::new();
    if let Some(office) = &office {
        frame = frame.following(&format!("office={}", office.id));
        for token in tx.token_list(&session.scope, &office.id).await? {
            tokens.push(token_view(&mut tx, session, &token, t, &frame, app.clock.now_ms()).await?);
        }
    }
    if offices.len() > CHOICES {
        offices.clear();
    }
    let choice =
        |office: Office| Choice { chosen: chosen == office.id, name: visible(&office.name, 200), id: office.id };
    let made = made.map(|(stored, token)| made_view(app, visitor, &stored, &token, t, &frame));
    let office = office.map(choice);
    let offices = offices.into_iter().map(choice).collect();
    render(&EnrolmentPage { t, frame, may_change: session.may_change(), offices, office, made, tokens })
}

fn made_view(app: &App, visitor: &Visitor, stored: &Token, token: &token::Token, t: Catalogue, frame: &Frame) -> Made {
    // The port this officer dialled, which is the port in use even if the configuration left it open.
    let port = visitor.host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let server = app.config.dial_address(port);
    let fingerprint = app.secrets.server_ca.fingerprint().to_string();
    let token = token.reveal();
    Made {
        command: format!("posture-agent enrol --server {server} --token {token} --fingerprint {fingerprint}"),
        validity: t.own(text!(
            "Dùng cho {0} {1}, đến {2}.",
            "For {0} {1}, until {2}.",
            frame.n.count(stored.uses_total),
            t.word("role", stored.role.code()),
            frame.n.moment(stored.expires_at)
        )),
        token,
        server,
        fingerprint,
    }
}

async fn token_view(
    tx: &mut Tx,
    session: &Session,
    token: &Token,
    t: Catalogue,
    frame: &Frame,
    now: i64,
) -> Result<TokenView, PageError> {
    let (class, state) = match token {
        _ if token.revoked_at.is_some() => ("grey", t.text("đã thu hồi", "revoked")),
        _ if token.expires_at <= now => ("grey", t.text("đã hết hạn", "expired")),
        _ if token.uses_left == 0 => ("grey", t.text("đã hết lượt", "used up")),
        _ => ("green", t.text("đang hiệu lực", "active")),
    };
    let mut made = t.own(text!(
        "Tạo lúc {0} bởi {1}, hết hạn lúc {2}",
        "Made at {0} by {1}, expires at {2}",
        frame.n.moment(token.created_at),
        t.actor(&token.created_by),
        frame.n.moment(token.expires_at)
    ));
    if let (Some(at), Some(by)) = (token.revoked_at, &token.revoked_by) {
        made = format!(
            "{made}. {}",
            t.own(text!("Thu hồi lúc {0} bởi {1}", "Revoked at {0} by {1}", frame.n.moment(at), t.actor(by)))
        );
    }
    let machines = tx.token_machines(&session.scope, &token.id).await?;
    Ok(TokenView {
        id: token.id.clone(),
        class,
        state: state.to_owned(),
        summary: t.own(text!(
            "{0}, còn {1} trên {2} lượt",
            "{0}, {1} of {2} uses left",
            t.word("role", token.role.code()),
            frame.n.count(token.uses_left),
            frame.n.count(token.uses_total)
        )),
        made: format!("{made}."),
        revocable: token.revoked_at.is_none(),
        machines: machines
            .into_iter()
            .map(|machine| MachineView {
                name: visible(&machine.name, 80),
                status: t.word("machine_status", machine.status.word()),
                at: frame.n.moment(machine.enrolled_at),
                id: machine.id,
            })
            .collect(),
    })
}

/// What the form for a new token sends.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenForm {
    office: String,
    role: String,
    uses: u32,
    hours: u64,
    /// `stick` asks for the folder for a USB stick instead of the page.
    #[serde(default)]
    give: String,
}

/// `POST /enrolment`: makes a token and shows it, once.
pub(crate) async fn token_make(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    CsrfForm(form): CsrfForm<TokenForm>,
) -> Result<Response, PageError> {
    session.require_change()?;
    let role: Role = form.role.parse().map_err(|_| refusal::broken_form(axum::http::StatusCode::BAD_REQUEST))?;
    if !(1..=MOST_USES).contains(&form.uses) || !HOURS.contains(&form.hours) {
        return Err(refusal::wrong_value(
            format!(
                "Số máy được đăng ký phải từ 1 đến {MOST_USES} và hiệu lực phải là một trong các lựa chọn. Hãy quay lại và điền lại."
            ),
            format!(
                "A token enrols 1 to {MOST_USES} machines and is valid for one of the times offered. Go back and fill it in again."
            ),
        ));
    }
    let stick = form.give == "stick";
    if stick && !apart(app.pages.programs().clone(), stick::can_be_made).await? {
        return Err(refusal::wrong_value(
            "Máy chủ chưa có phần mềm cho Windows để đưa vào USB. Xem trang \"Phần mềm cho các máy\".",
            "This server holds no program for Windows to put on the stick. See the page \"Programs for the machines\".",
        ));
    }
    // Before the token is made, because it is shown only once.
    let place = if stick { Some(download_begin(&app, &session)?) } else { None };
    let new = act::token::NewToken {
        office: form.office,
        role,
        uses: form.uses,
        valid: Duration::from_secs(form.hours * 3600),
        admits: Admission::Pending,
    };
    let (stored, token) = act::token::token_make(&app.db, &session.by(&app), &new).await?;
    if let Some(place) = place {
        return Ok(place.held_by(stick_answer(&app, &visitor, &session, &stored, &token).await?));
    }
    page(&app, &visitor, &session, &new.office, Some((stored, token))).await
}

/// The folder for a USB stick with the token just made.
async fn stick_answer(
    app: &App,
    visitor: &Visitor,
    session: &Session,
    stored: &Token,
    token: &token::Token,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let frame = visitor.frame(app, t.text("Đăng ký máy", "Enrolment"), NavItem::Enrolment);
    let office = app.db.read().await?.office_get(&session.scope, &stored.office).await?;
    let office = office.map_or_else(String::new, |office| visible(&office.name, 200));
    let made = made_view(app, visitor, stored, token, t, &frame);
    let (file, size) =
        apart(app.pages.programs().clone(), move |programs| stick::archive(programs, &made, &office, t)).await?;
    Ok(download("TramAn-USB.zip", "application/zip", file, size))
}

/// What the form that revokes a token sends.
#[derive(Debug, Deserialize)]
pub(crate) struct RevokeForm {
    #[serde(default)]
    machines: String,
}

/// `POST /enrolment/{token}/revoke`: revokes a token and, on request, the machines it enrolled.
pub(crate) async fn token_revoke(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<RevokeForm>,
) -> Result<Response, PageError> {
    session.require_change()?;
    let reach = if form.machines == "revoke" { Reach::Machines } else { Reach::Token };
    let by = session.by(&app);
    act::token::token_revoke(&app.db, &by, &id, reach).await?;
    let token = app.db.read().await?.token_get(&session.scope, &id).await?;
    let office = token.map(|token| token.office).unwrap_or_default();
    Ok(Redirect::to(&format!("/enrolment?office={office}")).into_response())
}
