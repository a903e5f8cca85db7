//! `office roster list`: the lines of a roster, and which enrolled machines may be which of them.

use jiff::tz::TimeZone;
use policies::text;
use serde::Serialize;

use super::role_text;
use crate::cli::context::CommandContext;
use crate::cli::terminal::{Form, Terminal, moment, visible};
use crate::roster::{MatchReason, Proposal, known_list, propose};
use crate::store::Scope;
use crate::store::roster::RosterLine;

/// A line with the machines that may be it.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    line: RosterLine,
    proposals: Vec<Proposal>,
}

/// Shows the roster.
///
/// # Errors
/// There is no such office, or the database fails.
pub(super) async fn perform(office: &str, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let (lines, proposals) = find(office, context).await?;
    let listed: Vec<Listed> = lines
        .into_iter()
        .map(|line| {
            let proposals = proposals.iter().filter(|proposal| proposal.line == line.id).cloned().collect();
            Listed { line, proposals }
        })
        .collect();
    terminal.answer(&listed, |terminal| {
        let mut text = lines_table(&listed, terminal, &context.zone);
        let hint = proposals_text(office, &proposals, terminal);
        if !hint.is_empty() {
            text = format!("{text}\n\n{hint}");
        }
        text
    })
}

/// Prints which machines may be which lines, if any.
///
/// # Errors
/// The database fails.
pub(super) async fn proposals_tell(office: &str, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    if terminal.form == Form::Json {
        return Ok(());
    }
    let (_, proposals) = find(office, context).await?;
    if proposals.is_empty() { Ok(()) } else { terminal.print(&proposals_text(office, &proposals, terminal)) }
}

async fn find(office: &str, context: &CommandContext) -> anyhow::Result<(Vec<RosterLine>, Vec<Proposal>)> {
    let mut tx = context.db.read().await?;
    tx.office_require(&Scope::whole(), office).await?;
    let lines = tx.roster_line_list(&Scope::whole(), office).await?;
    let machines = known_list(&mut tx, &Scope::whole(), office).await?;
    let proposals = propose(&lines, &machines);
    Ok((lines, proposals))
}

fn lines_table(listed: &[Listed], terminal: &Terminal, zone: &TimeZone) -> String {
    let heads = [
        ("Tên máy", "Label"),
        ("Loại", "Role"),
        ("Phòng", "Room"),
        ("Người dùng", "Person"),
        ("Số sê-ri", "Serial"),
        ("Trạng thái", "State"),
        ("Máy đã kết nối", "Machine"),
    ];
    let rows = listed.iter().map(|Listed { line, .. }| {
        vec![
            line.label.clone(),
            role_text(line.role, terminal).to_owned(),
            line.room.clone(),
            line.person.clone(),
            line.serial.clone(),
            state_text(line, terminal, zone),
            line.machine.clone().unwrap_or_default(),
        ]
    });
    terminal.table(&heads, rows)
}

/// The state of a line and its last day.
pub(super) fn state_text(line: &RosterLine, terminal: &Terminal, zone: &TimeZone) -> String {
    let state = line.state.text();
    let end = line
        .state_until_at
        .map_or_else(String::new, |until| terminal.own(text!(" (đến {0})", " (until {0})", moment(until - 1, zone))));
    format!("{}{end}", state.get(terminal.language))
}

fn proposals_text(office: &str, proposals: &[Proposal], terminal: &Terminal) -> String {
    if proposals.is_empty() {
        return String::new();
    }
    let mut text = terminal
        .text(
            "Có thể là cùng một máy (hãy kiểm tra rồi chạy lệnh):",
            "These may be the same machine (check, then run the command):",
        )
        .to_owned();
    for proposal in proposals {
        let why: Vec<&str> = proposal.why.iter().map(|why| why_text(*why, terminal)).collect();
        let replace = if proposal.replaces.is_some() { " --replace" } else { "" };
        text.push_str(&format!(
            "\n- {} = {} ({}): posture-server office roster link {office} {} {}{replace}",
            visible(&proposal.label),
            visible(&proposal.name),
            why.join(", "),
            proposal.line,
            proposal.machine,
        ));
    }
    text
}

fn why_text<'a>(why: MatchReason, terminal: &Terminal) -> &'a str {
    match why {
        MatchReason::Serial => terminal.text("cùng số sê-ri", "same serial number"),
        MatchReason::Mac => terminal.text("cùng địa chỉ MAC", "same MAC address"),
        MatchReason::Name => terminal.text("cùng tên", "same name"),
    }
}
