//! `posture-agent export`: makes a file for the server, on a machine that may never be connected. First asks whether it is allowed.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use policies::text;
use policies::text::visible;
use protocol::limits;
use protocol::unconnected::Invitation;
use serde::Serialize;

use super::{Exit, ExportOptions};
use crate::airgap::export::{Exported, Handed, NotSecret, What, export};
use crate::airgap::{FileError, file_read, file_write};
use crate::cli::terminal::Terminal;
use crate::platform::telemetry;
use crate::platform::{self, clock::Clock};
use collect::Collector;

/// The JSON output.
#[derive(Serialize)]
#[serde(tag = "content", rename_all = "snake_case")]
enum Answer<'a> {
    Enrolment { office: &'a str, bytes: usize },
    Reports { machine: &'a str, reports: u64, left: u64, bytes: usize },
}

/// Makes the file.
///
/// # Errors
/// When it was not made; says why.
pub(super) fn run(options: &ExportOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    telemetry::start();
    let said = if options.not_secret { Some(NotSecret) } else { ask(terminal) };
    let said = said.ok_or(FileError::NotConfirmed)?;
    let invitation = match &options.invitation {
        Some(path) => {
            let bytes = file_read(path, limits::INVITATION)?;
            Some(Invitation::read(&bytes).map_err(FileError::from)?)
        }
        None => None,
    };
    let handed = Handed { invitation, place: options.place.clone() };
    let (collector, clock) = (Collector::of_this_machine(platform::door()), Arc::new(Clock::system()));
    let exported = export(said, &options.state, options.config.as_deref(), handed, collector, clock)?;
    file_write(&options.file, &exported.bytes)?;
    if options.json {
        let bytes = exported.bytes.len();
        let answer = match &exported.what {
            What::Enrolment { office } => Answer::Enrolment { office, bytes },
            What::Reports { machine, reports, left } => {
                Answer::Reports { machine, reports: *reports, left: *left, bytes }
            }
        };
        terminal.print(&serde_json::to_string(&answer)?)?;
    } else {
        terminal.print(&sentences(&exported, options, terminal))?;
    }
    Ok(Exit::Fine)
}

/// Asks the person at the terminal; none when there is no terminal to ask at.
fn ask(terminal: &Terminal) -> Option<NotSecret> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return None;
    }
    terminal.complain(terminal.text(
        "Máy xử lý bí mật nhà nước, hoặc nằm trong mạng riêng dành cho bí mật nhà nước, KHÔNG được đăng ký, xuất số liệu hay mô tả trong hệ thống này.\n\
         Máy này có phải là máy xử lý bí mật nhà nước không? Gõ \"không\" rồi nhấn Enter nếu không phải:",
        "A machine that processes state secrets, or is in a network for them, must NOT be enrolled, exported or described here.\n\
         Does this machine process state secrets? If it does not, type \"no\" and press Enter:",
    ));
    is_no(input.lock()).then_some(NotSecret)
}

/// True when the line says no, with or without Vietnamese marks.
fn is_no(input: impl BufRead) -> bool {
    let mut line = String::new();
    // One word is enough; an unreadable answer counts as none.
    if input.take(100).read_line(&mut line).is_err() {
        return false;
    }
    // The second form uses a combining mark, as some keyboards produce.
    matches!(line.trim().to_lowercase().as_str(), "không" | "kho\u{302}ng" | "khong" | "no")
}

fn sentences(exported: &Exported, options: &ExportOptions, terminal: &Terminal) -> String {
    let file = options.file.display();
    let mut lines = Vec::new();
    match &exported.what {
        What::Enrolment { office } => {
            lines.push(terminal.own(text!(
                "Đã ghi yêu cầu đăng ký máy vào cơ quan \"{0}\": {file}",
                "Wrote the request to enrol in \"{0}\": {file}",
                visible(office, 200)
            )));
        }
        What::Reports { reports, left, .. } => {
            lines.push(
                terminal.own(text!("Đã ghi báo cáo ({reports}): {file}", "Wrote the reports ({reports}): {file}")),
            );
            if *left > 0 {
                lines.push(terminal.own(text!(
                    "Báo cáo chưa vừa tệp, sẽ xuất sau khi nhập trả lời: {left}",
                    "Reports that did not fit, to be exported once the answer is imported: {left}"
                )));
            }
        }
    }
    let next = terminal.text(
        "Tệp đã mã hoá, chỉ máy chủ đọc được. Trên máy chủ: posture-server import TỆP --answer THƯ-MỤC; mang tệp trả lời về máy này rồi chạy: posture-agent import TỆP-TRẢ-LỜI",
        "Only the server can read the file. On the server: posture-server import FILE --answer DIR; bring the answer back here and run: posture-agent import ANSWER",
    );
    lines.push(next.to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_no_lets_it_pass() {
        for yes in ["", "\n", "có\n", "yes\n", "y\n", "không biết\n", "\u{fffd}\n"] {
            assert!(!is_no(yes.as_bytes()), "{yes:?}");
        }
        assert!(!is_no(b"\xff\n".as_slice()));
        assert!(!is_no(format!("{}không", " ".repeat(200)).as_bytes()));
        for no in ["không\n", " KHÔNG\r\n", "khong\n", "kho\u{302}ng\n", "no"] {
            assert!(is_no(no.as_bytes()), "{no:?}");
        }
    }
}
