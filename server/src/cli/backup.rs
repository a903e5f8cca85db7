//! `backup`: making a copy of the server in one file, made while it runs; and `backup verify`, which checks one.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use policies::text;

use super::context::operator;
use super::terminal::{Terminal, moment, secret_ask};
use super::{Help, text};
use crate::backup::make::{Made, Wanted, backup_make};
use crate::backup::restore;
use crate::backup::seal::{Key, Lock, identities_read, passphrase, passphrase_read, recipient_read};
use crate::clock::Clock;
use crate::config::Pages;
use crate::error::UserError;

/// The command line of `backup`.
pub fn command(help: Help) -> Command {
    let copy = help
        .place("file", help.text("TỆP", "FILE"), help.text("Bản sao lưu", "The backup"))
        .value_parser(value_parser!(PathBuf));
    let folder = help
        .place(
            "folder",
            help.text("THƯ-MỤC", "FOLDER"),
            help.text(
                "Thư mục đặt bản sao lưu, nằm ngoài thư mục dữ liệu",
                "Folder for the backup, outside the data folder",
            ),
        )
        .value_parser(value_parser!(PathBuf));
    Command::new("backup")
        .about(help.text("Sao lưu máy chủ vào một tệp, kể cả khi máy chủ đang chạy; kiểm tra bản sao lưu", "Back up the server to one file, even while it runs; check a backup"))
        .long_about(help.text(
            "Sao lưu máy chủ vào một tệp mới, kể cả khi máy chủ đang chạy: cơ sở dữ liệu, khoá, cấu hình, chương trình cho các máy. Tệp chứa các \
             khoá của máy chủ: nên mã hoá (--recipient hoặc --passphrase-file) và cất trong tủ khoá kín. Thư mục offline không nằm trong bản sao lưu. Với \
             PostgreSQL cần chương trình pg_dump.",
            "Backs up the server to a new file, even while it runs: database, keys, configuration, agent programs. The file contains the server's \
             keys: encrypt it (--recipient or --passphrase-file) and lock it away. The folder offline is not included. PostgreSQL needs the program \
             pg_dump.",
        ))
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .arg(folder)
        .arg(
            help.option("recipient", "age1...", help.text("Mã hoá cho khoá công khai này của age (nêu nhiều lần được)", "Encrypt to this age recipient (may be repeated)"))
                .action(ArgAction::Append)
                .conflicts_with_all(["passphrase", "passphrase-file"]),
        )
        .args(passphrase_words(help))
        .arg(
            help.option("keep", help.text("SỐ", "COUNT"), help.text(
                "Chỉ giữ lại số bản mới nhất này của máy chủ trong thư mục, xoá các bản cũ hơn",
                "Keep only this many of this server's newest backups in the folder and delete older ones",
            ))
            .value_parser(value_parser!(u16).range(1..)),
        )
        .subcommand(
            Command::new("verify")
                .about(help.text("Kiểm tra một bản sao lưu từ đầu đến cuối, không ghi gì", "Check a whole backup without writing anything"))
                .arg(copy)
                .args(key_words(help)),
        )
}

fn passphrase_words(help: Help) -> [Arg; 2] {
    [
        help.flag(
            "passphrase",
            help.text("Hỏi mật khẩu tại màn hình dòng lệnh", "Ask for the passphrase at the terminal"),
        )
        .conflicts_with("passphrase-file"),
        help.file(
            "passphrase-file",
            help.text(
                "Tệp có mật khẩu ở dòng đầu (chỉ chủ tệp đọc được)",
                "File with the passphrase on its first line (readable only by its owner)",
            ),
        ),
    ]
}

/// The options that say what opens a copy.
pub(super) fn key_words(help: Help) -> Vec<Arg> {
    let identity = help.file("identity", help.text("Tệp khoá của age (age-keygen)", "age identity file (age-keygen)"));
    passphrase_words(help).into_iter().chain([identity]).collect()
}

/// Makes or checks a copy.
///
/// # Errors
/// The copy cannot be made, or the one that is checked is not whole.
pub async fn perform(given: &ArgMatches, data: &Path, terminal: &Terminal) -> anyhow::Result<()> {
    if let Some(("verify", given)) = given.subcommand() {
        return verify(given, terminal);
    }
    let wanted = Wanted {
        folder: given.get_one::<PathBuf>("folder").cloned().unwrap_or_default(),
        lock: lock(given, terminal)?,
        keep: given.get_one::<u16>("keep").map(|keep| usize::from(*keep)),
    };
    if !wanted.lock.is_sealed() {
        terminal.complain(terminal.text(
            "CHÚ Ý: bản sao lưu không mã hoá chứa các khoá của máy chủ. Ai có tệp này có thể giả làm máy chủ. Hãy cất tệp trong tủ khoá kín, hoặc \
             mã hoá bằng --recipient hay --passphrase-file.",
            "WARNING: a backup that is not encrypted holds the server's keys. Whoever has the file can pass for the server. Lock it away, or encrypt it \
             with --recipient or --passphrase-file.",
        ));
    }
    let made = backup_make(data, &wanted, &operator(&Clock::System)).await?;
    terminal.answer(&made, |terminal| made_text(&made, terminal))
}

