//! `verify`: checks again what the server stores, as somebody would who does not trust it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use policies::text::Text;
use serde::Serialize;

use super::Help;
use super::context::CommandContext;
use super::log::checkpoint_read;
use super::terminal::Terminal;
use crate::error::UserError;
use crate::evidence::Subject;
use crate::store::log::check::Fault;
use policies::text;

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
    faults: Vec<Told>,
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
    let verified =
        Verified { whole: faults.is_empty(), leaves: checked.leaves, checkpoints: checked.checkpoints, faults };
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
        let Verified { leaves, checkpoints, .. } = &verified;
        terminal.own(text!(
            "Nhật ký đối chứng nguyên vẹn. Số mục: {leaves}; số mốc đã ký khớp: {checkpoints}",
            "The evidence log is whole. Leaves: {leaves}; signed checkpoints that fit: {checkpoints}"
        ))
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

/// What a fault is, in both languages.
pub(super) fn told(fault: &Fault) -> Text {
    match fault {
        Fault::Missing { from, to, .. } => {
            text!("Thiếu các mục từ {} đến {} trong nhật ký.", "Leaves {} to {} are missing from the log.", from, to)
        }
        Fault::Beside { leaf, .. } => {
            text!("Có mục bị chèn thêm tại vị trí {}.", "A leaf was added at place {}.", leaf)
        }
        Fault::Row { leaf, .. } => text!("Không đọc được mục {}.", "Leaf {} cannot be read.", leaf),
        Fault::Tree { from, to, .. } => text!(
            "Trong các mục từ {} đến {} có mục bị sửa hoặc đổi chỗ: không khớp mốc đã ký.",
            "One of the leaves {} to {} was changed or moved: they do not fit the signed checkpoint.",
            from,
            to
        ),
        Fault::Subtree { from, to, .. } => text!(
            "Mã lưu sẵn của các mục từ {} đến {} bị thiếu hoặc bị sửa; các mục vẫn khớp mốc đã ký.",
            "The stored hash over leaves {} to {} is missing or was changed; the leaves themselves fit what was signed.",
            from,
            to
        ),
        Fault::End { epoch } => text!(
            "Phần cuối đã lưu của nhật ký (kỳ {}) không khớp các mục.",
            "The stored end of the log (epoch {}) does not fit its leaves.",
            epoch
        ),
        Fault::Checkpoint { epoch, size } => text!(
            "Mốc đã lưu (kỳ {}, {} mục) không đọc được hoặc không do khoá của máy chủ này ký.",
            "The stored checkpoint (epoch {}, {} leaves) cannot be read or is not signed with this server's key.",
            epoch,
            size
        ),
        Fault::Against { epoch, size, found } => text!(
            "Nhật ký mâu thuẫn với mốc đã cất (kỳ {}, {} mục; nay so được {} mục): dữ liệu đã bị viết lại hoặc bị cắt sau khi máy chủ ký mốc đó.",
            "The log contradicts the checkpoint that was kept (epoch {}, {} leaves; {} can be compared): it was rewritten or cut after the server signed that.",
            epoch,
            size,
            found
        ),
        Fault::Gone { leaf, subject, .. } => {
            let (vi, en) = named(subject);
            Text::new(
                format!("Mục {leaf}: {vi} không còn trong cơ sở dữ liệu."),
                format!("Leaf {leaf}: {en} is no longer in the database."),
            )
        }
        Fault::Changed { leaf, subject, record, .. } => {
            let (vi, en) = named(subject);
            let what = match record {
                true => ("đã bị sửa sau khi ghi vào nhật ký", "was changed after it was logged"),
                false => ("không khớp mục trong nhật ký", "does not fit its leaf"),
            };
            Text::new(format!("Mục {leaf}: {vi} {}.", what.0), format!("Leaf {leaf}: {en} {}.", what.1))
        }
        Fault::Order { leaf, expected, found, .. } => text!(
            "Mục {}: phải là dòng {} của nhật ký thao tác, nhưng lại là dòng {}.",
            "Leaf {}: audit entry {} should stand here, but {} does.",
            leaf,
            expected,
            found
        ),
        Fault::Twice { subject } => {
            let (vi, en) = named(subject);
            Text::new(
                format!("Có hai mục cho cùng một nội dung: {vi}."),
                format!("Two leaves are about the same: {en}."),
            )
        }
        Fault::Added { subject } => {
            let (vi, en) =
                subject.parse().map_or_else(|_| (subject.clone(), subject.clone()), |subject| named(&subject));
            Text::new(
                format!("Có trong cơ sở dữ liệu nhưng không có trong nhật ký: {vi}."),
                format!("In the database, but not in the log: {en}."),
            )
        }
    }
}

/// What a leaf is about, in Vietnamese and English.
fn named(subject: &Subject) -> (String, String) {
    match subject {
        Subject::Report { machine, segment, number } => (
            format!("báo cáo số {number} (đoạn {segment}) của máy {machine}"),
            format!("report {number} (segment {segment}) of machine {machine}"),
        ),
        Subject::Fork { machine, hash } => (
            format!("báo cáo rẽ nhánh bị từ chối {hash} của máy {machine}"),
            format!("refused branch {hash} of machine {machine}"),
        ),
        Subject::Audit { number } => (format!("dòng {number} của nhật ký thao tác"), format!("audit entry {number}")),
        Subject::Figure { office, day, revision } => (
            format!("số liệu chốt ngày {day} (bản {revision}) của cơ quan {office}"),
            format!("frozen figure of {day} (revision {revision}) of office {office}"),
        ),
        Subject::Checkpoint { epoch, size } => (
            format!("mốc cuối của kỳ {epoch} ({size} mục)"),
            format!("last checkpoint of epoch {epoch} ({size} leaves)"),
        ),
    }
}
