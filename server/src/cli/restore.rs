//! `restore`: restores a server from a copy, on an empty machine.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command, value_parser};
use policies::text;
use policies::text::Language;

use super::Help;
use super::backup::{copy_moment, key, key_words, optional, verify};
use super::context::operator;
use super::terminal::Terminal;
use crate::backup::restore::{Restored, restore};
use crate::clock::Clock;

/// The command line of `restore`.
pub fn command(help: Help) -> Command {
    let copy = help
        .place("file", help.text("TỆP", "FILE"), help.text("Bản sao lưu", "The backup"))
        .value_parser(value_parser!(PathBuf));
    Command::new("restore")
        .about(help.text("Khôi phục máy chủ từ bản sao lưu vào thư mục dữ liệu trống", "Restore the server from a backup into an empty data folder"))
        .long_about(help.text(
            "Khôi phục máy chủ từ bản sao lưu vào thư mục dữ liệu mới hoặc trống (--data) và, với PostgreSQL, vào cơ sở dữ liệu trống. Toàn bộ bản sao \
             lưu được kiểm tra trước khi ghi. Chỉ khôi phục bản sao lưu do chính mình tạo.",
            "Restores the server from a backup into a new or empty data folder (--data) and, with PostgreSQL, into an empty database. The whole \
             backup is checked before anything is written. Restore only backups that you made yourself.",
        ))
        .arg(copy)
        .arg(help.flag("check", help.text("Chỉ kiểm tra, không ghi gì (như backup verify)", "Only check, write nothing (like backup verify)")))
        .arg(help.option("database", "URL", help.text(
            "Cơ sở dữ liệu PostgreSQL trống thay cho cơ sở dữ liệu ghi trong bản sao lưu",
            "An empty PostgreSQL database to use instead of the one named in the backup",
        )))
        .args(key_words(help))
}

/// Restores the server.
///
/// # Errors
/// The copy is not whole or cannot be opened, the folder or database is not empty, or something cannot be written.
pub async fn perform(given: &ArgMatches, data: &Path, terminal: &Terminal) -> anyhow::Result<()> {
    if given.get_flag("check") {
        return verify(given, terminal);
    }
    let path = given.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let database = optional(given, "database");
    let key = key(given, terminal)?;
    let done = restore(&path, &key, data, database.as_deref(), &operator(&Clock::System)).await?;
    let made_at = copy_moment(done.made_at)?;
    terminal.answer(&done, |terminal| done_text(&done, &made_at, terminal.language))
}

fn done_text(done: &Restored, made_at: &str, language: Language) -> String {
    let (data, fingerprint) = (done.data.display(), &done.fingerprint);
    let mut shown = language.own(text!(
            "Đã khôi phục máy chủ vào {data} từ bản sao lưu lúc {made_at}.\n\n\
             VIỆC CẦN LÀM:\n\
             - Không để máy chủ cũ chạy lại song song với máy chủ này.\n\
             - Chạy máy chủ ở đúng địa chỉ cũ: posture-server run --data {data}. Các máy tự tiếp tục; trang của từng máy ghi chỗ đứt đoạn.\n  \
               Dấu vân tay không đổi: {fingerprint}\n\
             - Làm lại những gì đã làm sau thời điểm sao lưu: thu hồi máy, thu hồi mã đăng ký, đóng tài khoản, đổi mật khẩu, danh mục, bộ tiêu chí. \
               Máy đăng ký sau thời điểm đó phải đăng ký lại.\n\
             - Sao lưu ngay một bản mới.",
            "The server was restored into {data} from the backup of {made_at}.\n\n\
             WHAT TO DO NEXT:\n\
             - Never let the old server run beside this one.\n\
             - Run the server at its old address: posture-server run --data {data}. The machines continue by themselves; the page of \
               each shows the break.\n  Its fingerprint is the same: {fingerprint}\n\
             - Repeat what was done after the backup: machines and tokens revoked, accounts closed, passwords changed, rosters, policies. \
               Machines that enrolled after it must enrol again.\n\
             - Make a new backup now."
    ));
    for path in &done.wanted {
        shown.push_str(&language.own(text!(
            "\n- Cấu hình còn dùng tệp không nằm trong bản sao lưu: {0}",
            "\n- The configuration uses a file that is not in the backup: {0}",
            path.display()
        )));
    }
    if let Some(broken) = &done.audit_broken {
        shown.push_str(&language.own(text!(
            "\n- CHÚ Ý: chuỗi nhật ký thao tác đã bị đứt từ trước khi sao lưu: {0}",
            "\n- WARNING: the chain of the audit log was already broken before the backup: {0}",
            broken
        )));
    }
    shown
}
