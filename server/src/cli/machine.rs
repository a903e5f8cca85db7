//! `machine`: listing enrolled machines and deciding about them.

mod show;

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Command};
use jiff::tz::TimeZone;

use super::context::CommandContext;
use super::roster::role_text;
use super::terminal::{Terminal, moment};
use super::{Help, text};
use crate::act::machine::{
    machine_check, machine_confirm, machine_move, machine_revoke, machine_role, machine_settle, revoked,
};
use crate::store::Scope;
use crate::store::agent::AgentState;
use crate::store::machine::{ListedMachine, Machine, MachineStatus};

/// The columns of machines.
const HEADS: [(&str, &str); 5] =
    [("Mã", "Id"), ("Tên máy", "Name"), ("Loại", "Role"), ("Trạng thái", "Status"), ("Kết nối từ", "Enrolled")];

/// The command line of `machine`.
pub fn command(help: Help) -> Command {
    let machine = || {
        help.place(
            "machine",
            help.text("MÃ-MÁY", "MACHINE"),
            help.text("Mã của máy (xem: machine list)", "Id of the machine (see: machine list)"),
        )
    };
    Command::new("machine")
        .about(help.text(
            "Máy đã kết nối: liệt kê, xem, xác nhận, thu hồi, yêu cầu kiểm tra, đổi loại, chuyển cơ quan",
            "Enrolled machines: list, show, confirm, revoke, request a check, change the role, move",
        ))
        .subcommand_required(true)
        .subcommand(
            Command::new("list")
                .about(help.text("Liệt kê máy của một cơ quan", "List an office's machines"))
                .arg(help.office()),
        )
        .subcommand(
            Command::new("show")
                .about(help.text(
                    "Xem một máy: liên lạc gần nhất, sự kiện của phần mềm trên máy. Lượt xem được ghi vào nhật ký",
                    "Show a machine: last contact, events of its agent. The look is entered in the audit log",
                ))
                .arg(machine()),
        )
        .subcommand(
            Command::new("confirm")
                .about(
                    help.text(
                        "Xác nhận máy đang chờ, để máy được tính điểm",
                        "Confirm a pending machine, so that it is graded",
                    ),
                )
                .arg(machine()),
        )
        .subcommand(
            Command::new("revoke")
                .about(help.text(
                    "Thu hồi quyền kết nối của máy; số liệu đã gửi vẫn giữ nguyên",
                    "Revoke a machine's access; the data it sent is kept",
                ))
                .arg(machine())
                .arg(
                    help.option("reason", help.text("LÝ DO", "REASON"), help.text("Ghi vào nhật ký", "Reason for the audit log"))
                        .required(true),
                ),
        )
        .subcommand(
            Command::new("check-now")
                .about(help.text("Yêu cầu máy kiểm tra lại ngay", "Ask a machine to run a check now"))
                .arg(machine()),
        )
        .subcommand(
            Command::new("role")
                .about(help.text("Đổi loại máy: máy trạm hoặc máy chủ", "Change a machine's role: workstation or server"))
                .long_about(help.text(
                    "Đổi loại máy, cả trong danh mục. Máy được đánh giá lại ngay theo các tiêu chí của loại mới; các ngoại lệ của máy kết thúc, nếu còn cần \
                     thì đề nghị lại.",
                    "Changes a machine's role, also on the roster. It is judged immediately by the controls of the new role; its waivers end, so \
                     request those that are still needed again.",
                ))
                .arg(machine())
                .arg(
                    help.place("role", help.text("LOẠI", "ROLE"), help.text("workstation (máy trạm) hoặc server (máy chủ)", "workstation or server"))
                        .value_parser(PossibleValuesParser::new(["workstation", "server"])),
                ),
        )
        .subcommand(
            Command::new("move")
                .about(help.text("Chuyển máy sang cơ quan khác", "Move a machine to another office"))
                .long_about(help.text(
                    "Chuyển máy sang cơ quan khác; từ đó máy được tính cho cơ quan mới. Dòng của máy trong danh mục cũ vẫn còn và được tính là chưa có số liệu \
                     cho đến khi bỏ (office roster remove); trong danh mục mới, hãy thêm và ghép (office roster add, office roster link). Các ngoại lệ của \
                     máy kết thúc.",
                    "Moves a machine to another office, which it counts for from now on. Its line on the old roster stays and counts as not reporting \
                     until it is removed (office roster remove); add and link it on the new roster (office roster add, office roster link). Its \
                     waivers end.",
                ))
                .arg(machine())
                .arg(help.office()),
        )
        .subcommand(
            Command::new("settle")
                .about(help.text(
                    "Quyết định máy nào giữ khoá khi hai máy dùng chung một khoá",
                    "Decide which machine keeps the key when two have the same one",
                ))
                .long_about(help.text(
                    "Quyết định khi hai máy dùng chung một khoá (thường do sao chép ổ đĩa). Trước hết, trên máy phải đăng ký lại: dừng phần mềm, xoá thư mục \
                     trạng thái của phần mềm (trên Windows: posture-agent uninstall), rồi đăng ký bằng mã mới. Sau đó chạy lệnh này: báo cáo kế tiếp bằng khoá \
                     cũ được tính trở lại. Muốn cả hai máy đăng ký lại: machine revoke.",
                    "Decides what to do when two machines have the same key (usually a copied disk). First, on the machine that should enrol again: \
                     stop the agent, delete its state folder (on Windows: posture-agent uninstall), and enrol with a new token. Then run this \
                     command: the next report with the old key counts again. To make both enrol again: machine revoke.",
                ))
                .arg(machine()),
        )
}

