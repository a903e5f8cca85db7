//! Setup on Windows, for a person who only double-clicked.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use policies::text;

use super::{Connection, SetupError, file, read};
use crate::cli::Exit;
use crate::cli::install::outcome;
use crate::cli::terminal::Terminal;
use crate::enrol::Invitation;
use crate::install::{Plan, install};
use crate::platform::windows::desktop;
use crate::state::DEFAULT;
use os::Os;
use os::windows::Windows;

/// The window title.
const TITLE: &str = "Trạm An";
/// The 64-bit program next to this one.
const WIDE: &str = "posture-agent-x86_64.exe";

/// Sets this machine up and shows the result, one sentence, in a window.
///
/// # Errors
/// Never: any failure is shown in that window.
pub(in crate::cli) fn run(terminal: &Terminal) -> anyhow::Result<Exit> {
    desktop::dress_console(TITLE);
    let (sentence, exit) = match set_up(terminal) {
        Ok(Some(done)) => done,
        // The program restarted as administrator takes over.
        Ok(None) => return Ok(Exit::Fine),
        Err(error) => (crate::cli::explained(&error, terminal), Exit::Impossible),
    };
    terminal.print(&sentence)?;
    desktop::tell(TITLE, &sentence, exit != Exit::Fine);
    Ok(exit)
}

fn set_up(terminal: &Terminal) -> anyhow::Result<Option<(String, Exit)>> {
    let path = file().ok_or_else(|| SetupError::NoFile(std::io::ErrorKind::NotFound.into()))?;
    let connection = read(&path)?;
    let wide = path.with_file_name(WIDE);
    let hands_over = desktop::is_narrow_on_wide() && wide.is_file();
    if hands_over || !Windows::default().administrator() {
        let program: PathBuf = if hands_over { wide } else { std::env::current_exe()? };
        let arguments = format!("setup --lang {}", terminal.language.code());
        return match desktop::elevate(&program, &arguments) {
            Ok(()) => Ok(None),
            Err(error) => Ok(Some((not_allowed(&error, terminal), Exit::Impossible))),
        };
    }
    let place = ask(&connection, terminal)?;
    terminal.print(
        terminal.text("Đang cài đặt và kết nối, chờ một chút...", "Setting up and connecting, wait a moment..."),
    )?;
    let Connection { server, token, fingerprint, .. } = connection;
    let invitation = Some(Invitation { server, token, fingerprint, place });
    let installed = install(&Plan { invitation, state: DEFAULT.into() })?;
    Ok(Some(outcome(&installed, terminal)))
}

/// Room and person, as typed.
fn ask(connection: &Connection, terminal: &Terminal) -> anyhow::Result<String> {
    let office = policies::text::visible(&connection.office, 200);
    terminal.print(&terminal.own(text!("Cơ quan: {office}", "Office: {office}")))?;
    terminal.print(terminal.text(
        "Không cài trên máy xử lý bí mật nhà nước: nếu là máy đó, hãy đóng cửa sổ này.",
        "Never install this on a machine that processes state secrets: if this is one, close this window.",
    ))?;
    let mut out = std::io::stdout().lock();
    let question = terminal.text(
        "Phòng và người sử dụng máy này (ví dụ: Văn phòng, Nguyễn Văn A): ",
        "Room and person of this machine (such as: Office, Nguyễn Văn A): ",
    );
    out.write_all(question.as_bytes()).and_then(|()| out.flush())?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn not_allowed(error: &std::io::Error, terminal: &Terminal) -> String {
    terminal.own(text!(
        "Chưa cài đặt: cần bấm \"Có\" khi Windows hỏi, hoặc nhờ người có tài khoản quản trị của máy ({error}).",
        "Not installed: answer Yes when Windows asks, or ask somebody with an administrator account on this machine ({error})."
    ))
}
