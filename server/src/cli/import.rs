//! `import`: taking in files exported by machines without a network, and writing the answers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, ArgMatches, Command, value_parser};
use policies::text;
use policies::text::Text;
use protocol::limits;
use serde::Serialize;

use super::Help;
use super::context::CommandContext;
use super::terminal::{Terminal, moment, visible};
use crate::act::By;
use crate::airgap::stick::{self, Readers, Target};
use crate::airgap::{Came, Imported, import};
use crate::app::App;
use crate::app::opening::identity_check;
use crate::error::UserError;
use crate::secrets::Secrets;
use crate::store::machine::MachineStatus;

/// The command line of `import`.
pub fn command(help: Help) -> Command {
    Command::new("import")
        .about(help.text("Nhập tệp xuất từ máy không nối mạng, ghi tệp trả lời", "Import files from machines without a network and write the answers"))
        .long_about(help.text(
            "Nhập tệp do lệnh posture-agent export tạo ra trên máy không được phép nối mạng: đăng ký máy mới hoặc báo cáo. Tệp được giải mã bằng khoá của \
             máy chủ rồi qua đúng các bước kiểm tra như khi máy nối mạng. Nhập lại cùng một tệp không làm thay đổi gì. Tệp trả lời mang chữ ký của máy chủ, không \
             chứa bí mật nên không mã hoá; mang về máy và chạy: posture-agent import TỆP. Máy chủ có thể đang chạy.\n\
             Mã kết thúc: 0 đã nhận mọi tệp; 2 có tệp hoặc báo cáo không được nhận.",
            "Imports files written by posture-agent export on a machine that must not be connected: an enrolment request or reports. Each file is \
             decrypted with the server's key and then checked like any network request. Importing the same file again changes nothing. The answer is \
             signed by the server; it contains no secret and is not encrypted. Take it to the machine and run: posture-agent import FILE. The server \
             may be running.\n\
             Exit status: 0 all files were imported; 2 a file or report was not accepted.",
        ))
        .arg(
            help.place("files", help.text("TỆP", "FILE"), help.text("Tệp xuất từ máy", "Files exported by machines"))
                .action(ArgAction::Append)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            help.option("answer", help.text("THƯ MỤC|TỆP", "DIR|FILE"), help.text(
                "Nơi ghi tệp trả lời: thư mục đã có, hoặc tệp khi chỉ nhập một tệp",
                "Where to write the answers: an existing folder, or a file if only one file is imported",
            ))
            .required(true)
            .value_parser(value_parser!(PathBuf)),
        )
}

/// The result of one file, as JSON.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    /// `enrolled`, `known`, `reports` or `refused`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    office: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<MachineStatus>,
    accepted: usize,
    known: usize,
    refused: usize,
    left: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

