//! `restore`: restores a server from a copy, on an empty machine.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command, value_parser};
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
        .place("file", help.t("TỆP", "FILE"), help.t("Bản sao lưu", "The backup"))
        .value_parser(value_parser!(PathBuf));
    Command::new("restore")
        .about(help.t("Khôi phục máy chủ từ bản sao lưu vào thư mục dữ liệu trống", "Put the server back from a backup into an empty data folder"))
        .long_about(help.t(
            "Khôi phục máy chủ từ bản sao lưu vào thư mục dữ liệu mới hoặc trống (--data) và, với PostgreSQL, vào cơ sở dữ liệu trống. Toàn bộ bản sao \
             lưu được kiểm tra trước khi ghi. Chỉ khôi phục bản sao lưu do chính mình tạo.",
            "Puts the server back from a backup into a new or empty data folder (--data) and, with PostgreSQL, into an empty database. All of the \
             backup is checked before anything is written. Restore only backups of your own making.",
        ))
        .arg(copy)
        .arg(help.flag("check", help.t("Chỉ kiểm tra, không ghi gì (như backup verify)", "Only check it and write nothing (as backup verify does)")))
        .arg(help.option("database", "URL", help.t(
            "Cơ sở dữ liệu PostgreSQL trống thay cho cơ sở dữ liệu ghi trong bản sao lưu",
            "An empty PostgreSQL database instead of the one the backup names",
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
    let mut text = match language {
        Language::Vi => format!(
            "Đã khôi phục máy chủ vào {data} từ bản sao lưu lúc {made_at}.\n\n\
             VIỆC CẦN LÀM:\n\
             - Không để máy chủ cũ chạy lại song song với máy chủ này.\n\
             - Chạy máy chủ ở đúng địa chỉ cũ: posture-server run --data {data}. Các máy tự tiếp tục; trang của từng máy ghi chỗ đứt đoạn.\n  \
               Dấu vân tay không đổi: {fingerprint}\n\
             - Làm lại những gì đã làm sau thời điểm sao lưu: thu hồi máy, thu hồi mã đăng ký, đóng tài khoản, đổi mật khẩu, danh mục, bộ tiêu chí. \
               Máy đăng ký sau thời điểm đó phải đăng ký lại.\n\
             - Sao lưu ngay một bản mới."
        ),
        Language::En => format!(
            "The server is put back into {data} from the backup of {made_at}.\n\n\
             TO BE DONE:\n\
             - Never let the old server run beside this one.\n\
             - Run the server at the same address as before: posture-server run --data {data}. The machines go on by themselves; the page of \
               each shows the break.\n  Its fingerprint is the same: {fingerprint}\n\
             - Do again what was done after the backup: machines and tokens revoked, accounts closed, passwords changed, rosters, policies. \
               Machines that enrolled after it must enrol again.\n\
             - Make a new backup at once."
        ),
    };
    for path in &done.wanted {
        let words = match language {
            Language::Vi => "- Cấu hình còn dùng tệp không nằm trong bản sao lưu:",
            Language::En => "- The configuration names what is not in the backup:",
        };
        text.push_str(&format!("\n{words} {}", path.display()));
    }
    if let Some(broken) = &done.audit_broken {
        let words = match language {
            Language::Vi => "- CHÚ Ý: chuỗi nhật ký thao tác đã bị đứt từ trước khi sao lưu:",
            Language::En => "- WARNING: the chain of the audit log was broken before the backup:",
        };
        text.push_str(&format!("\n{words} {broken}"));
    }
    text
}
