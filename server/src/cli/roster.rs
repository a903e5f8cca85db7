//! `office roster`: which machines an office has, and the declaration that the list is complete.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Command, value_parser};

use policies::text;

use super::context::CommandContext;
use super::terminal::Terminal;
use super::{Help, text};
use crate::act::roster::link::{roster_link, roster_unlink};
use crate::act::roster::state::roster_state;
use crate::act::roster::{Imported, NewLine, roster_add, roster_declare, roster_import, roster_remove};
use crate::error::UserError;
use crate::store::machine::Role;
use crate::store::roster::{RosterLine, RosterState};

mod csv;
mod list;

/// The largest roster file accepted, in bytes.
const FILE_MOST: u64 = 4 * 1024 * 1024;

/// The command line of `office roster`.
pub fn command(help: Help) -> Command {
    let count = |name, help_text| {
        help.option(name, help.text("SỐ", "COUNT"), help_text).value_parser(value_parser!(u32)).default_value("0")
    };
    Command::new("roster")
        .about(help.text("Danh mục máy tính của cơ quan", "The roster of an office"))
        .subcommand_required(true)
        .subcommand(
            Command::new("add")
                .about(help.text("Thêm một máy vào danh mục", "Add a machine to the roster"))
                .long_about(help.text(
                    "Thêm một máy vào danh mục. Máy đăng ký với đúng tên này và đúng loại sẽ tự khớp vào dòng và được xác nhận.",
                    "Adds a machine to the roster. A machine that enrols with this name and role is matched to its line and confirmed.",
                ))
                .arg(help.office())
                .arg(help.place("label", help.text("TÊN-MÁY", "LABEL"), help.text("Tên máy hoặc số tài sản", "Machine name or inventory number")))
                .arg(help.role())
                .arg(help.option("room", help.text("PHÒNG", "ROOM"), help.text("Nơi đặt máy", "Location")))
                .arg(help.option("person", help.text("NGƯỜI", "PERSON"), help.text("Người sử dụng", "User")))
                .arg(help.option("serial", help.text("SỐ", "SERIAL"), help.text(
                    "Số sê-ri; máy đã kết nối mang đúng số này được ghép ngay vào dòng",
                    "Serial number; an enrolled machine with this number is linked immediately",
                )))
                .arg(help.option("mac", "MAC", help.text("Địa chỉ MAC", "MAC address"))),
        )
        .subcommand(
            Command::new("import")
                .about(help.text("Nhập danh mục từ tệp CSV", "Import a roster from a CSV file"))
                .long_about(help.text(
                    "Nhập danh mục từ tệp CSV (UTF-8, phân cách bằng dấu phẩy hoặc chấm phẩy). Dòng đầu là tên cột: label (tên máy), và tuỳ chọn \
                     room (phòng), person (người dùng), role (workstation hoặc server), serial (số sê-ri), mac (địa chỉ MAC). Nhập tất cả hoặc không \
                     nhập dòng nào; dòng giống hệt dòng đã có trong danh mục được bỏ qua; dòng cùng tên nhưng khác nội dung bị từ chối.",
                    "Imports a CSV file (UTF-8, separated by commas or semicolons). The first line names the columns: label and, optionally, room, \
                     person, role (workstation or server), serial, mac. Either all lines are imported or none. A line identical to one on the roster \
                     is skipped; one with the same name but different content is refused.",
                ))
                .arg(help.office())
                .arg(help.place("file", help.text("TỆP", "FILE"), help.text("Tệp CSV", "The CSV file")).value_parser(value_parser!(PathBuf))),
        )
        .subcommand(
            Command::new("declare")
                .about(help.text("Xác nhận danh mục đã đầy đủ; chưa xác nhận thì chưa xếp loại", "Declare that the roster is complete; until then there is no letter"))
                .arg(help.office())
                .arg(count("secret-machines", help.text(
                    "Số máy soạn thảo, lưu giữ bí mật nhà nước (chỉ ghi số lượng, nằm ngoài mọi phép tính)",
                    "Number of machines for state secrets (only recorded, not part of any calculation)",
                ))),
        )
        .subcommand(
            Command::new("link")
                .about(help.text("Ghép một máy đã kết nối với dòng của nó, để máy được tính một lần", "Link an enrolled machine to its roster line, so that it counts once"))
                .long_about(help.text(
                    "Ghép một máy đã kết nối với dòng của nó trong danh mục, để máy được tính một lần; máy đang chờ xác nhận thì được xác nhận luôn khi ghép. \
                     Lệnh office roster list nêu các cặp nên ghép.",
                    "Links an enrolled machine to its roster line, so that it counts once; this also confirms a pending machine. The command office \
                     roster list proposes pairs.",
                ))
                .arg(help.office())
                .arg(line(help))
                .arg(help.place("machine", help.text("MÃ-MÁY", "MACHINE"), help.text("Mã của máy (xem: machine list)", "Id of the machine (see: machine list)")))
                .arg(help.flag("replace", help.text(
                    "Máy được cài lại: thay máy đang ghép với dòng này và thu hồi máy đó",
                    "For a reinstalled computer: replace the machine now linked to the line and revoke it",
                ))),
        )
        .subcommand(
            Command::new("unlink")
                .about(help.text("Tách máy khỏi dòng đã ghép nhầm", "Unlink a machine from a line it was wrongly linked to"))
                .arg(help.office())
                .arg(line(help)),
        )
        .subcommand(
            Command::new("state")
                .about(help.text("Ghi máy tạm ngừng sử dụng đến một ngày, hoặc sử dụng trở lại", "Mark a machine as out of use until a day, or in use again"))
                .long_about(help.text(
                    "Ghi máy tạm ngừng sử dụng (on_leave người dùng nghỉ phép, in_repair đang sửa chữa, in_store đang cất kho, awaiting_disposal chờ \
                     thanh lý) đến hết ngày nêu ở --until, hoặc sử dụng trở lại (in_use). Máy tạm ngừng không tính vào điểm; thời hạn theo bộ tiêu chí \
                     (60 ngày kể từ ngày đầu). Máy gửi báo cáo thì được tính lại ngay.",
                    "Marks a machine as out of use (on_leave: its user is on leave, in_repair, in_store, awaiting_disposal) until the end of the day \
                     given with --until, or in use again (in_use). A machine out of use does not count, for as long as the policy allows (60 days \
                     from the first). As soon as it reports, it counts again.",
                ))
                .arg(help.office())
                .arg(line(help))
                .arg(
                    help.place("state", help.text("TRẠNG-THÁI", "STATE"), help.text("Trạng thái của máy", "State of the machine"))
                        .value_parser(PossibleValuesParser::new(RosterState::ALL.iter().map(|state| state.word()))),
                )
                .arg(help.option("until", help.text("NGÀY", "DATE"), help.text(
                    "Ngày cuối tạm ngừng sử dụng, ví dụ: 2026-12-31",
                    "Last day out of use, such as 2026-12-31",
                ))),
        )
        .subcommand(
            Command::new("remove")
                .about(help.text("Bỏ một dòng khỏi danh mục; máy đã kết nối vẫn được tính", "Remove a line from the roster; an enrolled machine still counts"))
                .arg(help.office())
                .arg(line(help)),
        )
        .subcommand(
            Command::new("list")
                .about(help.text("Xem danh mục và các cặp nên ghép", "Show the roster and the pairs that should be linked"))
                .arg(help.office()),
        )
}

