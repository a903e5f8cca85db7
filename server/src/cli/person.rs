//! `person`: people's accounts and their first passwords, which are shown to a person or written into a file and nowhere else.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Command};
use policies::text;
use serde::Serialize;

use super::context::CommandContext;
use super::terminal::{Terminal, moment};
use super::{Help, text};
use crate::act::person::{NewPerson, password_reset, person_add, person_close};
use crate::error::UserError;
use crate::secrets::file;
use crate::store::Scope;
use crate::store::person::{Person, PersonRole};

/// The command line of `person`.
pub fn command(help: Help) -> Command {
    let roles = PersonRole::ALL.iter().map(|role| role.word());
    let login = || {
        help.place(
            "login",
            help.text("TÊN-ĐĂNG-NHẬP", "LOGIN"),
            help.text("Tên đăng nhập", "The name the person logs in with"),
        )
    };
    let password_file = || {
        help.file(
            "password-file",
            help.text(
                "Ghi mật khẩu đầu tiên vào tệp mới này (chỉ chủ tệp đọc được) thay vì hiện ra màn hình",
                "Write the first password to this new file (readable only by its owner) instead of showing it",
            ),
        )
    };
    Command::new("person")
        .about(help.text("Tài khoản người dùng: thêm, liệt kê, cấp lại mật khẩu, đóng", "User accounts: add, list, set a new password, close"))
        .subcommand_required(true)
        .subcommand(
            Command::new("add")
                .about(help.text("Thêm tài khoản; mật khẩu đầu tiên hiện một lần và phải đổi khi đăng nhập", "Add an account; its first password is shown once and must be changed at login"))
                .arg(login())
                .arg(help.option("name", help.text("HỌ TÊN", "NAME"), help.text("Họ và tên", "Full name")).required(true))
                .arg(
                    help.option("role", help.text("VAI TRÒ", "ROLE"), help.text(
                        "officer cán bộ CNTT, head lãnh đạo, police công an, auditor kiểm tra, administrator quản trị",
                        "The person's role, which says what they may do",
                    ))
                    .value_parser(PossibleValuesParser::new(roles))
                    .default_value("officer"),
                )
                .arg(help.option("office", help.text("MÃ-CƠ-QUAN", "OFFICE"), help.text(
                    "Chỉ thấy cơ quan này và các đơn vị bên dưới; không nêu thì thấy tất cả",
                    "Limit the account to this office and those below it; by default it sees all",
                )))
                .arg(password_file()),
        )
        .subcommand(Command::new("list").about(help.text("Liệt kê tài khoản", "List accounts")))
        .subcommand(
            Command::new("password")
                .about(help.text("Cấp mật khẩu mới và kết thúc mọi phiên đăng nhập của người này", "Set a new password and end all sessions of the person"))
                .arg(login())
                .arg(password_file()),
        )
        .subcommand(
            Command::new("close")
                .about(help.text("Đóng hẳn tài khoản và kết thúc mọi phiên đăng nhập của người này", "Close an account permanently and end all its sessions"))
                .arg(login()),
        )
}

/// A person as JSON shows one: no hash, no password.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: &'a str,
    login: &'a str,
    name: &'a str,
    role: PersonRole,
    office: Option<&'a str>,
    created_at: i64,
    last_login_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<i64>,
}

impl<'a> Shown<'a> {
    fn of(person: &'a Person) -> Self {
        Self {
            id: &person.id,
            login: &person.login,
            name: &person.name,
            role: person.role,
            office: person.office.as_deref(),
            created_at: person.created_at,
            last_login_at: person.last_login_at,
            closed_at: person.disabled_at,
        }
    }
}

/// Lists, adds or changes people.
///
/// # Errors
/// The login is taken or unknown, nobody could see the password, or the database fails.
pub async fn perform(
    verb: &str,
    given: &ArgMatches,
    context: &CommandContext,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    if verb == "list" {
        return list(context, terminal).await;
    }
    if verb == "close" {
        let person = person_close(&context.db, &context.by(), &text(given, "login")).await?;
        return terminal.answer(&Shown::of(&person), |terminal| {
            terminal.own(text!("Đã đóng tài khoản {} ({})", "Closed the account {} ({})", person.login, person.name))
        });
    }
    let way = Way::of(given, terminal)?;
    let (person, secret) = if verb == "add" {
        let new = NewPerson {
            login: text(given, "login"),
            name: text(given, "name"),
            role: text(given, "role").parse()?,
            office: given.get_one::<String>("office").cloned(),
        };
        person_add(&context.db, &context.by(), &new).await?
    } else {
        password_reset(&context.db, &context.by(), &text(given, "login")).await?
    };
    way.hand_over(&secret, terminal)?;
    terminal.answer(&Shown::of(&person), |terminal| {
        terminal.own(text!("Tài khoản: {} ({})", "Account: {} ({})", person.login, person.name))
    })
}

/// How the first password reaches its person.
enum Way<'a> {
    Screen,
    File(&'a Path),
}

impl<'a> Way<'a> {
    /// Decided before anything is changed: an account whose password nobody saw is useless.
    fn of(given: &'a ArgMatches, terminal: &Terminal) -> anyhow::Result<Self> {
        match given.get_one::<PathBuf>("password-file") {
            Some(path) if path.exists() => Err(UserError::from(text!(
                "Tệp {} đã có. Hãy chọn tên khác.",
                "The file {} exists. Choose another name.",
                path.display()
            ))
            .into()),
            Some(path) => Ok(Self::File(path)),
            None if terminal.is_watched() => Ok(Self::Screen),
            None => Err(UserError::new(
                "Không có màn hình để hiện mật khẩu đầu tiên. Hãy nêu --password-file TỆP.",
                "There is no terminal to show the first password on. Give --password-file FILE.",
            )
            .into()),
        }
    }

    fn hand_over(&self, secret: &str, terminal: &Terminal) -> anyhow::Result<()> {
        match self {
            Self::File(path) => file::write(path, format!("{secret}\n").as_bytes()),
            Self::Screen => {
                terminal.complain(&terminal.own(text!(
                    "Mật khẩu đầu tiên (chỉ hiện một lần, phải đổi khi đăng nhập): {secret}",
                    "First password (shown once, must be changed at the first login): {secret}"
                )));
                Ok(())
            }
        }
    }
}

async fn list(context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let people = context.db.read().await?.person_list(&Scope::whole()).await?;
    let shown: Vec<Shown<'_>> = people.iter().map(Shown::of).collect();
    terminal.answer(&shown, |terminal| {
        let heads = [
            ("Tên đăng nhập", "Login"),
            ("Họ và tên", "Name"),
            ("Vai trò", "Role"),
            ("Cơ quan", "Office"),
            ("Đăng nhập gần nhất", "Last login"),
            ("Đã đóng", "Closed"),
        ];
        let rows = people.iter().map(|person| {
            vec![
                person.login.clone(),
                person.name.clone(),
                person.role.word().to_owned(),
                person.office.clone().unwrap_or_default(),
                person.last_login_at.map(|at| moment(at, &context.zone)).unwrap_or_default(),
                person.disabled_at.map(|at| moment(at, &context.zone)).unwrap_or_default(),
            ]
        });
        terminal.table(&heads, rows)
    })
}
