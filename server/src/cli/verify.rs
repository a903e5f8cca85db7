//! `verify`: checks again what the server stores, as somebody would who does not trust it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use policies::text;
use serde::Serialize;

use super::Help;
use super::context::CommandContext;
use super::fault::told;
use super::log::checkpoint_read;
use super::terminal::Terminal;
use crate::error::UserError;
use crate::evidence::Subject;
use crate::store::log::check;
use crate::store::log::fault::Fault;

/// The command line of `verify`.
pub fn command(help: Help) -> Command {
    Command::new("verify")
        .about(help.text("Kiểm tra lại dữ liệu đã lưu", "Check again what is stored"))
        .subcommand_required(true)
        .subcommand(
            Command::new("log")
                .about(help.text(
                    "Dựng lại nhật ký đối chứng từ dữ liệu đã lưu, nêu mục đầu tiên bị xoá, sửa hay thêm",
                    "Build the evidence log again from what is stored; name the first leaf missing, changed or added",
                ))
                .arg(help.file(
                    "against",
                    help.text(
                        "Mốc đối chứng đã cất ở nơi khác (xem: log checkpoint)",
                        "A checkpoint kept elsewhere (see: log checkpoint)",
                    ),
                )),
        )
}

#[derive(Debug, Serialize)]
struct Verified {
    whole: bool,
    leaves: u64,
    checkpoints: u64,
    /// Reports whose header retention removed.
    #[serde(skip_serializing_if = "is_none")]
    removed: u64,
    faults: Vec<Told>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Serialize)]
struct Told {
    fault: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    message: String,
}

/// Verifies the log; exit status 2 when it is not whole.
///
/// # Errors
/// The file given cannot be used, or the database fails.
pub async fn perform(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let against = given.get_one::<PathBuf>("against").map(|file| checkpoint_read(file, context)).transpose()?;
    let against = against.map(|(_, checkpoint)| checkpoint);
    let checked = context.db.read().await?.log_check(context.db.log_signer()?, against.as_ref()).await?;
    let faults = checked.faults.iter().map(|fault| {
        let (fault_name, leaf, subject) = parts(fault);
        Told { fault: fault_name, leaf, subject, message: told(fault).get(terminal.language).to_owned() }
    });
    let faults: Vec<Told> = faults.collect();
    let check::Checked { leaves, checkpoints, removed, .. } = checked;
    let verified = Verified { whole: faults.is_empty(), leaves, checkpoints, removed, faults };
    if !verified.whole && terminal.form == super::terminal::Form::Text {
        let lines: Vec<&str> = verified.faults.iter().map(|told| told.message.as_str()).collect();
        return Err(UserError::new(
            "Nhật ký đối chứng KHÔNG còn nguyên vẹn. Hãy giữ nguyên hiện trạng và báo người phụ trách an ninh mạng.",
            "The evidence log is NOT whole. Leave everything as it is and tell whoever is responsible for security.",
        )
        .because(anyhow::anyhow!(lines.join("\n  ")))
        .into());
    }
    terminal.answer(&verified, |terminal| {
        let Verified { leaves, checkpoints, removed, .. } = &verified;
        let mut sentence = text!(
            "Nhật ký đối chứng nguyên vẹn. Số mục: {leaves}; số mốc đã ký khớp: {checkpoints}",
            "The evidence log is whole. Leaves: {leaves}; signed checkpoints that fit: {checkpoints}"
        );
        if *removed > 0 {
            sentence.append(&text!(
                "; số báo cáo chỉ còn mã băm và chữ ký vì đã xoá theo thời hạn lưu: {removed}",
                "; reports removed by retention, of which hash and signature are left: {removed}"
            ));
        }
        terminal.own(sentence)
    })?;
    Ok(if verified.whole { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The word for programs, the first leaf it names, and what that is about.
fn parts(fault: &Fault) -> (&'static str, Option<u64>, Option<String>) {
    let of = |subject: &Subject| Some(subject.to_string());
    match fault {
        Fault::Missing { from, .. } => ("leaf_missing", Some(*from), None),
        Fault::Beside { leaf, .. } => ("leaf_added", Some(*leaf), None),
        Fault::Row { leaf, .. } => ("leaf_unreadable", Some(*leaf), None),
        Fault::Tree { from, .. } => ("leaf_changed", Some(*from), None),
        Fault::Subtree { from, .. } => ("subtree_changed", Some(*from), None),
        Fault::End { .. } => ("end_changed", None, None),
        Fault::Checkpoint { .. } => ("checkpoint_changed", None, None),
        Fault::Against { .. } => ("contradiction", None, None),
        Fault::Gone { leaf, subject, .. } => ("record_missing", Some(*leaf), of(subject)),
        Fault::Changed { leaf, subject, record: true, .. } => ("record_changed", Some(*leaf), of(subject)),
        Fault::Changed { leaf, subject, .. } => ("leaf_changed", Some(*leaf), of(subject)),
        Fault::Order { leaf, .. } => ("leaf_moved", Some(*leaf), None),
        Fault::Twice { subject } => ("leaf_twice", None, of(subject)),
        Fault::Added { subject } => ("record_added", None, Some(subject.clone())),
    }
}
