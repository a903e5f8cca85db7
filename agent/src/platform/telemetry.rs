//! The log: few lines, on standard error or, where a service has none, in a file of bounded size. Never in the log: tokens, keys,
//! file contents, texts of facts.
//!
//! `info` a start, an end, a change of course; `warn` trouble that passes by itself; `error` what a person must look at.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[cfg(any(windows, test))]
mod file;

/// The variable that says what to log, such as `agent=debug`. Default: `info` of our own, `warn` of everything else.
const VARIABLE: &str = "TRAM_AN_LOG";

/// The log's file in the state folder, where there is no standard error.
#[cfg(windows)]
pub const FILE: &str = "agent.log";

/// Starts logging on standard error. A second start in one process changes nothing.
pub fn start() {
    start_with(std::io::stderr);
}

/// Starts logging into a file, whose folder only the agent may write to.
///
/// # Errors
/// When the file cannot be opened.
#[cfg(windows)]
pub fn start_in_file(path: std::path::PathBuf) -> std::io::Result<()> {
    start_with(file::CappedFile::open(path)?);
    Ok(())
}

fn start_with(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let asked = std::env::var(VARIABLE).ok().and_then(|text| text.parse::<Targets>().ok());
    let filter =
        asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN).with_target("agent", LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).with_target(false);
    drop(tracing_subscriber::registry().with(filter).with(lines).try_init());
}
