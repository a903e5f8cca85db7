//! `hold`: legal holds (giữ dữ liệu phục vụ vụ việc), entered by one person and released by two.

use clap::{ArgAction, ArgMatches, Command};
use jiff::tz::TimeZone;
use policies::text;
use policies::text::Text;
use serde::Serialize;

use super::context::CommandContext;
use super::terminal::{Terminal, moment, visible};
use super::{Help, text};
use crate::act::hold::{HoldError, NewHold, hold_keep, hold_make, hold_release_agree, hold_release_ask};
use crate::error::UserError;
use crate::store::Scope;
use crate::store::hold::gone::{Gone, Span};
use crate::store::hold::{Hold, ListedHold, Paper};

/// The most holds listed.
const MOST: i64 = 10_000;

/// The command line of `hold`.
pub fn command(help: Help) -> Command {
    let hold = || {
        help.place(
            "hold",
            help.text("MÃ-YÊU-CẦU", "HOLD"),
            help.text("Mã của yêu cầu giữ dữ liệu (xem: hold list)", "Id of the hold (see: hold list)"),
        )
    };
    let day = |name, help_text| help.option(name, help.text("NGÀY", "DATE"), help_text);
    Command::new("hold")
        .about(help.text(
            "Giữ dữ liệu phục vụ vụ việc: giữ, liệt kê, đề nghị thôi giữ, đồng ý thôi giữ, giữ tiếp",
            "Legal holds: make, list, ask for the release, agree to it, keep",
        ))
        .long_about(help.text(
            "Giữ lại những gì một máy đã báo trong một khoảng thời gian, quá cả thời hạn lưu, theo văn bản của cơ quan có thẩm quyền. Thu hồi máy \
             không làm mất dữ liệu đang giữ. Muốn thôi giữ phải có hai người, mỗi người một tài khoản; sau đó dữ liệu còn được lưu thêm 5 năm.",
            "Keeps what a machine reported in a period beyond its retention, as a competent authority's document orders. Revoking the machine takes \
             nothing away from it. A release needs two people with an account each; after it everything is kept for 5 years more.",
        ))
        .subcommand_required(true)
        .subcommand(
            Command::new("add")
                .about(help.text("Giữ dữ liệu của một máy", "Hold the data of a machine"))
                .arg(help.place(
                    "machine",
                    help.text("MÃ-MÁY", "MACHINE"),
                    help.text("Mã của máy (xem: machine list)", "Id of the machine (see: machine list)"),
                ))
                .arg(day("from", help.text("Ngày đầu cần giữ, ví dụ: 2026-10-01", "First day to hold, such as 2026-10-01")).required(true))
                .arg(day("to", help.text("Ngày cuối cần giữ; không nêu thì giữ cả dữ liệu về sau", "Last day to hold; by default what comes is held, too")))
                .arg(
                    help.option(
                        "section",
                        help.text("NHÓM", "SECTION"),
                        help.text(
                            "Chỉ giữ nhóm thông tin này, ví dụ: accounts; có thể nêu nhiều lần",
                            "Hold only this section, such as accounts; may be repeated",
                        ),
                    )
                    .action(ArgAction::Append),
                )
                .arg(
                    help.option(
                        "paper",
                        help.text("SỐ", "NUMBER"),
                        help.text("Số, ký hiệu của văn bản yêu cầu", "Number of the document that orders it"),
                    )
                    .required(true),
                )
                .arg(day("paper-date", help.text("Ngày của văn bản", "Day of the document")).required(true))
                .arg(
                    help.option(
                        "issuer",
                        help.text("CƠ QUAN", "ISSUER"),
                        help.text("Cơ quan ban hành văn bản", "Who issued the document"),
                    )
                    .required(true),
                ),
        )
        .subcommand(
            Command::new("list")
                .about(help.text(
                    "Liệt kê dữ liệu đang giữ của một cơ quan và các đơn vị bên dưới",
                    "List what is held of an office and those below it",
                ))
                .arg(help.office())
                .arg(help.flag("all", help.text("Cả những yêu cầu đã hết thời hạn lưu", "Include those whose time after the release is over"))),
        )
        .subcommand(
            Command::new("release")
                .about(help.text("Đề nghị thôi giữ; chờ người thứ hai đồng ý", "Ask for the release, to which a second person must agree"))
                .arg(hold())
                .arg(help.option("reason", help.text("LÝ DO", "REASON"), help.text("Vì sao thôi giữ", "Why it is released")).required(true)),
        )
        .subcommand(
            Command::new("agree")
                .about(help.text("Đồng ý thôi giữ, là người thứ hai", "Agree to the release, as the second person"))
                .arg(hold()),
        )
        .subcommand(Command::new("keep").about(help.text("Giữ tiếp, bỏ đề nghị thôi giữ", "Keep it, drop the request for the release")).arg(hold()))
}

/// A new hold and what was gone before.
#[derive(Debug, Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    hold: &'a Hold,
    gone: &'a Gone,
}

