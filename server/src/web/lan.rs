//! The page `/offices/{office}/lan`: the gateways and DNS servers the office approves of, what its machines use, and the forms that approve
//! an address or take it off. The rules are in `act/office/lan`.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use policies::text;
use policies::text::visible;
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::csrf_form::CsrfForm;
use super::error::PageError;
use super::frame::{Frame, NavItem, render};
use super::grade::{Named, NamesView};
use super::path::{Step, steps};
use super::visitor::{Session, Visitor};
use crate::act::office::lan::{LanChange, LanError, office_lan_change};
use crate::app::App;
use crate::store::approved_address::{AddressKind, ApprovedAddress};
use crate::store::office::Office;
use crate::view::lan::{LanAddress, LanList, LanPlace, lan_page};

/// Most machines named beside an address; the rest are counted.
const NAMED: usize = 200;

#[derive(Template)]
#[template(path = "lan.html")]
struct Page {
    t: Catalogue,
    frame: Frame,
    path: Vec<Step>,
    id: String,
    may_change: bool,
    lists: Vec<ListView>,
    history: Vec<EntryRow>,
}

struct ListView {
    kind: &'static str,
    title: &'static str,
    /// Where the list comes from, or that there is none.
    words: Option<String>,
    approved: Vec<EntryRow>,
    in_use: Vec<UseRow>,
    /// How many more there are, in words.
    more: Option<String>,
    unclear: Vec<(Named, String)>,
}

struct EntryRow {
    kind: &'static str,
    address: String,
    document: String,
    added: String,
    removed: String,
    /// True when this office can take it off.
    own: bool,
}

struct UseRow {
    address: String,
    class: &'static str,
    state: &'static str,
    approved: bool,
    count: String,
    machines: NamesView,
}

/// `GET /offices/{office}/lan`
pub(crate) async fn lan_show(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let judge = app.policies.judge();
    let mut tx = app.db.read().await?;
    let page = lan_page(&mut tx, judge.as_deref(), &session.scope, &id, app.clock.now()).await?;
    drop(tx);
    let frame = visitor.frame(&app, t.text("Mạng nội bộ", "Local network"), NavItem::Offices);
    let frame = frame.following(&format!("office={id}"));
    let lists = page.lists.iter().map(|list| list_view(list, &page.above, &id, t, &frame)).collect();
    let history = page.history.iter().map(|entry| entry_row(entry, &id, t, &frame)).collect();
    let path = steps(page.above.into_iter().chain([page.office]).collect());
    render(&Page { path, may_change: session.may_change(), lists, history, id, t, frame })
}

/// What a form does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Act {
    /// Approves.
    Add,
    /// Takes off the list.
    Remove,
}

/// What the forms send.
#[derive(Debug, Deserialize)]
pub(crate) struct LanForm {
    act: Act,
    kind: AddressKind,
    address: String,
    #[serde(default)]
    document: String,
}

/// `POST /offices/{office}/lan`
pub(crate) async fn lan_submit(
    State(app): State<App>,
    session: Session,
    Path(office): Path<String>,
    CsrfForm(form): CsrfForm<LanForm>,
) -> Result<Response, PageError> {
    session.require_change()?;
    let one = vec![(form.kind, form.address)];
    let change = match form.act {
        Act::Remove => LanChange { remove: one, ..LanChange::default() },
        Act::Add => LanChange { add: one, document: form.document, ..LanChange::default() },
    };
    match office_lan_change(&app.db, &session.by(&app), &office, &change).await {
        Ok(()) => Ok(Redirect::to(&format!("/offices/{office}/lan")).into_response()),
        Err(LanError::Refused(refusal)) => {
            let text = refusal.text();
            Err(PageError::refused(StatusCode::UNPROCESSABLE_ENTITY, text.vi, text.en))
        }
        Err(LanError::Store(error)) => Err(error.into()),
    }
}

fn list_view(list: &LanList, above: &[Office], office: &str, t: Catalogue, frame: &Frame) -> ListView {
    let kind = list.kind.word();
    let row = |(at, used): (usize, &LanAddress)| {
        let (class, state) = match (used.approved, list.approved.is_empty()) {
            (true, _) => ("green", t.text("được duyệt", "approved")),
            (false, true) => ("grey", t.text("chưa có danh sách", "no list yet")),
            (false, false) => ("red", t.text("ngoài danh sách", "not on the list")),
        };
        let names = used.machines.iter().take(NAMED).map(named).collect();
        let more = match used.machines.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => t.own(text!(" và {0} máy khác", " and {0} more", frame.n.count(more))),
        };
        UseRow {
            address: used.address.to_string(),
            class,
            state,
            approved: used.approved,
            count: frame.n.count(used.machines.len()),
            machines: NamesView { id: format!("{kind}-{at}"), names, more },
        }
    };
    let in_use = list.in_use.iter().flatten().enumerate().map(row).collect();
    ListView {
        kind,
        title: title(list.kind, t),
        words: list_words(list, above, office, t),
        approved: list.approved.iter().map(|entry| entry_row(entry, office, t, frame)).collect(),
        in_use,
        more: (list.left_out > 0)
            .then(|| t.own(text!("Còn {0} địa chỉ khác.", "{0} more addresses.", frame.n.count(list.left_out)))),
        unclear: list.unclear.iter().map(|one| (named(&one.machine), t.pick(&one.why).to_owned())).collect(),
    }
}

fn title(kind: AddressKind, t: Catalogue) -> &'static str {
    match kind {
        AddressKind::Gateway => t.text("Cổng mặc định", "Default gateways"),
        AddressKind::Dns => t.text("Máy chủ DNS", "DNS servers"),
    }
}

/// That the list is that of an office above, or that there is none; nothing about the office's own.
fn list_words(list: &LanList, above: &[Office], office: &str, t: Catalogue) -> Option<String> {
    let Some(first) = list.approved.first() else {
        return Some(
            t.text(
                "Chưa có danh sách được duyệt nên tiêu chí chưa xác định.",
                "No list is approved, so the control is unknown.",
            )
            .to_owned(),
        );
    };
    let name = above.iter().find(|above| above.id == first.office);
    let name = name
        .map_or_else(|| t.text("cơ quan cấp trên", "an office above").to_owned(), |above| visible(&above.name, 120));
    (first.office != office).then(|| {
        t.own(text!(
            "Theo danh sách của {0}. Khi đơn vị duyệt địa chỉ đầu tiên của mình thì chỉ danh sách của đơn vị được áp dụng.",
            "The list of {0}. As soon as this office approves an address of its own, only its own list holds.",
            name
        ))
    })
}

fn entry_row(entry: &ApprovedAddress, office: &str, t: Catalogue, frame: &Frame) -> EntryRow {
    let who = |at: i64, by: &str| format!("{}, {}", frame.n.moment(at), t.actor(by));
    EntryRow {
        kind: title(entry.kind, t),
        address: entry.address.clone(),
        document: visible(&entry.document, 200),
        added: who(entry.added_at, &entry.added_by),
        removed: entry
            .removed_at
            .map(|at| who(at, entry.removed_by.as_deref().unwrap_or_default()))
            .unwrap_or_default(),
        own: entry.office == office,
    }
}

fn named(place: &LanPlace) -> Named {
    Named { name: visible(&place.name, 80), link: place.machine.clone() }
}
