//! `machine`: the machines that enrolled, and deciding about them.

use clap::{ArgMatches, Command};
use jiff::tz::TimeZone;

use super::desk::Desk;
use super::roster::role_text;
use super::terminal::{Terminal, moment, table};
use super::{Help, text};
use crate::act::machine::{machine_check, machine_confirm, machine_revoke};
use crate::store::Scope;
use crate::store::judgement::AgentState;
use crate::store::machine::{ListedMachine, Machine, MachineStatus};

/// The words of `machine`.
pub fn words(help: Help) -> Command {
    let machine = || {
        help.place(
            "machine",
            help.t("MÃ-MÁY", "MACHINE"),
            help.t("Mã của máy (xem: machine list)", "Id of the machine (see: machine list)"),
        )
    };
    Command::new("machine")
        .about(help.t(
            "Máy đã kết nối: liệt kê, xác nhận, thu hồi, yêu cầu kiểm tra",
            "Enrolled machines: list, confirm, revoke, ask for a check",
        ))
        .subcommand_required(true)
        .subcommand(
            Command::new("list")
                .about(help.t("Liệt kê máy của một cơ quan", "List an office's machines"))
                .arg(help.office()),
        )
        .subcommand(
            Command::new("confirm")
                .about(
                    help.t(
                        "Xác nhận máy đang chờ, để máy được tính điểm",
                        "Confirm a pending machine, so that it counts",
                    ),
                )
                .arg(machine()),
        )
        .subcommand(
            Command::new("revoke")
                .about(help.t(
                    "Thu hồi quyền kết nối của máy; số liệu đã gửi vẫn giữ nguyên",
                    "Revoke a machine; what it sent stays",
                ))
                .arg(machine())
                .arg(
                    help.option("reason", help.t("LÝ DO", "REASON"), help.t("Ghi vào nhật ký", "For the log"))
                        .required(true),
                ),
        )
        .subcommand(
            Command::new("check-now")
                .about(help.t("Yêu cầu máy kiểm tra lại ngay", "Ask a machine to check itself now"))
                .arg(machine()),
        )
}

/// Does what was asked.
///
/// # Errors
/// There is no such office or machine, or the database fails.
pub async fn perform(verb: &str, given: &ArgMatches, desk: &Desk, terminal: &Terminal) -> anyhow::Result<()> {
    if verb == "list" {
        return list(&text(given, "office"), desk, terminal).await;
    }
    let id = text(given, "machine");
    let (machine, vi, en) = match verb {
        "confirm" => (machine_confirm(&desk.db, &desk.by(), &id).await?, "Đã xác nhận", "Confirmed"),
        "revoke" => {
            let machine = machine_revoke(&desk.db, &desk.by(), &id, &text(given, "reason")).await?;
            (machine, "Đã thu hồi", "Revoked")
        }
        _ => (machine_check(&desk.db, &desk.by(), &id).await?, "Đã gửi yêu cầu kiểm tra tới", "Asked for a check:"),
    };
    if verb != "revoke" && machine.status == MachineStatus::Revoked {
        anyhow::bail!(crate::error::Told::new(
            format!("Máy {id} đã bị thu hồi; máy phải đăng ký lại bằng mã đăng ký máy mới."),
            format!("The machine {id} is revoked; it must enrol again with a new token."),
        ));
    }
    terminal.answer(&machine, |terminal| {
        format!("{} {} ({})", terminal.words(vi, en), super::terminal::visible(&machine.name), machine.id)
    })
}

async fn list(office: &str, desk: &Desk, terminal: &Terminal) -> anyhow::Result<()> {
    let mut tx = desk.db.read().await?;
    tx.office_require(&Scope::whole(), office).await?;
    let machines = tx.machine_list(&Scope::whole(), office).await?;
    drop(tx);
    terminal.answer(&machines, |terminal| {
        let mut heads = heads(terminal);
        heads.push(terminal.words("Phần mềm", "Agent"));
        let listed = |ListedMachine { machine, agent }: &ListedMachine| {
            let mut row = row(machine, &desk.zone, terminal);
            row.push(agent.as_ref().map_or_else(String::new, |agent| agent_text(agent, terminal)));
            row
        };
        table(&heads, &machines.iter().map(listed).collect::<Vec<_>>())
    })
}

/// Machines in columns.
pub(super) fn machines_table(machines: &[Machine], zone: &TimeZone, terminal: &Terminal) -> String {
    table(&heads(terminal), &machines.iter().map(|machine| row(machine, zone, terminal)).collect::<Vec<_>>())
}

fn heads(terminal: &Terminal) -> Vec<&'static str> {
    let heads =
        [("Mã", "Id"), ("Tên máy", "Name"), ("Loại", "Role"), ("Trạng thái", "Status"), ("Kết nối từ", "Enrolled")];
    heads.into_iter().map(|(vi, en)| terminal.words(vi, en)).collect()
}

fn row(machine: &Machine, zone: &TimeZone, terminal: &Terminal) -> Vec<String> {
    let status = match machine.status {
        MachineStatus::Pending => terminal.words("chờ xác nhận", "pending"),
        MachineStatus::Confirmed => terminal.words("đã xác nhận", "confirmed"),
        MachineStatus::Revoked => terminal.words("đã thu hồi", "revoked"),
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
    let version = if agent.version.is_empty() { terminal.words("bản cũ", "old") } else { &agent.version };
    let need = if agent.too_old { terminal.words(" (cần cài bản mới)", " (needs the new one)") } else { "" };
    format!("{version}{need}")
}
