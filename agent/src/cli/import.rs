//! `posture-agent import`: imports the server's answer and shows the result under the policy it brought.

use std::sync::Arc;

use policies::text;
use policies::text::{Text, visible};
use protocol::limits;
use serde::Serialize;

use super::enrol::unconfirmed;
use super::{Exit, ImportOptions, once};
use crate::airgap::file_read;
use crate::airgap::import::{Imported, import};
use crate::cli::terminal::Terminal;
use crate::platform::telemetry;
use crate::platform::{self, clock::Clock};
use crate::policy::judgement::Judgement;
use collect::Collector;

/// The JSON output.
#[derive(Serialize)]
struct Answer<'a> {
    machine: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    office: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<bool>,
    enrolled: bool,
    delivered: u64,
    waiting: u64,
    new_policy: bool,
    result: Option<&'a Judgement>,
}

/// Imports the answer and prints what it changed.
///
/// # Errors
/// When it was not imported; says why.
pub(super) fn run(options: &ImportOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    telemetry::start();
    let bytes = file_read(&options.file, limits::ANSWER_FILE)?;
    let (collector, clock) = (Collector::of_this_machine(platform::door()), Arc::new(Clock::system()));
    let imported = import(&options.state, options.config.as_deref(), &bytes, collector, clock)?;
    if options.json {
        let assignment = imported.assignment.as_ref();
        let answer = Answer {
            machine: &imported.machine,
            office: assignment.map(|assignment| assignment.office.as_str()),
            role: assignment.map(|assignment| assignment.role.code()),
            confirmed: assignment.map(|assignment| assignment.confirmed),
            enrolled: imported.enrolled,
            delivered: imported.delivered,
            waiting: imported.waiting,
            new_policy: imported.new_policy,
            result: imported.judgement.as_ref(),
        };
        terminal.print(&serde_json::to_string(&answer)?)?;
    } else {
        terminal.print(&sentences(&imported, terminal))?;
    }
    Ok(Exit::Fine)
}

fn sentences(imported: &Imported, terminal: &Terminal) -> String {
    let mut lines = once::result_lines(imported.judgement.as_ref(), terminal);
    let mut add = |text: Text| lines.push(terminal.own(text));
    if imported.enrolled {
        add(text!("Máy này đã được đăng ký.", "This machine is enrolled."));
    }
    if let Some(assignment) = &imported.assignment {
        let role = assignment.role.text();
        add(text!(
            "Cơ quan \"{0}\", {1}. Mã máy: {2}.",
            "Office \"{0}\", {1}. Machine id: {2}.",
            visible(&assignment.office, 200),
            role.get(terminal.language),
            imported.machine
        ));
        if !assignment.confirmed {
            add(unconfirmed());
        }
    }
    if imported.new_policy {
        add(text!("Đã nhận bộ tiêu chí mới.", "A new policy is in use."));
    }
    add(text!(
        "Báo cáo máy chủ xác nhận đã nhận: {0}; báo cáo còn chờ trên máy: {1}",
        "Reports the server has confirmed: {0}; reports still waiting on this machine: {1}",
        imported.delivered,
        imported.waiting
    ));
    if imported.enrolled {
        add(text!(
            "Bước tiếp theo: posture-agent export TỆP để xuất báo cáo.",
            "Next: posture-agent export FILE to export the reports.",
        ));
    }
    lines.join("\n")
}
