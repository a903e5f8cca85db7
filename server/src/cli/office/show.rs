//! `office show`: score, letter, ledger, plan and machines of an office, as of now.

use std::collections::BTreeMap;

use clap::ArgMatches;
use policies::grade::{CapState, Grade, LetterResult, Plan, Points, disclaimer, ledger_title};
use policies::text;

use super::super::context::CommandContext;
use super::super::terminal::{Form, Terminal};
use super::super::text;
use crate::act::look::office_look;
use crate::store::Scope;
use crate::view::{MachineLine, OfficeView, office_view, outcomes_add};

/// Shows an office. With JSON output, also every outcome of every machine: that is a look, entered in the audit log first.
///
/// # Errors
/// There is no such office, or the database fails.
pub(super) async fn office_show(
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let policies = context.policies().await?;
    let judge = policies.judge();
    let mut tx = context.db.read().await?;
    let mut view =
        office_view(&mut tx, judge.as_deref(), &Scope::whole(), &text(given, "office"), context.clock.now()).await?;
    // The text names no outcome of a machine.
    if let Some(judge) = judge.as_ref().filter(|_| terminal.form == Form::Json) {
        outcomes_add(&mut tx, judge, &mut view).await?;
        drop(tx);
        office_look(&context.db, &context.by(), &view.office).await?;
    }
    terminal.answer(&view, |terminal| page(terminal, &view))
}

fn page(terminal: &Terminal, view: &OfficeView) -> String {
    let mut shown = format!("{}\n", view.office.name);
    let Some(grade) = &view.grade else {
        shown.push_str(terminal.text(
            "Chưa công bố bộ tiêu chí: chưa có điểm. Hãy chạy: posture-server policy publish",
            "No policy is published, so there is no score. Run: posture-server policy publish",
        ));
        return shown;
    };
    shown.push_str(&head(terminal, grade));
    if let Some(whole) = &view.whole {
        let score = whole.score.map_or_else(|| "-".to_owned(), |score| points(terminal, score));
        let letter = whole.letter().map_or("-", |letter| crate::store::grade::letter_word(letter));
        shown.push_str(&terminal.own(text!(
            "Cùng các đơn vị cấp dưới: {score} điểm, xếp loại {letter} ({} đơn vị, {} máy)\n",
            "With the offices below: {score} points, letter {letter} ({} offices, {} machines)\n",
            whole.children,
            whole.machines
        )));
    }
    shown.push_str(&ledger(terminal, grade, &view.machines));
    shown.push_str(&organisational(terminal, view));
    if let Some(plan) = &view.plan {
        shown.push_str(&steps(terminal, plan));
    }
    shown.push_str(&machines(terminal, &view.machines));
    shown.push_str(&format!("\n{}\n", disclaimer().get(terminal.language)));
    shown
}

fn points(terminal: &Terminal, points: Points) -> String {
    points.show(2, terminal.language)
}

fn head(terminal: &Terminal, grade: &Grade) -> String {
    let language = terminal.language;
    let letter = match grade.result {
        LetterResult::Letter { letter, .. } => {
            format!("{} ({})", crate::store::grade::letter_word(letter), letter.text().get(language))
        }
        LetterResult::NoLetter { reason } => reason.text().get(language).to_owned(),
    };
    let on_spot = grade.on_spot.map_or_else(|| "-".to_owned(), |score| points(terminal, score));
    let mut shown = terminal.own(text!(
        "Xếp loại: {letter}\nĐiểm chung: {} · khắc phục được tại chỗ: {on_spot} · không tính ngoại lệ: {}\n\
         Tỷ lệ máy có số liệu: {}/{}\n",
        "Letter: {letter}\nOverall score: {} · fixable on the spot: {on_spot} · without waivers: {}\nCoverage: {}/{}\n",
        points(terminal, grade.score),
        points(terminal, grade.without_waivers),
        grade.coverage.covered,
        grade.coverage.expected,
    ));
    for cap in &grade.caps {
        let mark = if matches!(cap.state, CapState::Holding { .. }) { "!" } else { "·" };
        shown.push_str(&format!("{mark} {}\n", cap.title.get(language)));
    }
    if !grade.calendar_known {
        shown.push_str(terminal.text(
            "! Bộ tiêu chí chưa có lịch nghỉ của năm nay: chỉ tính ngày nghỉ cuối tuần.\n",
            "! The policy does not list this year's holidays: only weekends are known.\n",
        ));
    }
    shown
}

