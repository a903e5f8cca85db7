//! `waiver`: waivers (ngoại lệ có thời hạn), asked for by one person and decided by another.

use clap::{Arg, ArgMatches, Command};
use policies::policy::Role;
use policies::text;

use super::context::CommandContext;
use super::terminal::{Terminal, moment, visible};
use super::{Help, text};
use crate::act::waiver::{NewWaiver, WaiverError, waiver_ask, waiver_grant, waiver_refuse, waiver_withdraw};
use crate::error::UserError;
use crate::policy::CompiledPolicy;
use crate::store::Scope;
use crate::store::waiver::{Listed, ListedWaiver, Waiver, WaiverState};

/// The most waivers listed.
const MOST: i64 = 10_000;

/// The command line of `waiver`.
pub fn command(help: Help) -> Command {
    let waiver = || {
        help.place(
            "waiver",
            help.text("MÃ-NGOẠI-LỆ", "WAIVER"),
            help.text("Mã của ngoại lệ (xem: waiver list)", "Id of the waiver (see: waiver list)"),
        )
    };
    let reason = |help_text| -> Arg { help.option("reason", help.text("LÝ DO", "REASON"), help_text).required(true) };
    Command::new("waiver")
        .about(help.text(
            "Ngoại lệ có thời hạn: đề nghị, chấp thuận, không chấp thuận, rút, liệt kê",
            "Waivers: request, grant, refuse, withdraw, list",
        ))
        .long_about(help.text(
            "Ngoại lệ có thời hạn cho một tiêu chí trên một máy. Người thuộc cấp trên của cơ quan quyết định; người đề nghị không \
             được tự quyết định. Ngoại lệ tự hết hiệu lực khi đến hạn và không gỡ giới hạn xếp loại.",
            "Time-limited waivers of one control on one machine. Somebody at a parent office decides; the person who requested it cannot. A waiver \
             ends on its date and lifts no cap.",
        ))
        .subcommand_required(true)
        .subcommand(
            Command::new("ask")
                .about(help.text("Đề nghị một ngoại lệ", "Request a waiver"))
                .arg(help.place(
                    "machine",
                    help.text("MÃ-MÁY", "MACHINE"),
                    help.text("Mã của máy (xem: machine list)", "Id of the machine (see: machine list)"),
                ))
                .arg(help.place(
                    "control",
                    help.text("TIÊU-CHÍ", "CONTROL"),
                    help.text("Mã tiêu chí, ví dụ: firewall-active", "Control id, such as firewall-active"),
                ))
                .arg(reason(help.text("Vì sao chưa khắc phục được", "Why it cannot be fixed yet")))
                .arg(
                    help.option(
                        "until",
                        help.text("NGÀY", "DATE"),
                        help.text("Ngày cuối cùng được ngoại lệ, ví dụ: 2026-12-31", "Last day of the waiver, such as 2026-12-31"),
                    )
                    .required(true),
                ),
        )
        .subcommand(Command::new("grant").about(help.text("Chấp thuận", "Grant a waiver")).arg(waiver()))
        .subcommand(
            Command::new("refuse")
                .about(help.text("Không chấp thuận", "Refuse a waiver"))
                .arg(waiver())
                .arg(reason(help.text("Vì sao không chấp thuận", "Why it is refused"))),
        )
        .subcommand(
            Command::new("withdraw").about(help.text("Rút trước hạn", "Withdraw a waiver before it ends")).arg(waiver()),
        )
        .subcommand(
            Command::new("list")
                .about(help.text(
                    "Liệt kê ngoại lệ đang chờ và đang áp dụng của một cơ quan và các đơn vị bên dưới",
                    "List requested and active waivers of an office and those below it",
                ))
                .arg(help.office())
                .arg(help.flag("all", help.text("Cả những ngoại lệ đã kết thúc", "Include waivers that have ended"))),
        )
}

