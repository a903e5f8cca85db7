//! The page `/offices`: all offices within the reader's scope, those that need attention first.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use policies::grade::disclaimer;

use super::catalogue::Catalogue;
use super::frame::{Frame, NavItem, render};
use super::pages::{PageLink, PageQuery};
use super::tree::{OfficeRow, all_rows};
use super::visitor::{Session, Visitor};
use crate::app::App;
use crate::view::tree_view;
use crate::web::error::PageError;

/// Offices on one page.
const OFFICES: usize = 200;

#[derive(Template)]
#[template(path = "offices.html")]
struct OfficesPage {
    t: Catalogue,
    frame: Frame,
    disclaimer: String,
    no_policy: Option<String>,
    tallies: Vec<Tally>,
    rows: Vec<OfficeRow>,
    pages: Vec<PageLink>,
}

/// How many offices have one colour.
struct Tally {
    colour: &'static str,
    words: String,
    count: String,
}

/// `GET /offices`
pub(crate) async fn office_list_page(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let frame = visitor.frame(&app, t.text("Cơ quan, đơn vị", "Offices"), NavItem::Offices).following("");
    let published = app.policies.current();
    let rules = published.as_ref().map(|published| published.judge.rules());
    let tree = tree_view(&mut app.db.read().await?, &session.scope, "*", rules).await?;
    let mut rows = all_rows(&tree, t, &frame.n);
    let tallies = ["grey", "red", "yellow", "green"]
        .into_iter()
        .map(|colour| Tally {
            colour,
            words: t.word("colour", colour),
            count: frame.n.count(rows.iter().filter(|row| row.mark.colour == colour).count()),
        })
        .collect();
    let pages = query.cut(&mut rows, OFFICES);
    render(&OfficesPage {
        disclaimer: t.pick(&disclaimer()).to_owned(),
        no_policy: rules.is_none().then(|| {
            t.text(
                "Chưa ban hành bộ tiêu chí nên chưa chấm điểm. Ban hành bằng lệnh posture-server policy publish.",
                "No policy is published, so nothing is graded. Publish one with posture-server policy publish.",
            )
            .to_owned()
        }),
        tallies,
        rows,
        pages,
        t,
        frame,
    })
}