fn ledger(terminal: &Terminal, grade: &Grade, machines: &[MachineLine]) -> String {
    let names: BTreeMap<&str, &str> =
        machines.iter().map(|machine| (machine.id.as_str(), machine.name.as_str())).collect();
    let rows = grade.ledger.iter().map(|line| {
        let on: Vec<&str> = line.machines.iter().filter_map(|id| names.get(id.as_str()).copied()).collect();
        vec![
            points(terminal, line.points),
            line.kind.text().get(terminal.language).to_owned(),
            line.title.get(terminal.language).to_owned(),
            on.join(", "),
            line.minutes.to_string(),
            line.lifted_by.text().get(terminal.language).to_owned(),
        ]
    });
    let heads = [
        ("Điểm", "Points"),
        ("Loại", "Kind"),
        ("Nội dung", "What"),
        ("Máy", "Machines"),
        ("Phút", "Minutes"),
        ("Ai xử lý", "Lifted by"),
    ];
    format!("\n{}\n{}\n", ledger_title().get(terminal.language), terminal.table(&heads, rows))
}

/// The controls about the office as a whole, if there are any.
fn organisational(terminal: &Terminal, view: &OfficeView) -> String {
    if view.organisational.is_empty() {
        return String::new();
    }
    let rows = view.organisational.iter().map(|judged| {
        vec![
            judged.outcome.verdict.text().get(terminal.language).to_owned(),
            judged.title.get(terminal.language).to_owned(),
            judged.outcome.found.get(terminal.language).to_owned(),
        ]
    });
    let heads = [
        ("Kết quả", "Outcome"),
        ("Phần tổ chức (chưa tính điểm)", "The office as a whole (no points yet)"),
        ("Hiện trạng", "Found"),
    ];
    format!("\n{}\n", terminal.table(&heads, rows))
}

fn steps(terminal: &Terminal, plan: &Plan) -> String {
    let target = crate::store::grade::letter_word(plan.target);
    let mut shown =
        terminal.own(text!("\nĐể đạt loại {target} ({} phút):\n", "\nTo reach {target} ({} minutes):\n", plan.minutes));
    for (number, step) in plan.steps.iter().enumerate() {
        let (number, title, count) = (number + 1, step.title.get(terminal.language), step.machines.len());
        shown.push_str(&terminal.own(text!(
            "{number}. {title}: {count} máy, {} phút\n",
            "{number}. {title}: {count} machines, {} minutes\n",
            step.minutes
        )));
    }
    shown
}

fn machines(terminal: &Terminal, machines: &[MachineLine]) -> String {
    let rows = machines.iter().map(|machine| {
        let grade = machine.grade.as_ref();
        vec![
            machine.name.clone(),
            grade.map_or_else(String::new, |grade| grade.state.text().get(terminal.language).to_owned()),
            grade.and_then(|grade| grade.score).map_or_else(|| "-".to_owned(), |score| points(terminal, score)),
            grade.map_or_else(String::new, |grade| grade.failed.to_string()),
            grade.map_or_else(String::new, |grade| grade.unknown.to_string()),
        ]
    });
    let heads = [
        ("Máy", "Machine"),
        ("Tình trạng", "State"),
        ("Điểm", "Points"),
        ("Chưa đạt", "Fail"),
        ("Chưa xác định", "Unknown"),
    ];
    format!("\n{}\n", terminal.table(&heads, rows))
}