/// Makes, releases or lists holds.
///
/// # Errors
/// A rule forbids it, there is no such machine, section, hold or office, a day is none, or the database fails.
pub async fn perform(
    verb: &str,
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let (db, by) = (&context.db, context.by());
    let id = || text(given, "hold");
    let (done, vi, en) = match verb {
        "add" => return add(given, context, terminal).await,
        "list" => return list(given, context, terminal).await,
        "release" => (
            hold_release_ask(db, &by, &id(), &text(given, "reason")).await,
            "Đã ghi đề nghị thôi giữ, chờ người thứ hai đồng ý:",
            "Asked for the release, waiting for a second person:",
        ),
        "agree" => (hold_release_agree(db, &by, &id()).await, "Đã thôi giữ:", "Released:"),
        _ => (hold_keep(db, &by, &id()).await, "Vẫn giữ:", "Still held:"),
    };
    let hold = done.map_err(told)?;
    terminal.answer(&hold, |terminal| {
        let (done, paper) = (terminal.text(vi, en), paper_text(&hold.paper));
        let mut sentence = text!("{done} {} ({paper})", "{done} {} ({paper})", hold.id);
        if let Some(until) = hold.kept_until_at {
            let until = moment(until, &context.zone);
            sentence.append(&text!("; dữ liệu còn được lưu đến {until}", "; everything is kept until {until}"));
        }
        terminal.own(sentence)
    })
}

async fn add(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let to = text(given, "to");
    let paper_date = text(given, "paper-date");
    context.day_begin(&paper_date)?;
    let new = NewHold {
        machine: text(given, "machine"),
        from_at: context.day_begin(&text(given, "from"))?,
        until_at: if to.is_empty() { None } else { Some(context.day_end(&to)?) },
        sections: given.get_many::<String>("section").unwrap_or_default().cloned().collect(),
        paper: Paper {
            number: text(given, "paper"),
            date: paper_date.trim().to_owned(),
            issuer: text(given, "issuer"),
        },
    };
    let (hold, gone) = hold_make(&context.db, &context.by(), &new).await.map_err(told)?;
    terminal.answer(&Made { hold: &hold, gone: &gone }, |terminal| {
        let paper = paper_text(&hold.paper);
        let mut lines = vec![terminal.own(text!("Đã giữ dữ liệu: {} ({paper})", "Held: {} ({paper})", hold.id))];
        lines.extend(gone_lines(&gone, &context.zone).into_iter().map(|line| terminal.own(line)));
        lines.join("\n")
    })
}

fn told(error: HoldError) -> anyhow::Error {
    match error {
        HoldError::Refused(text) => UserError::from(text).into(),
        HoldError::Store(error) => error.into(),
    }
}

/// What is held, and what was gone before.
fn gone_lines(gone: &Gone, zone: &TimeZone) -> Vec<Text> {
    let reports = gone.reports;
    let mut lines =
        vec![text!("Số báo cáo trong khoảng thời gian này: {reports}", "Reports in the period so far: {reports}")];
    let between = |span: &Span| (moment(span.first_at, zone), moment(span.last_at, zone));
    if gone.is_empty() {
        lines.push(text!("Chưa có gì trong đó bị xoá.", "Nothing of it was removed before."));
    }
    for (section, span) in &gone.bodies {
        let ((first, last), count) = (between(span), span.count);
        lines.push(text!(
            "Không còn từ trước khi giữ: {section}, {count} bản, báo từ {first} đến {last}",
            "Gone before it was held: {section}, {count} versions, reported from {first} to {last}"
        ));
    }
    if let Some(span) = &gone.headers {
        let ((first, last), count) = (between(span), span.count);
        lines.push(text!(
            "Không còn từ trước khi giữ: nội dung ký của {count} báo cáo, nhận từ {first} đến {last}, nên không rõ khi đó có những gì",
            "Gone before it was held: the signed headers of {count} reports received from {first} to {last}, so what they named is not known"
        ));
    }
    lines
}

async fn list(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let now = context.clock.now_ms();
    let after = if given.get_flag("all") { i64::MIN } else { now };
    let holds = context.db.read().await?.hold_list(&Scope::whole(), &text(given, "office"), after, MOST).await?;
    terminal.answer(&holds, |terminal| {
        let heads = [
            ("Mã", "Id"),
            ("Máy", "Machine"),
            ("Cơ quan", "Office"),
            ("Từ", "From"),
            ("Đến", "To"),
            ("Nhóm thông tin", "Sections"),
            ("Văn bản", "Document"),
            ("Giữ từ", "Held since"),
            ("Người giữ", "Made by"),
            ("Trạng thái", "State"),
        ];
        let row = |ListedHold { hold, machine_name, office_name }: &ListedHold| {
            vec![
                hold.id.clone(),
                machine_name.clone(),
                office_name.clone(),
                moment(hold.from_at, &context.zone),
                hold.until_at.map_or_else(String::new, |until| moment(until - 1, &context.zone)),
                hold.sections.0.join(" "),
                paper_text(&hold.paper),
                moment(hold.made_at, &context.zone),
                hold.made_by.clone(),
                state_text(hold, now, &context.zone, terminal),
            ]
        };
        terminal.table(&heads, holds.iter().map(row))
    })
}

fn state_text(hold: &Hold, now: i64, zone: &TimeZone, terminal: &Terminal) -> String {
    match (hold.kept_until_at, &hold.asked_by) {
        (Some(until), _) if until > now => {
            let until = moment(until, zone);
            terminal.own(text!("đã thôi giữ, lưu đến {until}", "released, kept until {until}"))
        }
        (Some(_), _) => terminal.text("đã hết", "over").to_owned(),
        (None, Some(by)) => {
            let by = visible(by);
            terminal.own(text!("đang giữ; {by} đề nghị thôi giữ", "held; {by} asks for the release"))
        }
        (None, None) => terminal.text("đang giữ", "held").to_owned(),
    }
}

/// A document as one names it.
fn paper_text(Paper { number, date, issuer }: &Paper) -> String {
    visible(&format!("{number}, {date}, {issuer}"))
}
