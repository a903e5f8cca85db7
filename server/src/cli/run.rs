//! `run`: the server itself, until it is asked to stop. At start any error stops it; once running, errors are logged and it continues.

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{ArgMatches, Command};
use policies::text;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::Help;
use super::context::operator_name;
use super::terminal::Terminal;
use crate::app::App;
use crate::app::opening::{StoreLock, Wanted};
use crate::audit::Actor;
use crate::bound::flood::{Flood, TOLD_EVERY};
use crate::bound::open_files;
use crate::clock::Clock;
use crate::config::{Config, WebCertificate};
use crate::error::UserError;
use crate::serve::{Serving, serve};
use crate::tls::Deadlines;

/// The command line of `run`.
pub fn command(help: Help) -> Command {
    Command::new("run")
        .about(help.text("Chạy máy chủ", "Run the server"))
        .long_about(help.text(
            "Chạy máy chủ cho đến khi nhận SIGTERM hoặc Ctrl-C: một cổng cho máy trạm và trang web (HTTPS). Nhật ký ra lỗi chuẩn; mức nhật ký theo \
             biến TRAM_AN_LOG (mặc định info).",
            "Runs the server until SIGTERM or Ctrl-C: one port for agents and web pages (HTTPS). Logs go to standard error; set the level with \
             TRAM_AN_LOG (default info).",
        ))
        .arg(help.option("listen", help.text("ĐỊA CHỈ:CỔNG", "ADDR:PORT"), help.text(
            "Nơi lắng nghe thay cho server.toml; cổng 0 là cổng bất kỳ",
            "Address to listen on instead of the one in server.toml; port 0 means any port",
        )))
        .arg(help.flag("ready-json", help.text(
            "Khi sẵn sàng, in một dòng JSON {\"address\", \"fingerprint\"}",
            "Print one line of JSON when ready: {\"address\", \"fingerprint\"}",
        )))
        .arg(help.flag("new-store", help.text(
            "Cơ sở dữ liệu đã mất và không có bản sao lưu: tạo cơ sở dữ liệu trống (chỉ khi nơi lưu đang trống; được ghi vào nhật ký thao tác)",
            "The database is lost and there is no backup: create an empty one (only if there is none; recorded in the audit log)",
        )))
        .arg(help.file("web-cert", help.text("Chứng thư riêng cho trang web (PEM, cả chuỗi)", "Certificate for the web pages (PEM, with its chain)")).requires("web-key"))
        .arg(help.file("web-key", help.text("Khoá của chứng thư đó (PEM)", "Key of that certificate (PEM)")).requires("web-cert"))
}

#[derive(Debug, Serialize)]
struct Ready {
    address: SocketAddr,
    fingerprint: String,
}

/// Runs the server.
///
/// # Errors
/// It cannot start: keys open to others; database away, damaged, another server's or in use; port taken; certificate unusable.
pub async fn perform(given: &ArgMatches, data: &Path, terminal: &Terminal) -> anyhow::Result<()> {
    let flood = log_start();
    let files = open_files::raise();
    let mut config = Config::read(data)?;
    if let Some(address) = given.get_one::<String>("listen") {
        config.listen.address.clone_from(address);
    }
    if let (Some(certificate), Some(key)) = (given.get_one::<PathBuf>("web-cert"), given.get_one::<PathBuf>("web-key"))
    {
        config.web = Some(WebCertificate { certificate: certificate.clone(), key: key.clone() });
    }
    let config = config.validate()?;
    // Registered first, so that no signal is missed between readiness and waiting.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    // Held until the end: commands may use the store at the same time, another server may not.
    let _lock = StoreLock::take(data, &config)?;
    let wanted = if given.get_flag("new-store") {
        Wanted::Anew { by: Actor::Operator(operator_name()), at: Clock::System.now_ms() }
    } else {
        Wanted::Existing
    };
    let app = App::open(data, config, Clock::System, wanted).await?;
    let listener = listen(&app.config.listen.address)?;
    let fingerprint = app.secrets.server_ca.fingerprint().to_string();
    let deadlines = Deadlines::within(files);
    let Deadlines { handshakes, strangers, machines, .. } = deadlines;
    tracing::info!(files, handshakes, strangers, machines, "connections that may be open at the same time");
    let serving = serve(app, data, listener, deadlines).await?;
    let telling = tokio::spawn(flood_tell(flood.clone()));
    tracing::info!(address = %serving.address(), fingerprint, "the server accepts connections");
    if given.get_flag("ready-json") {
        terminal.print(&serde_json::to_string(&Ready { address: serving.address(), fingerprint })?)?;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        result = serving.broken() => return result,
    }
    tracing::info!("asked to end");
    let ended = Serving::stop(serving).await;
    telling.abort();
    flood.tell();
    ended
}

/// Reports every minute what was left out of the log.
async fn flood_tell(flood: Flood) {
    let mut minutes = tokio::time::interval(TOLD_EVERY);
    loop {
        minutes.tick().await;
        flood.tell();
    }
}

fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).map_err(|cause| {
        UserError::from(text!(
            "Không mở được {address}. Cổng có thể đang được chương trình khác dùng; chọn cổng khác bằng --listen.",
            "Cannot listen on {address}. Another program may use the port; choose another with --listen."
        ))
        .because(cause)
    })?;
    bound.set_nonblocking(true)?;
    Ok(bound)
}

/// Logs go to standard error, one line per event, except for floods. Started once per process; a second start (in tests) leaves the first
/// in place.
fn log_start() -> Flood {
    let flood = Flood::default();
    let filter = EnvFilter::try_from_env("TRAM_AN_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let written = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter(filter.and(flood.clone()));
    if tracing_subscriber::registry().with(written).try_init().is_err() {
        tracing::debug!("logging was started before");
    }
    flood
}
