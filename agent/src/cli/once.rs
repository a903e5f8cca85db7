//! `posture-agent once`: checks, reports and judges once, and prints the result.

use std::sync::Arc;

use policies::outcome::{Outcome, Verdict};
use policies::text;
use policies::text::{Text, visible};
use serde::Serialize;

use super::{Exit, OnceOptions, runtime};
use crate::cli::terminal::Terminal;
use crate::daemon::agent_state::AgentState;
use crate::daemon::once::{Once, once};
use crate::platform::telemetry;
use crate::platform::{self, clock::Clock};
use crate::policy::judgement::Judgement;
use collect::Collector;

/// The JSON output.
#[derive(Serialize)]
struct Answer<'a> {
    delivered: bool,
    kept: bool,
    waiting: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<policies::text::Text>,
    result: Option<&'a Judgement>,
}

/// Checks once and prints the result.
///
/// # Errors
/// When the check could not be done.
pub(super) fn run(options: &OnceOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    telemetry::start();
    let clock = Arc::new(Clock::system());
    let mut agent_state = AgentState::open(
        &options.state,
        options.config.as_deref(),
        Collector::of_this_machine(platform::door()),
        clock,
    )?;
    let done = runtime()?.block_on(once(&mut agent_state))?;
    if options.json {
        let answer = Answer {
            delivered: done.delivered,
            kept: done.kept,
            waiting: done.waiting,
            trouble: done.trouble.as_ref().map(crate::connection::WireError::text),
            result: done.judgement.as_ref(),
        };
        terminal.print(&serde_json::to_string(&answer)?)?;
    } else {
        terminal.print(&sentences(&done, terminal))?;
    }
    Ok(done.judgement.map_or(Exit::Impossible, |judgement| Exit::of(&judgement.outcomes)))
}

/// The result, one line or more for each control.
pub(super) fn result_lines(judgement: Option<&Judgement>, terminal: &Terminal) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(judgement) = judgement {
        lines.extend(judgement.outcomes.iter().map(|outcome| line(outcome, terminal)));
        let verdicts: Vec<_> = judgement.outcomes.iter().map(|outcome| outcome.verdict).collect();
        lines.push(terminal.own(text!(
            "Bộ tiêu chí phiên bản {0} ({1}): {2}.",
            "Policy version {0} ({1}): {2}.",
            judgement.policy_version,
            judgement.role.text().get(terminal.language),
            Verdict::counted(&verdicts, terminal.language)
        )));
    } else {
        let none = terminal.text(
            "Chưa có bộ tiêu chí đã ký từ máy chủ nên chưa đánh giá được.",
            "There is no signed policy from the server yet, so nothing could be judged.",
        );
        lines.push(none.to_owned());
    }
    lines
}

fn sentences(done: &Once, terminal: &Terminal) -> String {
    let mut lines = result_lines(done.judgement.as_ref(), terminal);
    lines.push(arrival(done, terminal));
    lines.join("\n")
}

/// What became of the report, and what went wrong.
fn arrival(done: &Once, terminal: &Terminal) -> String {
    let mut said = if done.delivered {
        text!("Báo cáo đã được máy chủ nhận.", "The server has the report.")
    } else if done.kept {
        text!(
            "Báo cáo được giữ lại trên máy để gửi sau; số báo cáo đang chờ gửi: {0}.",
            "The report is kept on this machine to be sent later; reports waiting: {0}.",
            done.waiting
        )
    } else {
        text!(
            "Máy chủ chưa có báo cáo này và báo cáo không được giữ lại trên máy.",
            "The server does not have this report, and it is not kept on this machine.",
        )
    };
    if let Some(trouble) = &done.trouble {
        let Text { vi, en } = trouble.text();
        said.push(
            &format!(" Trục trặc: {}.", vi.trim_end_matches('.')),
            &format!(" Error: {}.", en.trim_end_matches('.')),
        );
    }
    terminal.own(said)
}

fn line(outcome: &Outcome, terminal: &Terminal) -> String {
    let verdict = outcome.verdict.text();
    let head = format!("[{}] {}", verdict.get(terminal.language), outcome.control);
    if matches!(outcome.verdict, Verdict::Fail | Verdict::Unknown) {
        let found = visible(outcome.found.get(terminal.language), 300);
        let wanted = visible(outcome.wanted.get(terminal.language), 300);
        terminal.own(text!(
            "{head}\n    hiện trạng: {found}\n    mức cần đạt: {wanted}",
            "{head}\n    found: {found}\n    wanted: {wanted}"
        ))
    } else {
        head
    }
}

#[cfg(test)]
mod tests {
    use policies::text::Language;

    use super::*;
    use crate::connection::WireError;

    #[test]
    fn only_what_is_true_is_said_of_the_report() {
        let said = |delivered, kept, waiting, trouble: bool| {
            let trouble = trouble.then(|| WireError::SetUp("x".to_owned()));
            let done = Once { delivered, kept, waiting, trouble, judgement: None };
            [Language::Vi, Language::En].map(|language| arrival(&done, &Terminal::new(language)))
        };
        let [vi, en] = said(true, false, 0, false);
        assert!(vi == "Báo cáo đã được máy chủ nhận." && en == "The server has the report.", "{vi} {en}");
        // Delivered, but the policy could not be fetched.
        let [vi, en] = said(true, false, 0, true);
        assert!(en.starts_with("The server has the report. Error: ") && vi.contains("Trục trặc"), "{vi} {en}");
        assert!(!en.contains('0') && !vi.contains('0'), "{vi} {en}");
        let [vi, en] = said(false, true, 3, true);
        assert!(
            en.contains("kept on this machine to be sent later; reports waiting: 3. Error") && vi.contains(": 3."),
            "{vi} {en}"
        );
        // Refused for good, or the disk is full.
        let [vi, en] = said(false, false, 0, true);
        assert!(en.contains("not kept") && vi.contains("không được giữ lại"), "{vi} {en}");
    }
}
