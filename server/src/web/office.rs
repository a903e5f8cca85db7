//! The page `/offices/{office}`: one big letter and why, the ledger, what to do for the next letter, the offices below, the
//! machines, those waiting for a decision, and the roster.

pub(super) mod agents;
mod history;
mod machines;
mod organisational;
mod roster;
mod waivers;

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use policies::grade::{Figures, Grade, ParentGrade, Plan, disclaimer};
use policies::policy::Role;
use policies::text;
use policies::text::visible;

use self::agents::{AgentList, agent_list, agents_warning};
use self::history::{HistoryRow, history_rows, movement_words};
use self::machines::{MachineRow, PendingRow, is_pending, machine_rows, pending_rows};
use self::organisational::{OrganisationalRow, organisational_rows};
use self::roster::{LineRow, ProposalRow, proposal_rows, roster_rows, roster_words};
use self::waivers::{WAIVERS_READ, WaiverList, waiver_list};
use super::catalogue::Catalogue;
use super::frame::{Frame, NavItem, render};
use super::grade::{GradeView, Grader, Mark, Named, Names, points};
use super::pages::{PageLink, PageQuery};
use super::path::{Step, steps};
use super::tree::{OfficeRow, child_rows};
use super::visitor::{Session, Visitor};
use crate::app::App;
use crate::policy::CompiledPolicy;
use crate::view::{MachineLine, OfficePage, office_page};
use crate::web::error::PageError;

/// Machines on one page.
const MACHINES: usize = 100;

#[derive(Template)]
#[template(path = "office.html")]
struct Page {
    t: Catalogue,
    frame: Frame,
    path: Vec<Step>,
    id: String,
    may_change: bool,
    /// False for an office that only has offices below it.
    has_own: bool,
    warnings: Vec<String>,
    parent: Option<ParentView>,
    grade: Option<GradeView>,
    organisational: Vec<OrganisationalRow>,
    children: Vec<OfficeRow>,
    waivers: Option<WaiverList>,
    pending: Vec<PendingRow>,
    agents: AgentList,
    machines: Vec<MachineRow>,
    machine_count: String,
    pages: Vec<PageLink>,
    roster: Vec<LineRow>,
    roster_count: String,
    roster_words: Vec<String>,
    proposals: Vec<ProposalRow>,
    movement: Option<String>,
    history: Vec<HistoryRow>,
}

/// The figures of an office with offices below it.
struct ParentView {
    mark: Mark,
    score: String,
    on_spot: Option<String>,
    covered: String,
    expected: String,
    coverage: String,
    offices: String,
    disclaimer: String,
}

/// `GET /offices/{office}`
pub(crate) async fn office_show(
    State(app): State<App>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, PageError> {
    let t = Catalogue::new(visitor.language);
    let published = app.policies.current();
    let judge = published.as_ref().map(|published| published.judge.as_ref());
    let mut tx = app.db.read().await?;
    let now = app.clock.now();
    let OfficePage { view, above, waivers, proposals } =
        office_page(&mut tx, judge, &session.scope, &id, now, WAIVERS_READ).await?;
    drop(tx);

    let frame =
        visitor.frame(&app, visible(&view.office.name, 200), NavItem::Offices).following(&format!("office={id}"));
    let n = &frame.n;
    let parent = view.whole.as_ref().map(|whole| ParentView::new(whole, view.tree.figures(&id).as_ref(), &frame, t));
    // An office that only has offices below it has no ledger of its own.
    let has_own = parent.is_none() || view.machines.iter().any(|line| !is_pending(line));
    let grade = judge.zip(view.grade.as_ref()).filter(|_| has_own).map(|(judge, grade)| {
        let mut shown = grade_show(&frame, t, &names(&view.machines), judge, grade, view.plan.as_ref());
        shown.policy = published.as_ref().map(|published| {
            t.own(text!("Bộ tiêu chí phiên bản {0}.", "Policy version {0}.", published.bundle.version))
        });
        shown
    });
    let no_policy = judge.is_none().then(|| {
        t.text(
            "Chưa ban hành bộ tiêu chí nên chưa chấm điểm. Ban hành bằng lệnh posture-server policy publish.",
            "No policy is published, so nothing is graded. Publish one with posture-server policy publish.",
        )
        .to_owned()
    });
    let warnings = no_policy.into_iter().chain(agents_warning(&view.machines, t, n)).collect();
    let mut machines = machine_rows(&view.machines, t, n);
    let machine_count = n.count(machines.len());
    let pages = query.cut(&mut machines, MACHINES);
    let roster = roster_rows(&view.machines, t, n);
    render(&Page {
        path: steps(above),
        may_change: session.may_change(),
        has_own: has_own || view.roster.is_some(),
        warnings,
        parent,
        grade,
        organisational: organisational_rows(&view.organisational, t),
        children: child_rows(&view.tree, &id, t, n),
        waivers: waiver_list(waivers, &id, judge, app.clock.now_ms(), (t, n)),
        pending: pending_rows(&view.machines, t, n),
        agents: agent_list(&view, t, n),
        machines,
        machine_count,
        pages,
        roster_count: n.count(roster.len()),
        // A declaration of an empty roster says nothing.
        roster_words: roster_words(view.roster.as_ref().filter(|_| !roster.is_empty()), t, n),
        roster,
        proposals: proposal_rows(proposals, t),
        movement: movement_words(&view, t, n),
        history: history_rows(&view.history, t, n),
        id,
        t,
        frame,
    })
}

/// The display name of each machine of the office: by its roster line, else by the name it gives itself.
fn names(machines: &[MachineLine]) -> Names {
    machines.iter().map(|line| (line.id.clone(), named(line))).collect()
}

fn named(line: &MachineLine) -> Named {
    let name = line.line.as_ref().map_or(line.name.as_str(), |line| line.label.as_str());
    Named { name: visible(name, 80), link: line.machine.clone() }
}

fn grade_show(
    frame: &Frame,
    t: Catalogue,
    names: &Names,
    judge: &CompiledPolicy,
    grade: &Grade,
    plan: Option<&Plan>,
) -> GradeView {
    let titles: HashMap<String, String> = [Role::Workstation, Role::Server]
        .into_iter()
        .flat_map(|role| judge.set().controls(role).controls())
        .chain(judge.set().office_controls())
        .map(|control| (control.id().to_owned(), visible(t.pick(control.title()), 300)))
        .collect();
    Grader { t, n: &frame.n, names, titles: &titles }.grade(grade, plan)
}

impl ParentView {
    fn new(whole: &ParentGrade, figures: Option<&Figures>, frame: &Frame, t: Catalogue) -> Self {
        let n = &frame.n;
        let (expected, covered) = figures.map_or((whole.machines, 0), |figures| (figures.expected, figures.covered));
        Self {
            mark: Mark::new(t, whole.result),
            score: whole.score.map_or_else(|| "–".to_owned(), |score| points(n, score)),
            on_spot: figures.and_then(|figures| figures.on_spot).map(|score| points(n, score)),
            covered: n.count(covered),
            expected: n.count(expected),
            coverage: n.percent(covered, expected),
            offices: t.own(text!(
                "Trung bình của {0} đơn vị theo số máy; {1} đơn vị đã được xếp loại.",
                "The mean of {0} offices by machines; {1} of them have a letter.",
                n.count(whole.children),
                n.count(whole.with_letter)
            )),
            disclaimer: t.pick(&disclaimer()).to_owned(),
        }
    }
}
