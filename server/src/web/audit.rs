//! The page `/audit`: every change by a person within the reader's scope, every look at a machine, and the check of the whole chain.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use policies::text;
use policies::text::visible;
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::csrf_form::CsrfForm;
use super::frame::{Frame, NavItem, render};
use super::login::NoFields;
use super::visitor::{Session, Visitor};
use crate::app::App;
use crate::audit::{Break, Entry};
use crate::store::audit::Listed;
use crate::store::roster::RosterState;
use crate::web::error::PageError;

/// Entries on one page.
const ENTRIES: i64 = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    t: Catalogue,
    frame: Frame,
    entries: Vec<EntryView>,
    /// Which entries are listed, in the address; and links to the other lists.
    show: &'static str,
    lists: Vec<ListLink>,
    /// The entry number where the next page begins.
    older: Option<i64>,
    /// Whether the reader may verify the whole chain, which reaches beyond one office.
    may_verify: bool,
    verified: Option<Verified>,
}

struct EntryView {
    number: String,
    at: String,
    actor: String,
    action: String,
    subject: String,
    subject_id: String,
    detail: Vec<(String, String)>,
    hash: String,
    short_hash: String,
}

/// A list of entries that can be chosen.
struct ListLink {
    show: &'static str,
    title: &'static str,
}

struct Verified {
    class: &'static str,
    sentence: String,
}

/// Where in the log the page begins.
#[derive(Debug, Deserialize)]
pub(crate) struct AuditQuery {
    before: Option<i64>,
    /// Changes by default: an officer who opens forty machines makes forty entries.
    #[serde(default)]
    show: Listed,
}

/// `GET /audit`
pub(crate) async fn audit_page(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    Query(query): Query<AuditQuery>,
) -> Result<Response, PageError> {
    page(&app, &visitor, &session, &query, None).await
}

/// `POST /audit`: verifies the whole chain. A post, because it reads every entry there is.
pub(crate) async fn audit_verify(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    CsrfForm(NoFields {}): CsrfForm<NoFields>,
) -> Result<Response, PageError> {
    if !session.scope.is_whole() {
        return Err(super::refusal::only_looking());
    }
    let t = Catalogue::new(visitor.language);
    let result = app.db.audit_verify().await?;
    let n = visitor.frame(&app, "", NavItem::Audit).n;
    let verified = match result {
        Ok(count) => Verified {
            class: "good",
            sentence: t.own(text!(
                "Chuỗi nguyên vẹn: đã kiểm tra {0} mục.",
                "The chain is intact: {0} entries verified.",
                n.count(count)
            )),
        },
        Err(broken) => {
            tracing::error!("the audit log's chain is broken: {broken}");
            let sentence = match broken {
                Break::Missing { expected, .. } => t.own(text!(
                    "Chuỗi bị đứt: thiếu mục số {0}.",
                    "The chain is broken: entry {0} is missing.",
                    expected
                )),
                Break::Unlinked(number) => t.own(text!(
                    "Chuỗi bị đứt: mục số {0} không nối với mục trước nó.",
                    "The chain is broken: entry {0} does not continue the one before it.",
                    number
                )),
                Break::Changed(number) => t.own(text!(
                    "Chuỗi bị đứt: mục số {0} đã bị sửa sau khi ghi.",
                    "The chain is broken: entry {0} was changed after it was written.",
                    number
                )),
                Break::Cut { expected, found } => t.own(text!(
                    "Chuỗi bị đứt: nhật ký kết thúc ở mục số {1}, trong khi phải đến mục số {0}.",
                    "The chain is broken: the log ends at entry {1} but should reach entry {0}.",
                    expected,
                    found
                )),
            };
            Verified { class: "error", sentence }
        }
    };
    page(&app, &visitor, &session, &AuditQuery { before: None, show: Listed::default() }, Some(verified)).await
}

async fn page(
    app: &App,
    visitor: &Visitor,
    session: &Session,
    query: &AuditQuery,
    verified: Option<Verified>,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let frame = visitor.frame(app, t.text("Nhật ký thao tác", "Audit log"), NavItem::Audit);
    let before = query.before.unwrap_or(i64::MAX);
    let mut tx = app.db.read().await?;
    let mut entries = tx.audit_list_only(&session.scope, query.show, before, ENTRIES + 1).await?;
    drop(tx);
    let more = i64::try_from(entries.len()).is_ok_and(|count| count > ENTRIES);
    if more {
        entries.pop();
    }
    let older = if more { entries.last().map(|entry| entry.number) } else { None };
    let entries = entries.iter().map(|entry| entry_view(entry, t, &frame)).collect();
    let may_verify = session.scope.is_whole();
    render(&AuditPage { t, frame, entries, show: show(query.show), lists: lists(t), older, may_verify, verified })
}

fn show(listed: Listed) -> &'static str {
    match listed {
        Listed::Changes => "changes",
        Listed::Looks => "looks",
        Listed::All => "all",
    }
}

fn lists(t: Catalogue) -> Vec<ListLink> {
    let link = |listed, title| ListLink { show: show(listed), title };
    vec![
        link(Listed::Changes, t.text("Thay đổi", "Changes")),
        link(Listed::Looks, t.text("Lượt xem", "Looks")),
        link(Listed::All, t.text("Tất cả", "All")),
    ]
}

fn entry_view(entry: &Entry, t: Catalogue, frame: &Frame) -> EntryView {
    let detail: BTreeMap<String, String> = serde_json::from_str(&entry.detail).unwrap_or_default();
    let detail = detail
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            let shown = match (name.as_str(), value.parse()) {
                (name, Ok(instant)) if name.ends_with("_at") => frame.n.moment(instant),
                ("role", _) => t.word("role", &value),
                ("admits" | "status", _) => t.word("machine_status", &value),
                ("kind", _) => t.word("office_kind", &value),
                ("state", _) => roster_state(&value, t),
                ("from" | "to", _) => subject(&value),
                ("as" | "by" | "encrypted" | "of" | "reason" | "setup", _) => t.word_in("audit_value", &value, 200),
                _ => visible(&value, 200),
            };
            (t.word("audit_detail", &name), shown)
        })
        .collect();
    EntryView {
        number: entry.number.to_string(),
        at: frame.n.second(entry.at),
        actor: t.actor(&entry.actor),
        action: t.word("audit_action", &entry.action),
        subject: subject(&entry.subject),
        subject_id: visible(&entry.subject, 200),
        detail,
        hash: entry.hash.clone(),
        short_hash: entry.hash.chars().take(12).collect(),
    }
}

fn roster_state(word: &str, t: Catalogue) -> String {
    word.parse::<RosterState>().map_or_else(|_| visible(word, 60), |state| t.pick(&state.text()).to_owned())
}

/// What a person calls the subject: its name if there is one, else the beginning of its id.
fn subject(subject: &str) -> String {
    let is_id = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    match subject.split_once(' ') {
        Some((id, name)) if is_id(id) => visible(name, 120),
        None if is_id(subject) => format!("{}…", &subject[..13]),
        _ => visible(subject, 120),
    }
}
