//! `audit verify`: the older name of `verify audit`.

use clap::Command;

use super::Help;

/// The command line of `audit`.
pub fn command(help: Help) -> Command {
    Command::new("audit").about(help.text("Nhật ký thao tác", "The audit log")).subcommand_required(true).subcommand(
        Command::new("verify").about(help.text(
            "Kiểm tra nhật ký có bị sửa, xoá hay chèn dòng nào không (như verify audit)",
            "Check that no entry was changed, removed or inserted (the same as verify audit)",
        )),
    )
}
