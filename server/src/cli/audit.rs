//! `audit verify`: checks every link of the chained log of changes.

use clap::Command;
use policies::text;
use serde::Serialize;

use super::Help;
use super::context::CommandContext;
use super::terminal::Terminal;
use crate::error::UserError;

/// The command line of `audit`.
pub fn command(help: Help) -> Command {
    Command::new("audit").about(help.text("Nhật ký thay đổi", "The audit log")).subcommand_required(true).subcommand(
        Command::new("verify").about(help.text(
            "Kiểm tra nhật ký có bị sửa, xoá hay chèn dòng nào không",
            "Check that no entry was changed, removed or inserted",
        )),
    )
}

#[derive(Debug, Serialize)]
struct Verified {
    entries: i64,
}

/// Checks the log.
///
/// # Errors
/// The chain is broken; the message says where.
pub async fn perform(context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let verified = context.db.read().await?.audit_verify().await?;
    let entries = verified.map_err(|broken| {
        UserError::new(
            "Nhật ký thay đổi KHÔNG còn nguyên vẹn. Hãy giữ nguyên hiện trạng và báo người phụ trách an ninh mạng.",
            "The audit log is NOT intact. Leave everything as it is and tell whoever is responsible for security.",
        )
        .because(broken)
    })?;
    terminal.answer(&Verified { entries }, |terminal| {
        terminal.own(text!("Nhật ký nguyên vẹn. Số dòng: {entries}", "The log is intact. Entries: {entries}"))
    })
}