fn line(help: Help) -> clap::Arg {
    help.place(
        "line",
        help.text("DÒNG", "LINE"),
        help.text("Tên máy trong danh mục, hoặc mã của dòng", "Machine name on the roster, or id of the line"),
    )
}

/// Runs a roster subcommand.
///
/// # Errors
/// There is no such office, line or machine, a rule forbids it, the file cannot be used, or the database fails.
pub async fn perform(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let Some((verb, given)) = given.subcommand() else { anyhow::bail!("no command") };
    let office = text(given, "office");
    let (db, by) = (&context.db, context.by());
    match verb {
        "add" => {
            let line = NewLine {
                label: text(given, "label"),
                room: text(given, "room"),
                person: text(given, "person"),
                role: text(given, "role").parse()?,
                serial: text(given, "serial"),
                mac: text(given, "mac"),
            };
            let added = roster_add(db, &by, &office, &[line]).await?;
            answer(&added[0], "Đã thêm vào danh mục:", "Put on the roster:", terminal)?;
            list::proposals_tell(&office, context, terminal).await
        }
        "import" => {
            let path = given.get_one::<PathBuf>("file").cloned().unwrap_or_default();
            let lines = lines_read(&path)?;
            let imported = roster_import(db, &by, &office, &lines).await?;
            terminal.answer(&imported.added, |terminal| imported_text(&imported, terminal))?;
            list::proposals_tell(&office, context, terminal).await
        }
        "declare" => {
            let secret_machines = given.get_one::<u32>("secret-machines").copied().unwrap_or(0);
            let roster = roster_declare(db, &by, &office, secret_machines).await?;
            terminal.answer(&roster, |terminal| {
                terminal.text("Đã xác nhận danh mục đầy đủ.", "The roster is declared complete.").to_owned()
            })?;
            list::proposals_tell(&office, context, terminal).await
        }
        "link" => {
            let (machine, replace) = (text(given, "machine"), given.get_flag("replace"));
            let linked = roster_link(db, &by, &office, &text(given, "line"), &machine, replace).await?;
            answer(&linked, "Đã ghép:", "Linked:", terminal)
        }
        "unlink" => {
            let line = roster_unlink(db, &by, &office, &text(given, "line")).await?;
            answer(&line, "Đã tách:", "Unlinked:", terminal)
        }
        "state" => {
            let until_at = given.get_one::<String>("until").map(|day| context.day_end(day)).transpose()?;
            let policies = context.policies().await?;
            let (line, state) = (text(given, "line"), text(given, "state").parse()?);
            let line = roster_state(db, &by, policies.judge().as_deref(), (&office, &line), state, until_at).await?;
            terminal.answer(&line, |terminal| {
                let state = list::state_text(&line, terminal, &context.zone);
                format!("{}: {state}", super::terminal::visible(&line.label))
            })
        }
        "remove" => {
            let line = roster_remove(db, &by, &office, &text(given, "line")).await?;
            answer(&line, "Đã bỏ khỏi danh mục:", "Taken off the roster:", terminal)
        }
        _ => list::perform(&office, context, terminal).await,
    }
}