/// Requests, decides, withdraws or lists waivers.
///
/// # Errors
/// A rule forbids it, there is no such machine, control, waiver or office, or the database fails.
pub async fn perform(
    verb: &str,
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let policies = context.policies().await?;
    let judge = policies.judge();
    let judge = judge.as_deref();
    if verb == "list" {
        return list(given, judge, context, terminal).await;
    }
    let (by, id) = (context.by(), given.try_get_one::<String>("waiver").ok().flatten().cloned().unwrap_or_default());
    let (done, vi, en) = match verb {
        "ask" => {
            (ask(given, judge, context).await?, "Đã ghi đề nghị, chờ quyết định:", "Asked for, waiting for a decision:")
        }
        "grant" => (waiver_grant(&context.db, &by, judge, &id).await, "Đã chấp thuận:", "Granted:"),
        "refuse" => {
            (waiver_refuse(&context.db, &by, &id, &text(given, "reason")).await, "Không chấp thuận:", "Refused:")
        }
        _ => (waiver_withdraw(&context.db, &by, &id).await, "Đã rút:", "Withdrawn:"),
    };
    let waiver = done.map_err(told)?;
    terminal.answer(&waiver, |terminal| {
        let done = terminal.text(vi, en);
        terminal.own(text!(
            "{done} {} - {}, đến {}",
            "{done} {} - {}, until {}",
            waiver.id,
            waiver.control,
            moment(waiver.until_at - 1, &context.zone)
        ))
    })
}

async fn ask(
    given: &ArgMatches,
    judge: Option<&CompiledPolicy>,
    context: &CommandContext,
) -> anyhow::Result<Result<Waiver, WaiverError>> {
    let until_at = context.day_end(&text(given, "until"))?;
    let new = NewWaiver {
        machine: text(given, "machine"),
        control: text(given, "control"),
        reason: text(given, "reason"),
        until_at,
    };
    Ok(waiver_ask(&context.db, &context.by(), judge, &new).await)
}

fn told(error: WaiverError) -> anyhow::Error {
    match error {
        WaiverError::Refused(refusal) => {
            let text = refusal.text();
            UserError::new(text.vi, text.en).into()
        }
        WaiverError::Store(error) => error.into(),
    }
}

async fn list(
    given: &ArgMatches,
    judge: Option<&CompiledPolicy>,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let listed = if given.get_flag("all") { Listed::All } else { Listed::Open };
    let waivers = context.db.read().await?.waiver_list(&Scope::whole(), &text(given, "office"), listed, MOST).await?;
    let now = context.clock.now_ms();
    terminal.answer(&waivers, |terminal| {
        let heads = [
            ("Mã", "Id"),
            ("Máy", "Machine"),
            ("Cơ quan", "Office"),
            ("Tiêu chí", "Control"),
            ("Trạng thái", "State"),
            ("Đến", "Until"),
            ("Người đề nghị", "Asked by"),
            ("Người quyết định", "Decided by"),
            ("Lý do", "Reason"),
        ];
        let row = |listed: &ListedWaiver| {
            let ListedWaiver { waiver, machine_name, office_name, .. } = listed;
            vec![
                waiver.id.clone(),
                machine_name.clone(),
                office_name.clone(),
                control_title(judge, &waiver.control, terminal),
                state_text(waiver, now, terminal).to_owned(),
                moment(waiver.until_at - 1, &context.zone),
                waiver.asked_by.clone(),
                waiver.decided_by.clone().unwrap_or_default(),
                waiver.reason.clone(),
            ]
        };
        terminal.table(&heads, waivers.iter().map(row))
    })
}

fn control_title(judge: Option<&CompiledPolicy>, id: &str, terminal: &Terminal) -> String {
    let found = judge.and_then(|judge| Role::ALL.iter().find_map(|&role| judge.set().controls(role).control(id)));
    found.map_or_else(|| visible(id), |control| control.title().get(terminal.language).to_owned())
}

fn state_text<'a>(waiver: &Waiver, now: i64, terminal: &Terminal) -> &'a str {
    match waiver.state {
        WaiverState::Asked => terminal.text("chờ quyết định", "asked"),
        WaiverState::Granted if waiver.until_at > now => terminal.text("đang áp dụng", "in force"),
        WaiverState::Granted | WaiverState::Ended => terminal.text("hết hạn", "ended"),
        WaiverState::Refused => terminal.text("không chấp thuận", "refused"),
        WaiverState::Withdrawn => terminal.text("đã rút", "withdrawn"),
    }
}