/// Lists machines or decides about one.
///
/// # Errors
/// There is no such office or machine, or the database fails.
pub async fn perform(
    verb: &str,
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    if verb == "list" {
        return list(&text(given, "office"), context, terminal).await;
    }
    let id = text(given, "machine");
    if verb == "show" {
        return show::machine_show(&id, context, terminal).await;
    }
    let (machine, vi, en) = match verb {
        "confirm" => (machine_confirm(&context.db, &context.by(), &id).await?, "Đã xác nhận", "Confirmed"),
        "revoke" => {
            let machine = machine_revoke(&context.db, &context.by(), &id, &text(given, "reason")).await?;
            (machine, "Đã thu hồi", "Revoked")
        }
        "role" => {
            let role = text(given, "role").parse()?;
            (machine_role(&context.db, &context.by(), &id, role).await?, "Đã đổi loại máy", "The role is changed:")
        }
        "move" => {
            let office = text(given, "office");
            (machine_move(&context.db, &context.by(), &id, &office).await?, "Đã chuyển", "Moved")
        }
        "settle" => (
            machine_settle(&context.db, &context.by(), &id).await?,
            "Báo cáo kế tiếp được tính trở lại:",
            "The next report counts again:",
        ),
        _ => {
            (machine_check(&context.db, &context.by(), &id).await?, "Đã gửi yêu cầu kiểm tra tới", "Asked for a check:")
        }
    };
    if verb != "revoke" && machine.status == MachineStatus::Revoked {
        anyhow::bail!(revoked(&id));
    }
    terminal.answer(&machine, |terminal| {
        format!("{} {} ({})", terminal.text(vi, en), super::terminal::visible(&machine.name), machine.id)
    })
}

async fn list(office: &str, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let mut tx = context.db.read().await?;
    tx.office_require(&Scope::whole(), office).await?;
    let machines = tx.machine_list(&Scope::whole(), office).await?;
    drop(tx);
    terminal.answer(&machines, |terminal| {
        let heads = [&HEADS[..], &[("Phần mềm", "Agent"), ("Liên lạc gần nhất", "Last contact")]].concat();
        let listed = |ListedMachine { machine, agent, contact }: &ListedMachine| {
            let mut row = row(machine, &context.zone, terminal);
            row.push(agent.as_ref().map_or_else(String::new, |agent| agent_text(agent, terminal)));
            let contact = contact.called_at.max(contact.imported_at);
            row.push(contact.map_or_else(String::new, |at| moment(at, &context.zone)));
            row
        };
        terminal.table(&heads, machines.iter().map(listed))
    })
}

/// Machines in columns.
pub(super) fn machines_table(machines: &[Machine], zone: &TimeZone, terminal: &Terminal) -> String {
    terminal.table(&HEADS, machines.iter().map(|machine| row(machine, zone, terminal)))
}

fn row(machine: &Machine, zone: &TimeZone, terminal: &Terminal) -> Vec<String> {
    let status = match machine.status {
        MachineStatus::Pending => terminal.text("chờ xác nhận", "pending"),
        MachineStatus::Confirmed => terminal.text("đã xác nhận", "confirmed"),
        MachineStatus::Revoked => terminal.text("đã thu hồi", "revoked"),
    };
    vec![
        machine.id.clone(),
        machine.name.clone(),
        role_text(machine.role, terminal).to_owned(),
        status.to_owned(),
        moment(machine.enrolled_at, zone),
    ]
}

/// The version of an agent, and that it must be replaced.
fn agent_text(agent: &AgentState, terminal: &Terminal) -> String {
    let version = if agent.version.is_empty() { terminal.text("bản cũ", "old") } else { &agent.version };
    let need = if agent.too_old { terminal.text(" (cần cài bản mới)", " (needs the new one)") } else { "" };
    format!("{version}{need}")
}
