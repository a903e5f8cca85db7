//! `office`: the tree of offices and their grades.

mod lan;
mod show;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, ArgMatches, Command, value_parser};
use policies::text;

use super::context::CommandContext;
use super::terminal::Terminal;
use super::{Help, text};
use crate::act::office::{NewOffice, SetUp, office_add, office_rename, office_setup};
use crate::clock::DAY_MS;
use crate::store::Scope;
use crate::store::office::OfficeKind;

/// The command line of `office`.
pub fn command(help: Help) -> Command {
    let kinds = OfficeKind::ALL.iter().map(|kind| kind.word());
    Command::new("office")
        .about(help.text("Cơ quan, đơn vị: thêm, đổi tên, đặt thời gian khởi tạo, liệt kê, xem xếp loại; danh mục máy tính",
            "Offices: add, rename, set the set-up time, list, show the grade; rosters",
        ))
        .subcommand_required(true)
        .subcommand(
            Command::new("add")
                .about(help.text("Thêm cơ quan", "Add an office"))
                .arg(help.place("name", help.text("TÊN", "NAME"), help.text("Tên đầy đủ, ví dụ: UBND xã An Bình", "Full name, such as UBND xã An Bình")))
                .arg(
                    help.option("kind", help.text("LOẠI", "KIND"), help.text(
                        "province tỉnh, ward phường, commune xã, special_zone đặc khu, department phòng ban, other khác",
                        "Kind of office",
                    ))
                    .value_parser(PossibleValuesParser::new(kinds))
                    .default_value("commune"),
                )
                .arg(help.option("parent", help.text("MÃ", "ID"), help.text("Mã cơ quan cấp trên", "Id of the parent office")))
                .arg(
                    help.option("setup-days", help.text("NGÀY", "DAYS"), help.text(
                        "Số ngày khởi tạo (có điểm, chưa xếp loại); 0 là xếp loại ngay; mặc định theo bộ tiêu chí",
                        "Days of set-up (a score, no letter); 0 gives a letter at once; default: as the policy says",
                    ))
                    .value_parser(value_parser!(u16)),
                ),
        )
        .subcommand(
            Command::new("rename")
                .about(help.text("Đổi tên cơ quan", "Rename an office"))
                .arg(help.office())
                .arg(help.place("name", help.text("TÊN", "NAME"), help.text("Tên mới đầy đủ", "New full name"))),
        )
        .subcommand(
            Command::new("setup")
                .about(help.text("Đặt thời gian khởi tạo cho cơ quan và mọi đơn vị bên dưới", "Set the set-up time of an office and all offices below it"))
                .long_about(help.text(
                    "Đặt thời gian khởi tạo (có điểm, chưa xếp loại) cho cơ quan và mọi đơn vị bên dưới: cấp trên chọn một ngày cho tất cả (--until), \
                     cho xếp loại ngay (--over), hoặc để theo bộ tiêu chí (--by-policy).",
                    "Sets the set-up time of an office and all offices below it (a score, no letter): the parent chooses one day for all (--until), \
                     ends it now (--over), or leaves it to the policy (--by-policy).",
                ))
                .arg(help.office())
                .arg(help.option("until", help.text("NGÀY", "DATE"), help.text(
                    "Ngày cuối của thời gian khởi tạo, ví dụ: 2026-12-31",
                    "Last day of set-up, such as 2026-12-31",
                )))
                .arg(help.flag("over", help.text("Hết khởi tạo, xếp loại ngay", "End the set-up time now and give letters")))
                .arg(help.flag("by-policy", help.text("Theo số ngày trong bộ tiêu chí", "Use the number of days in the policy, counted from the first enrolment")))
                .group(ArgGroup::new("end").args(["until", "over", "by-policy"]).required(true)),
        )
        .subcommand(lan::command(help))
        .subcommand(Command::new("list").about(help.text("Liệt kê cơ quan", "List offices")))
        .subcommand(
            Command::new("show")
                .about(help.text("Xem điểm, xếp loại, bảng giải trình điểm và các máy", "Show score, letter, ledger and machines"))
                .arg(help.office()),
        )
}

/// Shows or changes offices.
///
/// # Errors
/// There is no such office, or the database fails.
pub async fn perform(
    verb: &str,
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    match verb {
        "add" => add(given, context, terminal).await,
        "rename" => {
            let office =
                office_rename(&context.db, &context.by(), &text(given, "office"), &text(given, "name")).await?;
            terminal.answer(&office, |terminal| {
                terminal.own(text!("Tên cơ quan: {} ({})", "The office is now called: {} ({})", office.name, office.id))
            })
        }
        "setup" => setup(given, context, terminal).await,
        "lan" => lan::perform(given, context, terminal).await,
        "list" => list(context, terminal).await,
        _ => show::office_show(given, context, terminal).await,
    }
}

async fn add(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let by = context.by();
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
    let office = office_add(&context.db, &by, &new).await?;
    terminal.answer(&office, |terminal| {
        terminal.own(text!("Đã thêm cơ quan {} ({})", "Added the office {} ({})", office.name, office.id))
    })
}

async fn setup(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let set_up = match given.get_one::<String>("until") {
        Some(day) => SetUp::Until(context.day_end(day)?),
        None if given.get_flag("over") => SetUp::Over,
        None => SetUp::OfPolicy,
    };
    let changed = office_setup(&context.db, &context.by(), &text(given, "office"), set_up).await?;
    terminal.answer(&changed, |terminal| {
        let names: Vec<&str> = changed.iter().map(|office| office.name.as_str()).collect();
        terminal.own(match names.as_slice() {
            [] => text!("Không có gì thay đổi.", "Nothing changed."),
            _ => text!("Đã đặt thời gian khởi tạo cho: {0}", "The set-up time was set for: {0}", names.join(", ")),
        })
    })
}

async fn list(context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let offices = context.db.read().await?.office_list(&Scope::whole()).await?;
    terminal.answer(&offices, |terminal| {
        let heads = [("Mã", "Id"), ("Tên", "Name"), ("Loại", "Kind"), ("Cấp trên", "Above")];
        let rows = offices.iter().map(|office| {
            vec![
                office.id.clone(),
                office.name.clone(),
                office.kind.word().to_owned(),
                office.parent.clone().unwrap_or_default(),
            ]
        });
        terminal.table(&heads, rows)
    })
}
