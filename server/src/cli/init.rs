//! `init`: makes a new server: its folder, keys, certificates and database.

use std::path::Path;

use clap::{ArgAction, ArgMatches, Command};
use policies::text;
use serde::Serialize;

use super::terminal::Terminal;
use super::{Help, text};
use crate::app::opening::{Wanted, store_open};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::secrets::folder::folder_prepare;
use crate::secrets::{Places, Secrets, file, secrets_create};

/// The command line of `init`.
pub fn command(help: Help) -> Command {
    Command::new("init")
        .about(help.text("Tạo máy chủ mới: thư mục dữ liệu, khoá, chứng thư, cơ sở dữ liệu", "Create a new server: data folder, keys, certificates, database"))
        .long_about(help.text(
            "Tạo máy chủ mới trong thư mục dữ liệu: khoá và chứng thư riêng, cơ sở dữ liệu, tệp server.toml. In ra dấu vân tay (SHA-256) mà \
             cán bộ giao cho từng máy khi đăng ký. Khoá dự phòng nằm trong thư mục offline, cần cất đi ngay; khoá ký bộ tiêu chí nằm trong \
             thư mục policy-signing, máy chủ khi chạy không đọc khoá này.",
            "Creates a new server in the data folder: its own keys and certificates, the database, server.toml. Prints the fingerprint (SHA-256) that \
             the officer gives out for each enrolment. The standby keys are in the folder offline; lock them away immediately. The key that signs \
             policies is in policy-signing; the running server never reads it.",
        ))
        .arg(
            help.option("host", help.text("TÊN|ĐỊA CHỈ", "NAME|IP"), help.text(
                "Tên hoặc địa chỉ IP mà người dùng và máy trạm dùng để kết nối (nêu nhiều lần được)",
                "Name or IP address that people and machines connect to (may be repeated)",
            ))
            .action(ArgAction::Append),
        )
        .arg(help.option("listen", help.text("ĐỊA CHỈ:CỔNG", "ADDR:PORT"), help.text("Nơi lắng nghe (mặc định 0.0.0.0:8443)", "Address to listen on (default 0.0.0.0:8443)")))
        .arg(help.option("database", "URL", help.text(
            "postgres://… ; không nêu thì dùng SQLite ngay trong thư mục dữ liệu",
            "postgres://...; without it, SQLite in the data folder",
        )))
}

/// What `init --json` prints.
#[derive(Debug, Serialize)]
struct Made {
    server: String,
    fingerprint: String,
    data: String,
    offline: String,
    policy_signing: String,
}

/// Makes the server.
///
/// # Errors
/// The folder is taken, a host is neither name nor address, the database cannot be reached, or something cannot be written.
pub async fn perform(given: &ArgMatches, data: &Path, clock: &Clock, terminal: &Terminal) -> anyhow::Result<()> {
    let mut config = Config::new(uuid::Uuid::now_v7().to_string());
    for host in given.get_many::<String>("host").unwrap_or_default() {
        if !config.listen.hosts.contains(host) {
            config.listen.hosts.push(host.clone());
        }
    }
    if let Some(address) = given.get_one::<String>("listen") {
        config.listen.address.clone_from(address);
    }
    let database = text(given, "database");
    if !database.is_empty() {
        config.database.url = database;
    }
    let config = config.validate()?;
    server_make(data, &config, clock).await?;
    let secrets = Secrets::read_quietly(data)?;
    let places = Places::new(data);
    let made = Made {
        server: config.server.clone(),
        fingerprint: secrets.server_ca.fingerprint().to_string(),
        data: data.display().to_string(),
        offline: places.offline().display().to_string(),
        policy_signing: places.policy_signing().display().to_string(),
    };
    terminal.answer(&made, |terminal| {
        let Made { fingerprint, data, offline, policy_signing, .. } = &made;
        terminal.own(text!(
                "Đã tạo máy chủ trong {data}.\n\n\
                 Dấu vân tay của máy chủ (giao cho cán bộ đăng ký máy):\n  {fingerprint}\n\n\
                 VIỆC CẦN LÀM NGAY:\n\
                 - Chuyển thư mục {offline} sang thiết bị lưu trữ rời, cất trong tủ có khoá, rồi xoá khỏi máy chủ.\n  \
                   Trong đó là khoá dự phòng, chỉ cần khi khoá đang dùng bị lộ hoặc bị mất.\n\
                 - Khoá ký bộ tiêu chí nằm trong {policy_signing}; nên chuyển sang máy của người ký. Máy chủ khi chạy không đọc khoá này.",
                "The server was created in {data}.\n\n\
                 Fingerprint of the server (give it to whoever enrols machines):\n  {fingerprint}\n\n\
                 DO THIS NOW:\n\
                 - Move the folder {offline} to removable storage, lock it away and delete it from the server.\n  \
                   It holds the standby keys, which are needed only if a key in use is exposed or lost.\n\
                 - The key that signs policies is in {policy_signing}; move it to the signer's computer. The running server never reads it."
        ))
    })
}

/// Makes folder, keys, database and, last, `server.toml`, which completes the server.
///
/// # Errors
/// See [`perform`].
pub async fn server_make(data: &Path, config: &Config, clock: &Clock) -> anyhow::Result<()> {
    let hosts = config.hosts()?;
    folder_prepare(data)?;
    secrets_create(data, &config.server, &hosts, clock.now_ms())?;
    let marks = Secrets::read_quietly(data)?.marks(&config.server);
    store_open(data, config, &marks, Wanted::First).await?.close().await;
    file::write(&data.join(config::FILE), config.to_toml()?.as_bytes())
}
