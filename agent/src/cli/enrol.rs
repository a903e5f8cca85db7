//! `posture-agent enrol`: connects this machine to a server and says what comes next.

use std::sync::Arc;

use serde::Serialize;

use super::{EnrolOptions, Exit, runtime};
use crate::cli::terminal::Terminal;
use crate::enrol::{Enrolled, Invitation, enrol};
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
pub(super) fn run(options: EnrolOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    let invitation = Invitation {
        server: options.server,
        token: options.token,
        fingerprint: options.fingerprint,
        place: options.place,
    };
    let (collector, clock) = (Collector::of_this_machine(platform::door()), Arc::new(Clock::system()));
    let work = enrol(&invitation, &options.state, options.config.as_deref(), &collector, clock);
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
    let office = policies::text::visible(&enrolled.assignment.office, 200);
    let role = enrolled.assignment.role.text();
    let role = role.get(terminal.language);
    let mut lines = vec![match terminal.language {
        policies::text::Language::Vi => {
            format!("Đã kết nối máy này với cơ quan \"{office}\", vai trò {role}. Mã máy: {}.", enrolled.machine)
        }
        policies::text::Language::En => {
            format!(
                "This machine is connected to the office \"{office}\" as a {role}. Machine id: {}.",
                enrolled.machine
            )
        }
    }];
    if !enrolled.assignment.confirmed {
        lines.push(
            terminal
                .choose(
                    "Máy đang chờ cán bộ phụ trách xác nhận; trong lúc đó báo cáo chưa tính điểm. Máy chủ chỉ nhận một lượng nhỏ, phần còn lại được giữ trên máy và gửi sau khi xác nhận.",
                    "It waits for an officer's confirmation; until then its reports are not graded. The server takes in only a little; the rest is kept on this machine and sent after the confirmation.",
                )
                .to_owned(),
        );
    }
    if let Some(former) = &enrolled.former {
        lines.push(format!(
            "{} {}",
            terminal.choose(
                "Máy này đã được cấp mã máy mới; hãy đề nghị cán bộ phụ trách thu hồi máy cũ trên máy chủ. Mã máy cũ:",
                "This machine has a new machine id; ask the officer in charge to revoke the former machine on the server. Its id:"
            ),
            policies::text::visible(former, 64)
        ));
    }
    if enrolled.given_up > 0 {
        lines.push(format!(
            "{} {}",
            terminal.choose(
                "Số báo cáo chưa gửi của lần kết nối trước, không gửi được nữa, cất riêng trong tệp spool.former:",
                "Undelivered reports of the former connection, which can be sent no more, set aside in the file spool.former:"
            ),
            enrolled.given_up
        ));
    }
    lines.push(
        terminal
            .choose(
                "Bước tiếp theo: chạy posture-agent run (hoặc bật dịch vụ posture-agent).",
                "Next: posture-agent run (or enable the service posture-agent).",
            )
            .to_owned(),
    );
    lines.join("\n")
}
