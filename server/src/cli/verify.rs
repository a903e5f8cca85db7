//! `verify`: checks again what the server stores, as somebody would who does not trust it. Exit status 0 when it is intact, 1 when something
//! differs, 2 when it could not be checked.

mod told;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use policies::text;
use policies::text::Text;
use serde::Serialize;

use super::Help;
use super::context::CommandContext;
use super::log::checkpoint_read;
use super::terminal::{Form, Terminal, visible};
use crate::policy::Policies;
use crate::secrets::policy_keys_read;
use crate::verify::{Findings, Verifying};
use told::{Told, Unchecked, name};

/// The command line of `verify`.
pub fn command(help: Help) -> Command {
    Command::new("verify")
        .about(help.text("Kiểm tra lại dữ liệu đã lưu", "Check again what is stored"))
        .after_help(help.text(
            "Mã kết thúc: 0 còn nguyên vẹn; 1 có chỗ sai lệch; 2 không kiểm tra được.",
            "Exit status: 0 intact; 1 something differs; 2 it could not be checked.",
        ))
        .subcommand_required(true)
        .subcommand(
            Command::new("log")
                .about(help.text(
                    "Dựng lại nhật ký đối chứng từ dữ liệu đã lưu, kiểm tra chữ ký và nội dung mọi báo cáo; nêu chỗ bị xoá, sửa hay thêm",
                    "Build the evidence log again from what is stored, with the signature and bodies of every report; name what is missing, changed or added",
                ))
                .arg(help.file(
                    "against",
                    help.text(
                        "Mốc đối chứng đã cất ở nơi khác (xem: log checkpoint)",
                        "A checkpoint kept elsewhere (see: log checkpoint)",
                    ),
                )),
        )
        .subcommand(Command::new("audit").about(help.text(
            "Kiểm tra chuỗi nhật ký thao tác và các mục của nó trong nhật ký đối chứng",
            "Check the chain of the audit log, and its leaves in the evidence log",
        )))
        .subcommand(
            Command::new("machine")
                .about(help.text(
                    "Kiểm tra báo cáo đã ký của một máy, chấm lại mọi kết quả và đối chiếu các ngoại lệ với nhật ký thao tác",
                    "Check a machine's signed reports, judge every verdict again, and hold its waivers against the audit log",
                ))
                .arg(help.place(
                    "machine",
                    help.text("MÃ-MÁY", "MACHINE"),
                    help.text("Mã của máy (xem: machine list)", "Id of the machine (see: machine list)"),
                )),
        )
        .subcommand(
            Command::new("office")
                .about(help.text(
                    "Kiểm tra mọi máy của một cơ quan, danh mục máy tính, mức xếp loại và số liệu chốt",
                    "Check every machine of an office, its roster, its grade and its frozen figures",
                ))
                .arg(help.office()),
        )
}

#[derive(Debug, Serialize)]
struct Verified {
    whole: bool,
    #[serde(flatten)]
    checked: BTreeMap<&'static str, u64>,
    /// How many differences there are; the first ten thousand are named.
    differing: u64,
    faults: Vec<Told>,
    unchecked: Vec<Unchecked>,
}

/// Verifies what `verb` says; exit status 1 when it is not intact.
///
/// # Errors
/// The file given cannot be used, there is no such machine or office, or the database fails.
pub async fn perform(
    verb: &str,
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let policies = Policies::new(context.config.server.clone(), policy_keys_read(&context.data)?);
    let verifying = Verifying::new(&context.db, &policies, &context.config.retention, context.clock.now());
    let (what, findings) = match verb {
        "log" => {
            let against = given.get_one::<PathBuf>("against").map(|file| checkpoint_read(file, context)).transpose()?;
            let against = against.map(|(_, checkpoint)| checkpoint);
            (Text::new("Nhật ký đối chứng", "The evidence log"), verifying.log(against.as_ref()).await?)
        }
        "machine" => {
            let id = super::text(given, "machine");
            let shown = visible(&id);
            (
                Text::new(format!("Dữ liệu của máy {shown}"), format!("What is stored of machine {shown}")),
                verifying.machine(&id).await?,
            )
        }
        "office" => {
            let id = super::text(given, "office");
            let shown = visible(&id);
            (
                Text::new(format!("Dữ liệu của cơ quan {shown}"), format!("What is stored of office {shown}")),
                verifying.office(&id).await?,
            )
        }
        _ => (Text::new("Nhật ký thao tác", "The audit log"), verifying.audit().await?),
    };
    answer(&what, &findings, context, terminal)
}

fn answer(what: &Text, findings: &Findings, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let faults = findings.faults.iter().map(|fault| Told::fault(fault, terminal.language));
    let differences = findings.differences.iter().map(|difference| Told::difference(difference, terminal.language));
    let unchecked = findings.unchecked.iter();
    let verified = Verified {
        whole: findings.is_intact(),
        checked: findings.checked.clone(),
        differing: findings.differing + findings.faults.len() as u64,
        faults: faults.chain(differences).collect(),
        unchecked: unchecked.map(|(of, more)| Unchecked::of(of, *more, &context.zone, terminal.language)).collect(),
    };
    if terminal.form == Form::Json {
        terminal.print(&serde_json::to_string(&verified)?)?;
    } else {
        terminal.print(&page(what, &verified, terminal))?;
    }
    if verified.whole {
        return Ok(ExitCode::SUCCESS);
    }
    terminal.complain(terminal.text(
        "Hãy giữ nguyên hiện trạng và báo người phụ trách an ninh mạng.",
        "Leave everything as it is and tell whoever is responsible for security.",
    ));
    Ok(ExitCode::from(1))
}

fn page(what: &Text, verified: &Verified, terminal: &Terminal) -> String {
    let what = what.get(terminal.language);
    let mut lines = vec![if verified.whole {
        terminal.own(text!("{} nguyên vẹn.", "{}: intact.", what))
    } else {
        let differing = verified.differing;
        terminal.own(text!(
            "{what} KHÔNG còn nguyên vẹn. Số chỗ sai lệch: {differing}",
            "{what}: NOT intact. Differences: {differing}"
        ))
    }];
    lines.extend(verified.faults.iter().map(|told| format!("  {}", visible(&told.message))));
    let checked =
        verified.checked.iter().map(|(count, number)| format!("{}: {number}", name(count, terminal.language)));
    let checked = checked.collect::<Vec<_>>().join("; ");
    lines.push(terminal.own(text!("Đã kiểm tra: {checked}", "Checked: {checked}")));
    if !verified.unchecked.is_empty() {
        lines.push(terminal.text("Không kiểm tra được:", "Could not be checked:").to_owned());
        lines.extend(verified.unchecked.iter().map(|told| format!("  {}", visible(&told.message))));
    }
    lines.join("\n")
}
