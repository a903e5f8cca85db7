//! The page `/machines/{machine}`: the state of one machine, why, how to fix it, what it reported and what changed; and
//! what an officer may decide about it.

mod facts;
mod history;
mod journal;
mod outcomes;
pub(super) mod waivers;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use policies::grade::MachineState;
use policies::text;
use policies::text::visible;
use serde::Deserialize;

use self::facts::{FactShown, SectionView, Shower};
use self::history::{EventView, history};
use self::journal::{JournalRow, journal_rows, missing_words};
use self::outcomes::{Group, Reading};
use self::waivers::{MachineWaivers, Reader, WaiverView};
use super::catalogue::Catalogue;
use super::csrf_form::CsrfForm;
use super::frame::{Frame, NavItem, render};
use super::grade::points;
use super::hold::HoldView;
use super::login::NoFields;
use super::number::Numbers;
use super::office::agents::{old_agent_words, version};
use super::path::{Step, steps};
use super::refusal;
use super::visitor::{Session, Visitor};
use crate::act;
use crate::act::machine::REASON_MOST;
use crate::act::roster::link::REPLACED;
use crate::app::App;
use crate::store::head::Head;
use crate::store::machine::contact::Contact;
use crate::store::machine::{Machine, MachineStatus};
use crate::view::machine_view;
use crate::web::error::PageError;

/// A clock this far off is shown, in milliseconds; less may be the delay of the report.
const OFFSET_SHOWN: u64 = 5_000;

#[derive(Template)]
#[template(path = "machine.html")]
struct MachinePage {
    t: Catalogue,
    frame: Frame,
    path: Vec<Step>,
    id: String,
    status: String,
    status_class: &'static str,
    role: String,
    system: Option<String>,
    warnings: Vec<String>,
    holds: Vec<HoldView>,
    pending: bool,
    revoked: bool,
    may_change: bool,
    order_waits: bool,
    score: Option<String>,
    failed: usize,
    unknown: usize,
    waived: usize,
    passed: usize,
    received: String,
    contact: Option<String>,
    offset: Option<String>,
    enrolled: String,
    roster_line: Option<String>,
    policy: Option<String>,
    agent: Option<String>,
    old_agent: bool,
    groups: Vec<Group>,
    /// Waivers of controls that have no outcome, by control.
    other_waivers: Vec<(String, WaiverView)>,
    sections: Vec<SectionView>,
    journal: Vec<JournalRow>,
    missing: Option<String>,
    history: Vec<EventView>,
}

