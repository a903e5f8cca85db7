//! `token`: codes by which machines enrol (mã đăng ký máy).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgMatches, Command, value_parser};
use policies::text;
use serde::Serialize;

use super::context::CommandContext;
use super::machine::machines_table;
use super::roster::role_text;
use super::terminal::{Terminal, moment, visible};
use super::{Help, text};
use crate::act::token::{NewToken, Reach, USES_MOST, token_make, token_revoke};
use crate::airgap::invitation_make;
use crate::airgap::stick::{self, Readers};
use crate::error::UserError;
use crate::secrets::{Secrets, fingerprint_read};
use crate::store::Scope;
use crate::store::token::{Admission, Token};

/// The command line of `token`.
pub fn command(help: Help) -> Command {
    Command::new("token")
        .about(help.text("Mã đăng ký máy: cấp, liệt kê, thu hồi", "Enrolment tokens: create, list, revoke"))
        .subcommand_required(true)
        .subcommand(
            Command::new("add")
                .about(help.text("Cấp mã đăng ký máy cho một cơ quan", "Create a token for an office"))
                .long_about(help.text(
                    "Cấp mã đăng ký máy cho một cơ quan. Mã chỉ hiện một lần ở đây; máy chủ chỉ giữ giá trị băm. Máy đăng ký bằng mã này chờ xác nhận, \
                     trừ khi khớp một dòng trong danh mục máy tính. Với máy không được phép nối mạng, nêu --file để ghi thư mời rồi mang tệp đến máy.",
                    "Creates a token for an office. It is shown only once; the server keeps a hash of it. A machine that enrols with it waits \
                     for confirmation unless it matches a roster line. For machines that must not be connected, --file writes an \
                     invitation file to take to the machine.",
                ))
                .arg(help.office())
                .arg(help.role())
                .arg(
                    help.option("uses", help.text("SỐ", "COUNT"), help.text("Số máy được đăng ký bằng mã này", "How many machines may enrol with it"))
                        .value_parser(value_parser!(u32).range(1..=i64::from(USES_MOST)))
                        .default_value("1"),
                )
                .arg(
                    help.option("hours", help.text("GIỜ", "HOURS"), help.text("Thời hạn của mã, tính bằng giờ (tối đa 720)", "How long it is valid, in hours (at most 720)"))
                        .value_parser(value_parser!(u32).range(1..=720))
                        .default_value("24"),
                )
                .arg(help.file("file", help.text(
                    "Ghi thư mời cho máy không nối mạng vào tệp này (chứa mã, cần giữ kín); máy dùng: posture-agent export",
                    "Write an invitation for machines without a network to this file (it contains the token, keep it secret); used by: posture-agent export",
                )))
                .arg(help.flag("confirm", help.text(
                    "Xác nhận ngay máy đăng ký bằng mã này (chỉ dùng khi người giữ mã chính là người quản lý máy)",
                    "Confirm machines that enrol with it immediately (only if the token holder manages those machines)",
                ))),
        )
        .subcommand(Command::new("list").about(help.text("Liệt kê mã của một cơ quan", "List an office's tokens")).arg(help.office()))
        .subcommand(
            Command::new("revoke")
                .about(help.text("Thu hồi mã và liệt kê các máy đã đăng ký bằng mã đó", "Revoke a token and list the machines that enrolled with it"))
                .arg(help.place("token", help.text("MÃ-SỐ", "TOKEN"), help.text("Mã số của mã đăng ký (xem: token list)", "Id of the token (see: token list)")))
                .arg(help.flag("machines", help.text("Thu hồi luôn các máy đã đăng ký bằng mã này", "Also revoke the machines that enrolled with it"))),
        )
}

