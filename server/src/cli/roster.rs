//! `office roster`: which machines an office has, and its word that the list is complete.

use std::path::PathBuf;

use clap::{ArgMatches, Command, value_parser};

use super::desk::Desk;
use super::terminal::{Terminal, table};
use super::{Help, text};
use crate::act::roster::{NewLine, roster_add, roster_declare};
use crate::error::Told;
use crate::store::Scope;
use crate::store::machine::Role;

mod csv;

/// The largest roster file that is read.
const FILE_MOST: u64 = 4 * 1024 * 1024;

/// The words of `office roster`.
pub fn words(help: Help) -> Command {
    let count = |name, help_text| {
        help.option(name, help.t("SỐ", "COUNT"), help_text).value_parser(value_parser!(u32)).default_value("0")
    };
    Command::new("roster")
        .about(help.t("Danh mục máy tính của cơ quan", "The roster of an office"))
        .subcommand_required(true)
        .subcommand(
            Command::new("add")
                .about(help.t("Thêm một máy vào danh mục", "Put a machine on the roster"))
                .long_about(help.t(
                    "Thêm một máy vào danh mục. Máy đăng ký với đúng tên này và đúng loại sẽ tự khớp vào dòng và được xác nhận.",
                    "Puts a machine on the roster. A machine that enrols under this name and role finds its line and is confirmed.",
                ))
                .arg(help.office())
                .arg(help.place("label", help.t("TÊN-MÁY", "LABEL"), help.t("Tên máy hoặc số tài sản", "Name of the machine or its inventory number")))
                .arg(help.role())
                .arg(help.option("room", help.t("PHÒNG", "ROOM"), help.t("Nơi đặt máy", "Where it stands")))
                .arg(help.option("person", help.t("NGƯỜI", "PERSON"), help.t("Người sử dụng", "Who uses it"))),
        )
        .subcommand(
            Command::new("import")
                .about(help.t("Nhập danh mục từ tệp CSV", "Import a roster from a CSV file"))
                .long_about(help.t(
                    "Nhập danh mục từ tệp CSV (UTF-8, phân cách bằng dấu phẩy hoặc chấm phẩy). Dòng đầu là tên cột: label (tên máy), và tuỳ chọn \
                     room (phòng), person (người dùng), role (workstation hoặc server). Nhập tất cả hoặc không nhập dòng nào.",
                    "Imports a CSV file (UTF-8, separated by commas or semicolons). The first line names the columns: label, and if wanted \
                     room, person, role (workstation or server). Either every line is taken or none.",
                ))
                .arg(help.office())
                .arg(help.place("file", help.t("TỆP", "FILE"), help.t("Tệp CSV", "The CSV file")).value_parser(value_parser!(PathBuf))),
        )
        .subcommand(
            Command::new("declare")
                .about(help.t("Xác nhận danh mục đã đầy đủ; chưa xác nhận thì chưa xếp loại", "Declare the roster complete; before that there is no letter"))
                .arg(help.office())
                .arg(count("secret-machines", help.t(
                    "Số máy soạn thảo, lưu giữ bí mật nhà nước (chỉ ghi số lượng, nằm ngoài mọi phép tính)",
                    "How many machines for state secrets it has (only their count, outside every sum)",
                ))),
        )
        .subcommand(Command::new("list").about(help.t("Xem danh mục", "Show the roster")).arg(help.office()))
}

/// Does what was asked.
///
/// # Errors
/// There is no such office, the file cannot be used, or the database fails.
pub async fn perform(given: &ArgMatches, desk: &Desk, terminal: &Terminal) -> anyhow::Result<()> {
    let Some((verb, given)) = given.subcommand() else { anyhow::bail!("no command") };
    let office = text(given, "office");
    match verb {
        "add" => {
            let line = NewLine {
                label: text(given, "label"),
                room: text(given, "room"),
                person: text(given, "person"),
                role: text(given, "role").parse()?,
            };
            let added = roster_add(&desk.db, &desk.by(), &office, &[line]).await?;
            terminal.answer(&added[0], |terminal| {
                format!("{} {}", terminal.words("Đã thêm vào danh mục:", "Put on the roster:"), added[0].label)
            })
        }
        "import" => {
            let path = given.get_one::<PathBuf>("file").cloned().unwrap_or_default();
            let lines = lines_read(&path)?;
            let added = roster_add(&desk.db, &desk.by(), &office, &lines).await?;
            terminal.answer(&added, |terminal| {
                format!("{} {}", terminal.words("Số máy đã nhập:", "Machines imported:"), added.len())
            })
        }
        "declare" => {
            let secret_machines = given.get_one::<u32>("secret-machines").copied().unwrap_or(0);
            let roster = roster_declare(&desk.db, &desk.by(), &office, secret_machines).await?;
            terminal.answer(&roster, |terminal| {
                terminal.words("Đã xác nhận danh mục đầy đủ.", "The roster is declared complete.").to_owned()
            })
        }
        _ => list(&office, desk, terminal).await,
    }
}

fn lines_read(path: &std::path::Path) -> anyhow::Result<Vec<NewLine>> {
    let refused = |cause: anyhow::Error| {
        Told::new(
            format!("Không nhập được danh mục từ {}.", path.display()),
            format!("The roster cannot be imported from {}.", path.display()),
        )
        .because(cause)
    };
    let read = || {
        let size = std::fs::metadata(path)?.len();
        if size > FILE_MOST {
            anyhow::bail!("{size} bytes, allowed are {FILE_MOST}");
        }
        csv::roster_read(&String::from_utf8(std::fs::read(path)?)?)
    };
    Ok(read().map_err(refused)?)
}

async fn list(office: &str, desk: &Desk, terminal: &Terminal) -> anyhow::Result<()> {
    let mut tx = desk.db.read().await?;
    tx.office_require(&Scope::whole(), office).await?;
    let lines = tx.roster_line_list(&Scope::whole(), office).await?;
    drop(tx);
    terminal.answer(&lines, |terminal| {
        let heads = [
            terminal.words("Tên máy", "Label"),
            terminal.words("Loại", "Role"),
            terminal.words("Phòng", "Room"),
            terminal.words("Người dùng", "Person"),
            terminal.words("Tình trạng", "State"),
            terminal.words("Máy đã kết nối", "Machine"),
        ];
        let rows: Vec<Vec<String>> = lines
            .iter()
            .map(|line| {
                vec![
                    line.label.clone(),
                    role_text(line.role, terminal).to_owned(),
                    line.room.clone(),
                    line.person.clone(),
                    line.state.word().to_owned(),
                    line.machine.clone().unwrap_or_default(),
                ]
            })
            .collect();
        table(&heads, &rows)
    })
}

/// The role in the language of the terminal.
pub(super) fn role_text<'a>(role: Role, terminal: &Terminal) -> &'a str {
    match role {
        Role::Workstation => terminal.words("máy trạm", "workstation"),
        Role::Server => terminal.words("máy chủ", "server"),
    }
}
