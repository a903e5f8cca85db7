//! `office`: the tree of offices and what each is worth.

mod show;

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Command, value_parser};

use super::desk::Desk;
use super::terminal::{Terminal, table};
use super::{Help, text};
use crate::act::office::{NewOffice, SetUp, office_add};
use crate::store::Scope;
use crate::store::office::OfficeKind;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The words of `office`.
pub fn words(help: Help) -> Command {
    let kinds = OfficeKind::ALL.iter().map(|kind| kind.word());
    Command::new("office")
        .about(help.t("Cơ quan, đơn vị: thêm, liệt kê, xem xếp loại; danh mục máy tính", "Offices: add, list, show their grade; their rosters"))
        .subcommand_required(true)
        .subcommand(
            Command::new("add")
                .about(help.t("Thêm cơ quan", "Add an office"))
                .arg(help.place("name", help.t("TÊN", "NAME"), help.t("Tên đầy đủ, ví dụ: UBND xã An Bình", "Its name in full")))
                .arg(
                    help.option("kind", help.t("LOẠI", "KIND"), help.t(
                        "province tỉnh, ward phường, commune xã, special_zone đặc khu, department phòng ban, other khác",
                        "What it is",
                    ))
                    .value_parser(PossibleValuesParser::new(kinds))
                    .default_value("commune"),
                )
                .arg(help.option("parent", help.t("MÃ", "ID"), help.t("Mã cơ quan cấp trên", "Id of the office above")))
                .arg(
                    help.option("setup-days", help.t("NGÀY", "DAYS"), help.t(
                        "Số ngày khởi tạo (có điểm, chưa xếp loại); 0 là xếp loại ngay; mặc định theo bộ tiêu chí",
                        "Days of being set up (a score, no letter); 0 gives a letter at once; default: the policy's",
                    ))
                    .value_parser(value_parser!(u16)),
                ),
        )
        .subcommand(Command::new("list").about(help.t("Liệt kê cơ quan", "List the offices")))
        .subcommand(
            Command::new("show")
                .about(help.t("Xem điểm, xếp loại, bảng giải trình điểm và các máy", "Show score, letter, ledger and machines"))
                .arg(help.office()),
        )
}

/// Does what was asked.
///
/// # Errors
/// There is no such office, or the database fails.
pub async fn perform(verb: &str, given: &ArgMatches, desk: &Desk, terminal: &Terminal) -> anyhow::Result<()> {
    match verb {
        "add" => add(given, desk, terminal).await,
        "list" => list(desk, terminal).await,
        _ => show::office_show(given, desk, terminal).await,
    }
}

async fn add(given: &ArgMatches, desk: &Desk, terminal: &Terminal) -> anyhow::Result<()> {
    let by = desk.by();
    let new = NewOffice {
        name: text(given, "name"),
        kind: text(given, "kind").parse()?,
        parent: given.get_one::<String>("parent").cloned(),
        set_up: match given.get_one::<u16>("setup-days") {
            None => SetUp::OfPolicy,
            Some(0) => SetUp::Over,
            Some(days) => SetUp::Until(by.at + i64::from(*days) * DAY_MS),
        },
    };
    let office = office_add(&desk.db, &by, &new).await?;
    terminal.answer(&office, |terminal| {
        format!("{} {} ({})", terminal.words("Đã thêm cơ quan", "Added the office"), office.name, office.id)
    })
}

async fn list(desk: &Desk, terminal: &Terminal) -> anyhow::Result<()> {
    let offices = desk.db.read().await?.office_list(&Scope::whole()).await?;
    terminal.answer(&offices, |terminal| {
        let heads = [
            terminal.words("Mã", "Id"),
            terminal.words("Tên", "Name"),
            terminal.words("Loại", "Kind"),
            terminal.words("Cấp trên", "Above"),
        ];
        let rows: Vec<Vec<String>> = offices
            .iter()
            .map(|office| {
                vec![
                    office.id.clone(),
                    office.name.clone(),
                    office.kind.word().to_owned(),
                    office.parent.clone().unwrap_or_default(),
                ]
            })
            .collect();
        table(&heads, &rows)
    })
}