/// What `token add --json` prints; the only place where the token itself appears.
#[derive(Debug, Serialize)]
struct Made {
    id: String,
    token: String,
    fingerprint: String,
    office: String,
    expires_at: i64,
    uses: i64,
    /// The invitation for machines without a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

/// Adds, lists or revokes tokens.
///
/// # Errors
/// There is no such office or token, or the database fails.
pub async fn perform(
    verb: &str,
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    match verb {
        "add" => add(given, context, terminal).await,
        "list" => list(&text(given, "office"), context, terminal).await,
        _ => {
            let reach = if given.get_flag("machines") { Reach::Machines } else { Reach::Token };
            let machines = token_revoke(&context.db, &context.by(), &text(given, "token"), reach).await?;
            terminal.answer(&machines, |terminal| {
                terminal.own(text!(
                    "Đã thu hồi mã. Máy đã đăng ký bằng mã này:\n{0}",
                    "The token is revoked. Machines that enrolled with it:\n{0}",
                    machines_table(&machines, &context.zone, terminal)
                ))
            })
        }
    }
}

async fn add(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let hours = given.get_one::<u32>("hours").copied().unwrap_or(24);
    let new = NewToken {
        office: text(given, "office"),
        role: text(given, "role").parse()?,
        uses: given.get_one::<u32>("uses").copied().unwrap_or(1),
        valid: Duration::from_secs(u64::from(hours) * 60 * 60),
        admits: if given.get_flag("confirm") { Admission::Confirmed } else { Admission::Pending },
    };
    let fingerprint = fingerprint_read(&context.data)?.to_string();
    let file = given.get_one::<PathBuf>("file");
    if let Some(file) = file.filter(|file| file.symlink_metadata().is_ok()) {
        anyhow::bail!(UserError::from(text!(
            "Đã có {}. Hãy nêu tên tệp khác.",
            "{} exists. Name another file.",
            file.display()
        )));
    }
    let (token, secret) = token_make(&context.db, &context.by(), &new).await?;
    if let Some(file) = file
        && let Err(error) = invitation_write(context, &token, &secret, file).await
    {
        // A token that could not be shown to anyone is useless to honest users.
        token_revoke(&context.db, &context.by(), &token.id, Reach::Token).await?;
        return Err(error);
    }
    let made = Made {
        id: token.id,
        token: secret.reveal(),
        fingerprint,
        office: token.office,
        expires_at: token.expires_at,
        uses: token.uses_total,
        file: file.map(|file| file.display().to_string()),
    };
    let port = context.config.listen.address.rsplit(':').next().unwrap_or("8443");
    terminal.answer(&made, |terminal| {
        let until = moment(made.expires_at, &context.zone);
        let Made { token, fingerprint, .. } = &made;
        terminal.own(match &made.file {
            Some(file) => text!(
                "Thư mời (chứa mã đăng ký, cần giữ kín): {0}\nCó hiệu lực đến: {until}\n\n\
                 Mang tệp đến máy không nối mạng và chạy bằng quyền quản trị:\n  posture-agent export TỆP-XUẤT --invitation THƯ-MỜI",
                "Invitation (it holds the token, keep it secret): {0}\nValid until: {until}\n\n\
                 Take the file to the machine without a network and run as administrator:\n  posture-agent export EXPORT-FILE --invitation INVITATION",
                visible(file)
            ),
            None => text!(
                "Mã đăng ký máy (chỉ hiện một lần): {token}\nCó hiệu lực đến: {until}\n\n\
                 Trên máy cần kết nối, chạy bằng quyền quản trị:\n  \
                 posture-agent enrol --server TÊN-MÁY-CHỦ:{port} --token {token} --fingerprint {fingerprint}",
                "Enrolment token (shown once): {token}\nValid until: {until}\n\n\
                 On the machine to enrol, run as administrator:\n  \
                 posture-agent enrol --server SERVER-NAME:{port} --token {token} --fingerprint {fingerprint}"
            ),
        })
    })
}

async fn invitation_write(
    context: &CommandContext,
    token: &Token,
    secret: &protocol::token::Token,
    file: &Path,
) -> anyhow::Result<()> {
    let office = context.db.read().await?.office_get(&Scope::whole(), &token.office).await?;
    let office = office.map(|office| office.name).unwrap_or_default();
    let secrets = Secrets::read_quietly(&context.data)?;
    let invitation = invitation_make(&secrets, &context.config.server, &office, token, secret);
    stick::write(file, &invitation.to_bytes()?, Readers::Owner)
}

async fn list(office: &str, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let mut tx = context.db.read().await?;
    tx.office_require(&Scope::whole(), office).await?;
    let tokens = tx.token_list(&Scope::whole(), office).await?;
    drop(tx);
    let now = context.clock.now_ms();
    terminal.answer(&tokens, |terminal| {
        let heads =
            [("Mã số", "Id"), ("Loại", "Role"), ("Còn lượt", "Left"), ("Hết hạn", "Until"), ("Trạng thái", "Status")];
        let rows = tokens.iter().map(|token| {
            vec![
                token.id.clone(),
                role_text(token.role, terminal).to_owned(),
                format!("{}/{}", token.uses_left, token.uses_total),
                moment(token.expires_at, &context.zone),
                status_text(token, now, terminal).to_owned(),
            ]
        });
        terminal.table(&heads, rows)
    })
}

fn status_text<'a>(token: &Token, now: i64, terminal: &Terminal) -> &'a str {
    if token.revoked_at.is_some() {
        terminal.text("đã thu hồi", "revoked")
    } else if token.expires_at <= now {
        terminal.text("hết hạn", "expired")
    } else if token.uses_left == 0 {
        terminal.text("hết lượt", "used up")
    } else {
        terminal.text("dùng được", "valid")
    }
}
