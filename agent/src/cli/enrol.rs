//! `posture-agent enrol`: connects this machine to a server and says what comes next.

use std::sync::Arc;

use policies::text;
use policies::text::{Text, visible};
use serde::Serialize;

use super::{EnrolOptions, Exit, runtime};
use crate::cli::terminal::Terminal;
use crate::enrol::{Enrolled, enrol};
use crate::platform::{self, clock::Clock};
use collect::Collector;

/// The JSON output.
#[derive(Serialize)]
struct Answer<'a> {
    machine: &'a str,
    office: &'a str,
    role: &'a str,
    confirmed: bool,
}

/// Enrols the machine and prints the result.
///
/// # Errors
/// When the machine was not enrolled; says why.
pub(super) fn run(options: &EnrolOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    let (collector, clock) = (Collector::of_this_machine(platform::door()), Arc::new(Clock::system()));
    let work = enrol(&options.invitation, &options.state, options.config.as_deref(), &collector, clock);
    let enrolled = runtime()?.block_on(work)?;
    if options.json {
        let assignment = &enrolled.assignment;
        let answer = Answer {
            machine: &enrolled.machine,
            office: &assignment.office,
            role: assignment.role.code(),
            confirmed: assignment.confirmed,
        };
        terminal.print(&serde_json::to_string(&answer)?)?;
    } else {
        terminal.print(&sentences(&enrolled, terminal))?;
    }
    Ok(Exit::Fine)
}

fn sentences(enrolled: &Enrolled, terminal: &Terminal) -> String {
    let office = visible(&enrolled.assignment.office, 200);
    let role = enrolled.assignment.role.text();
    let mut lines = vec![terminal.own(text!(
        "Đã kết nối máy này với cơ quan \"{office}\", vai trò {0}. Mã máy: {1}.",
        "This machine is connected to the office \"{office}\" as a {0}. Machine id: {1}.",
        role.get(terminal.language),
        enrolled.machine
    ))];
    if !enrolled.assignment.confirmed {
        lines.push(terminal.own(unconfirmed()));
    }
    if let Some(former) = &enrolled.former {
        lines.push(terminal.own(text!(
            "Máy này đã được cấp mã máy mới; hãy đề nghị cán bộ phụ trách thu hồi máy cũ trên máy chủ. Mã máy cũ: {0}",
            "This machine has a new machine id; ask the officer in charge to revoke the old machine on the server. Its id: {0}",
            visible(former, 64)
        )));
    }
    if enrolled.given_up > 0 {
        lines.push(terminal.own(text!(
            "Số báo cáo chưa gửi của lần kết nối trước, không gửi được nữa, cất riêng trong tệp spool.former: {0}",
            "Unsent reports of the previous enrolment, which can no longer be sent, were moved to the file spool.former: {0}",
            enrolled.given_up
        )));
    }
    let next = terminal.text(
        "Bước tiếp theo: chạy posture-agent run (hoặc bật dịch vụ posture-agent).",
        "Next: run posture-agent run (or enable the service posture-agent).",
    );
    lines.push(next.to_owned());
    lines.join("\n")
}

/// What a machine that was not confirmed yet should expect.
pub(super) fn unconfirmed() -> Text {
    text!(
        "Máy đang chờ cán bộ phụ trách xác nhận; trong lúc đó báo cáo chưa tính điểm. Máy chủ chỉ nhận một lượng nhỏ, phần còn lại được giữ trên máy và gửi sau khi xác nhận.",
        "The machine waits for an officer to confirm it; until then its reports are not graded. The server accepts only a few; the rest is kept on this machine and sent after the confirmation.",
    )
}