/// Takes in each file and continues after one that is refused.
///
/// # Errors
/// The server's keys or database cannot be used, or the answer has nowhere to go.
pub async fn perform(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let files: Vec<PathBuf> = given.get_many::<PathBuf>("files").unwrap_or_default().cloned().collect();
    let target = Target::of(given.get_one::<PathBuf>("answer").map_or(Path::new("."), PathBuf::as_path))?;
    if files.len() > 1 && matches!(target, Target::File(_)) {
        anyhow::bail!(UserError::new(
            "Khi nhập nhiều tệp, --answer phải là một thư mục đã có.",
            "With several files, --answer must be a folder that exists.",
        ));
    }
    let secrets = Secrets::read(&context.data)?;
    identity_check(&context.db, &secrets.marks(&context.config.server)).await?;
    let app = App::assemble(context.config.clone(), context.clock.clone(), context.db.clone(), secrets).await?;
    let mut lines = Vec::new();
    for file in &files {
        lines.push(take(&app, &context.by(), file, &target, terminal).await);
    }
    app.ingest.stop().await;
    terminal.answer(&lines, |terminal| {
        lines.iter().map(|line| sentences(line, context, terminal)).collect::<Vec<_>>().join("\n")
    })?;
    let whole = lines.iter().all(|line| line.reason.is_none());
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn take(app: &App, by: &By, file: &Path, target: &Target, terminal: &Terminal) -> Line {
    let mut line = Line {
        file: file.display().to_string(),
        result: "refused",
        machine: None,
        name: None,
        office: None,
        status: None,
        accepted: 0,
        known: 0,
        refused: 0,
        left: 0,
        observed_at: None,
        reason: None,
        answer: None,
    };
    let imported = match stick::read(file, limits::EXPORT) {
        Ok(bytes) => import(app, by, &bytes).await,
        Err(error) => Err(error),
    };
    match imported {
        Ok(imported) => fill(&mut line, imported, target, terminal),
        Err(error) => line.reason = Some(UserError::render(&error, terminal.language)),
    }
    line
}

fn fill(line: &mut Line, imported: Imported, target: &Target, terminal: &Terminal) {
    line.reason = imported.refusal.map(|refusal| refusal.get(terminal.language).to_owned());
    line.office = imported.office;
    line.result = match imported.came {
        Came::Enrolment { .. } if imported.machine.is_none() => "refused",
        Came::Enrolment { again: true } => "known",
        Came::Enrolment { again: false } => "enrolled",
        Came::Reports { accepted, known, refused, left, observed_at } => {
            (line.accepted, line.known, line.refused, line.left) = (accepted, known, refused, left);
            line.observed_at = observed_at;
            "reports"
        }
    };
    if let Some(machine) = imported.machine {
        (line.machine, line.name, line.status) = (Some(machine.id), Some(machine.name), Some(machine.status));
    }
    let path = target.path(&imported.answer_name);
    match stick::write(&path, &imported.answer, Readers::All) {
        Ok(()) => line.answer = Some(path.display().to_string()),
        // What was taken in stays; importing the same file again gives the same answer.
        Err(error) => line.reason = Some(UserError::render(&error, terminal.language)),
    }
}

fn sentences(line: &Line, context: &CommandContext, terminal: &Terminal) -> String {
    let mut shown = vec![format!("{}:", visible(&line.file))];
    let machine = line.machine.as_deref().unwrap_or_default();
    let named = format!("{} ({machine})", visible(line.name.as_deref().unwrap_or_default()));
    let office = visible(line.office.as_deref().unwrap_or_default());
    let mut add = |text: Text| shown.push(terminal.own(text));
    match line.result {
        "enrolled" => add(text!("Máy mới: {named}, {office}", "New machine: {named}, {office}")),
        "known" => add(text!(
            "Máy này đã đăng ký từ trước, không có gì thay đổi: {named}, {office}",
            "Already enrolled, nothing changed: {named}, {office}"
        )),
        "reports" => {
            add(text!("Báo cáo của máy {named}, {office}", "Reports of {named}, {office}"));
            add(text!(
                "báo cáo mới nhận: {}; đã có từ trước: {}; không nhận: {}",
                "new reports: {}; already known: {}; not accepted: {}",
                line.accepted,
                line.known,
                line.refused
            ));
            if let Some(observed_at) = line.observed_at {
                let at = moment(observed_at, &context.zone);
                add(text!("số liệu mới nhất ghi nhận lúc {at}", "newest evidence observed at {at}"));
            }
            if line.left > 0 {
                add(text!(
                    "báo cáo còn lại trên máy (mang trả lời về máy rồi xuất lần nữa): {0}",
                    "reports still on the machine (take the answer there, then export again): {0}",
                    line.left
                ));
            }
        }
        _ => {}
    }
    if line.status == Some(MachineStatus::Pending) {
        add(text!(
            "chờ xác nhận, chưa tính điểm; xác nhận bằng lệnh: posture-server machine confirm {machine}",
            "pending, not graded yet; confirm it with: posture-server machine confirm {machine}"
        ));
    }
    if let Some(reason) = &line.reason {
        // A technical cause is on a line of its own.
        let reason: Vec<String> = reason.lines().map(|line| visible(line.trim())).collect();
        add(text!("KHÔNG NHẬN: {0}", "REFUSED: {0}", reason.join("\n    ")));
    }
    if let Some(answer) = &line.answer {
        add(text!("tệp trả lời: {0}", "answer: {0}", visible(answer)));
    }
    shown.join("\n  ")
}