fn lock(given: &ArgMatches, terminal: &Terminal) -> anyhow::Result<Lock> {
    let recipients: Vec<_> = given
        .get_many::<String>("recipient")
        .unwrap_or_default()
        .map(|text| recipient_read(text))
        .collect::<Result<_, _>>()?;
    if !recipients.is_empty() {
        return Ok(Lock::Recipients(recipients));
    }
    if let Some(path) = given.get_one::<PathBuf>("passphrase-file") {
        return Ok(Lock::Passphrase(passphrase_read(path)?));
    }
    if !given.get_flag("passphrase") {
        return Ok(Lock::Open);
    }
    let first = secret_ask(terminal.text("Mật khẩu của bản sao lưu: ", "Passphrase of the backup: "))?;
    let again = secret_ask(terminal.text("Gõ lại: ", "Again: "))?;
    if first != again {
        return Err(UserError::new(
            "Hai lần gõ mật khẩu không giống nhau, chưa sao lưu. Hãy chạy lại lệnh.",
            "The two passphrases differ; nothing was backed up. Run the command again.",
        )
        .into());
    }
    Ok(Lock::Passphrase(passphrase(&first)?))
}

/// What opens a copy, as the options say.
///
/// # Errors
/// A file cannot be read, or there is no terminal to ask on.
pub(super) fn key(given: &ArgMatches, terminal: &Terminal) -> anyhow::Result<Key> {
    let passphrase = match given.get_one::<PathBuf>("passphrase-file") {
        Some(path) => Some(passphrase_read(path)?),
        None if given.get_flag("passphrase") => {
            Some(passphrase(&secret_ask(terminal.text("Mật khẩu của bản sao lưu: ", "Passphrase of the backup: "))?)?)
        }
        None => None,
    };
    let identities =
        given.get_one::<PathBuf>("identity").map(|path| identities_read(path)).transpose()?.unwrap_or_default();
    Ok(Key { passphrase, identities })
}

/// The time of a copy for people, in Vietnam's time zone: the copy's own configuration is not opened for it.
///
/// # Errors
/// The system knows no time zones.
pub(super) fn copy_moment(made_at: i64) -> anyhow::Result<String> {
    Ok(moment(made_at, &Pages::default().zone()?))
}

/// Checks a copy and says what it holds.
///
/// # Errors
/// It is not whole, or cannot be opened.
pub(super) fn verify(given: &ArgMatches, terminal: &Terminal) -> anyhow::Result<()> {
    let path = given.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let manifest = restore::check(&path, &key(given, terminal)?)?;
    let made_at = copy_moment(manifest.made_at)?;
    terminal.answer(&manifest, |terminal| {
        let (files, size) = (manifest.files.len(), manifest.size());
        terminal.own(text!(
            "Bản sao lưu nguyên vẹn: máy chủ {}, lúc {made_at}, {files} tệp, {size} byte, nhật ký đến mục {}.",
            "The backup is complete: server {}, made at {made_at}, {files} files, {size} bytes, audit log up to entry {}.",
            manifest.server,
            manifest.audit.number
        ))
    })
}

fn made_text(made: &Made, terminal: &Terminal) -> String {
    let (file, size) = (made.file.display(), made.size);
    let mut shown = terminal.own(text!("Đã sao lưu vào {file} ({size} byte)", "Backed up to {file} ({size} bytes)"));
    for path in &made.left_out {
        shown.push_str(&terminal.own(text!(
            "\nKhông nằm trong bản sao lưu: {0}",
            "\nNot in the backup: {0}",
            path.display()
        )));
    }
    for name in &made.removed {
        shown.push_str(&terminal.own(text!("\nĐã xoá bản cũ: {name}", "\nRemoved the old backup: {name}")));
    }
    shown
}

/// The text of an option that may be omitted.
pub(super) fn optional(given: &ArgMatches, name: &str) -> Option<String> {
    Some(text(given, name)).filter(|text| !text.is_empty())
}