/// `GET /machines/{machine}`. Leaves only once the look is in the audit log; a page that reloads itself makes an entry at most every
/// quarter of an hour.
pub(crate) async fn machine_page(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let now = app.clock.now();
    let scope = &session.scope;
    let published = app.policies.current();
    let judge = published.as_ref().map(|published| published.judge.as_ref());
    let mut tx = app.db.read().await?;
    let view = machine_view(&mut tx, judge, scope, &id, now).await?;
    drop(tx);
    let (machine, facts, head) = (&view.machine, &view.facts, view.head.as_ref());
    let looked = act::look::machine_look(&app, &session.by(&app), &session.token_hash, machine).await;
    looked.map_err(|_| refusal::look_not_entered())?;
    let reader = Reader {
        name: session.by(&app).name(),
        may_change: session.may_change(),
        may_ask: session.may_change() && machine.status != MachineStatus::Revoked,
        above: view.is_below,
    };

    let (name_of_reader, agrees) = (reader.name.clone(), reader.may_change && reader.above);

    let name = visible(&machine.name, 120);
    let frame = visitor.frame(&app, name, NavItem::Offices).following(&format!("machine={id}"));
    let n = &frame.n;
    let history = history(&view, judge, (t, n));

    let sections = head.map(|head| &head.sections);
    let old_agent = view.agent.as_ref().is_some_and(|agent| agent.too_old);
    let machine_waivers =
        judge.map(|judge| MachineWaivers::new((t, n, judge), (now, app.pages.zone()), reader, &view.waivers));
    let groups = judge.zip(machine_waivers.as_ref()).map_or_else(Vec::new, |(judge, machine_waivers)| {
        Reading { t, n, judge, role: machine.role, sections, machine_waivers, now, old_agent }.groups(&view.outcomes)
    });
    let shown: Vec<&str> = view.outcomes.iter().map(|outcome| outcome.outcome.control.as_str()).collect();
    let other_waivers =
        machine_waivers.as_ref().map_or_else(Vec::new, |machine_waivers| machine_waivers.beside(&shown));
    let grade = view.grade.as_ref();
    let mut warnings = warnings(machine, judge.is_some(), t, n);
    warnings.extend(view.old_agent_until.map(|until| old_agent_words(until, now.as_millisecond(), t, n)));
    let gone_back = view.agent.as_ref().is_some_and(|agent| agent.too_old && agent.gone_back());
    warnings.extend(gone_back.then(|| t.text("Máy đã có bản mới rồi quay lại dùng bản cũ thì không được hưởng thời gian chờ: các tiêu chí liên quan được tính ngay là chưa xác định và không có điểm.", "A machine that had the new version and went back to an old one is given no time: the controls concerned count as unknown at once and earn nothing.").to_owned()));
    let stale = grade.filter(|grade| grade.state == MachineState::Stale).and_then(|grade| grade.stale_from);
    warnings.extend(stale.map(|from| {
        t.own(text!(
            "Số liệu quá hạn từ {0}: máy không gửi báo cáo mới.",
            "Stale since {0}: the machine sends no new report.",
            n.moment(from.as_millisecond())
        ))
    }));
    let count = |code: &str| groups.iter().filter(|group| group.code == code).map(|group| group.outcomes.len()).sum();
    let page = MachinePage {
        path: steps(view.path.clone()),
        status: t.word("machine_status", machine.status.word()),
        status_class: match machine.status {
            MachineStatus::Pending => "pending",
            MachineStatus::Confirmed => "green",
            MachineStatus::Revoked => "grey",
        },
        role: t.word("role", machine.role.code()),
        system: facts.system.title.known().map(|title| visible(title, 120)),
        warnings,
        holds: view.holds.iter().map(|hold| HoldView::new(hold, (t, n), (&name_of_reader, agrees))).collect(),
        pending: machine.status == MachineStatus::Pending,
        revoked: machine.status == MachineStatus::Revoked,
        may_change: session.may_change(),
        order_waits: view.order_waits,
        score: grade.and_then(|grade| grade.score).map(|score| points(n, score)),
        failed: count("fail"),
        unknown: count("unknown"),
        waived: count("waived"),
        passed: count("pass"),
        received: head.map_or_else(
            || t.text("chưa gửi báo cáo lần nào", "never reported").to_owned(),
            |head| t.own(text!("nhận lúc {0}", "received at {0}", n.second(head.received_at))),
        ),
        contact: contact(view.contact, t, n),
        offset: head.and_then(|head| offset(head, t, n)),
        enrolled: t.own(text!("lúc {0}", "at {0}", n.moment(machine.enrolled_at))),
        roster_line: view.line.as_ref().map(|line| visible(&line.label, 120)),
        policy: published
            .as_ref()
            .map(|published| t.own(text!("phiên bản {0}", "version {0}", published.bundle.version))),
        agent: view.agent.as_ref().map(|agent| version(agent, t)),
        old_agent,
        sections: Shower { t, n, now }.sections(facts, sections),
        groups,
        other_waivers,
        journal: journal_rows(&view.events, t, n),
        missing: missing_words(&view.events, t, n),
        history,
        id,
        t,
        frame,
    };
    render(&page)
}