fn answer(line: &RosterLine, vi: &str, en: &str, terminal: &Terminal) -> anyhow::Result<()> {
    terminal.answer(line, |terminal| {
        let machine = line.machine.as_ref();
        let machine =
            machine.map_or_else(String::new, |machine| terminal.own(text!(" (máy {0})", " (machine {0})", machine)));
        format!("{} {}{machine}", terminal.text(vi, en), super::terminal::visible(&line.label))
    })
}

fn imported_text(imported: &Imported, terminal: &Terminal) -> String {
    let linked = imported.added.iter().filter(|line| line.machine.is_some()).count();
    let mut shown = terminal.own(text!("Số máy đã nhập: {0}", "Machines imported: {0}", imported.added.len()));
    for (count, vi, en) in [
        (linked, "đã ghép theo số sê-ri", "linked by serial number"),
        (imported.known, "đã có sẵn trong danh mục", "on the roster already"),
        (imported.completed, "được bổ sung số sê-ri, địa chỉ MAC", "completed by serial number or MAC address"),
    ] {
        if count > 0 {
            shown.push_str(&format!("; {}: {count}", terminal.text(vi, en)));
        }
    }
    shown
}

fn lines_read(path: &std::path::Path) -> anyhow::Result<Vec<NewLine>> {
    let refused = |cause: anyhow::Error| {
        UserError::from(text!(
            "Không nhập được danh mục từ {}.",
            "The roster cannot be imported from {}.",
            path.display()
        ))
        .because(cause)
    };
    let read = || {
        let size = std::fs::metadata(path).map_err(unread)?.len();
        if size > FILE_MOST {
            return Err(UserError::from(text!(
                "Tệp có {size} byte, nhiều nhất là {FILE_MOST}.",
                "The file has {size} bytes; at most {FILE_MOST} are allowed."
            ))
            .into());
        }
        let text = String::from_utf8(std::fs::read(path).map_err(unread)?).map_err(|_| {
            UserError::new(
                "Tệp không ở dạng UTF-8. Trong phần mềm bảng tính, hãy lưu lại ở dạng \"CSV UTF-8\".",
                "The file is not in UTF-8. Save it as \"CSV UTF-8\" in the spreadsheet program.",
            )
        })?;
        csv::roster_read(&text)
    };
    Ok(read().map_err(refused)?)
}

/// The error for a file that cannot be read.
fn unread(cause: std::io::Error) -> anyhow::Error {
    let told = if cause.kind() == std::io::ErrorKind::NotFound {
        UserError::new("Không tìm thấy tệp. Hãy kiểm tra đường dẫn.", "There is no such file. Check the path.")
    } else {
        UserError::new("Không đọc được tệp.", "The file cannot be read.").because(cause)
    };
    told.into()
}

/// The role in the language of the terminal.
pub(super) fn role_text<'a>(role: Role, terminal: &Terminal) -> &'a str {
    match role {
        Role::Workstation => terminal.text("máy trạm", "workstation"),
        Role::Server => terminal.text("máy chủ", "server"),
    }
}
