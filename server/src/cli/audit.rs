//! `audit verify`: checks every link of the chained log of changes.

use clap::Command;
use serde::Serialize;

use super::Help;
use super::context::CommandContext;
use super::terminal::Terminal;
use crate::error::UserError;

/// The command line of `audit`.
pub fn command(help: Help) -> Command {
    Command::new("audit").about(help.t("Nhật ký thay đổi", "The log of changes")).subcommand_required(true).subcommand(
        Command::new("verify").about(help.t(
            "Kiểm tra nhật ký có bị sửa, xoá hay chèn dòng nào không",
            "Check that no entry was changed, removed or slipped in",
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
            "The log of changes is NOT whole. Leave everything as it is and tell whoever is responsible for security.",
        )
        .because(broken)
    })?;
    terminal.answer(&Verified { entries }, |terminal| {
        format!("{} {entries}", terminal.choose("Nhật ký nguyên vẹn. Số dòng:", "The log is whole. Entries:"))
    })
}