fn warnings(machine: &Machine, judged: bool, t: Catalogue, n: &Numbers) -> Vec<String> {
    let mut warnings = Vec::new();
    if machine.status == MachineStatus::Pending {
        warnings.push(
            t.text(
                "Máy đang chờ xác nhận, chưa tính vào kết quả xếp loại.",
                "The machine is pending and outside the grade.",
            )
            .to_owned(),
        );
    }
    if let Some(at) = machine.revoked_at {
        let by = machine.revoked_by.as_deref().map_or_else(String::new, |by| t.actor(by));
        let reason = visible(machine.revoked_for.as_deref().unwrap_or(""), REASON_MOST);
        let reason = match reason.strip_prefix(REPLACED) {
            Some(other) => t.own(text!("cài lại, thay bằng máy {0}", "reinstalled, replaced by machine {0}", other)),
            None => reason,
        };
        warnings.push(t.own(text!(
            "Máy đã bị thu hồi lúc {0} bởi {1}: mọi yêu cầu của máy đều bị từ chối. Lý do: {2}",
            "Revoked at {0} by {1}: every request of the machine is refused. Reason: {2}",
            n.moment(at),
            by,
            reason
        )));
    }
    if let Some(at) = machine.clone_at {
        warnings.push(t.own(text!("Có dấu hiệu hai máy dùng chung một khoá từ lúc {0}. Kết quả giữ như trước lúc đó cho đến khi cán bộ quyết định máy nào đăng ký lại; khi máy đó đã đăng ký lại, người quản trị chạy lệnh posture-server machine settle.", "Two machines seem to use one key since {0}. The grade stays as before until an officer decides which of them enrols again; once it has, the administrator runs posture-server machine settle.", n.moment(at))));
    }
    if !judged {
        warnings.push(
            t.text("Chưa ban hành bộ tiêu chí nên chưa có kết quả.", "No policy is published, so there is no outcome.")
                .to_owned(),
        );
    }
    warnings
}

/// When the machine last called, and when its last file came; `None` when neither is known.
fn contact(contact: Contact, t: Catalogue, n: &Numbers) -> Option<String> {
    let called = contact.called_at.map(|at| t.own(text!("qua mạng lúc {0}", "over the network at {0}", n.moment(at))));
    let imported =
        contact.imported_at.map(|at| t.own(text!("tệp nhập lúc {0}", "a file brought at {0}", n.moment(at))));
    let all: Vec<String> = called.into_iter().chain(imported).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// How far the machine's clock is off, in the largest fitting unit; `None` when it is right.
fn offset(head: &Head, t: Catalogue, n: &Numbers) -> Option<String> {
    let size = head.clock_offset.unsigned_abs();
    if size < OFFSET_SHOWN {
        return None;
    }
    let seconds = size / 1000;
    let span = match seconds {
        0..120 => t.own(text!("{0} giây", "{0} s", seconds)),
        120..7200 => t.own(text!("{0} phút", "{0} min", seconds / 60)),
        7200..172_800 => t.own(text!("{0} giờ", "{0} h", seconds / 3600)),
        _ => t.own(text!("{0} ngày", "{0} days", n.count(seconds / 86_400))),
    };
    Some(if head.clock_offset > 0 {
        t.own(text!("nhanh hơn máy chủ {0}", "ahead of the server by {0}", span))
    } else {
        t.own(text!("chậm hơn máy chủ {0}", "behind the server by {0}", span))
    })
}

fn back(id: &str) -> Response {
    Redirect::to(&format!("/machines/{id}")).into_response()
}

/// What the form that confirms a machine sends.
#[derive(Debug, Deserialize)]
pub(crate) struct ConfirmForm {
    /// `office` when the form is on the office's page.
    #[serde(default)]
    back: String,
}

/// `POST /machines/{machine}/confirm`
pub(crate) async fn machine_confirm(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<ConfirmForm>,
) -> Result<Response, PageError> {
    session.require_change()?;
    let machine = act::machine::machine_confirm(&app.db, &session.by(&app), &id).await?;
    Ok(match form.back.as_str() {
        "office" => Redirect::to(&format!("/offices/{}", machine.office)).into_response(),
        _ => back(&machine.id),
    })
}

/// `POST /machines/{machine}/check`
pub(crate) async fn machine_check(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    CsrfForm(NoFields {}): CsrfForm<NoFields>,
) -> Result<Response, PageError> {
    session.require_change()?;
    let machine = act::machine::machine_check(&app.db, &session.by(&app), &id).await?;
    Ok(back(&machine.id))
}

/// What the form that revokes a machine sends.
#[derive(Debug, Deserialize)]
pub(crate) struct RevokeForm {
    reason: String,
}

/// `POST /machines/{machine}/revoke`
pub(crate) async fn machine_revoke(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<RevokeForm>,
) -> Result<Response, PageError> {
    session.require_change()?;
    let reason = form.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MOST {
        return Err(refusal::wrong_value(
            format!("Hãy ghi lý do thu hồi máy, không quá {REASON_MOST} ký tự."),
            format!("Say why the machine is revoked, in at most {REASON_MOST} characters."),
        ));
    }
    let machine = act::machine::machine_revoke(&app.db, &session.by(&app), &id, reason).await?;
    Ok(back(&machine.id))
}
