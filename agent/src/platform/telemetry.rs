//! The log: few lines, on standard error or, for a service that has none, in a file of bounded size. Never logged: tokens, keys,
//! file contents, texts of facts.
//!
//! `info`: a start, an end, a change of state; `warn`: trouble that passes by itself; `error`: what a person must look
//! at.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[cfg(any(windows, test))]
mod file;

/// The environment variable with the log filter, such as `agent=debug`. Default: `info` for our own code, `warn` for
/// everything else.
const VARIABLE: &str = "TRAM_AN_LOG";

/// The log file in the state folder, used where there is no standard error.
#[cfg(windows)]
pub const FILE: &str = "agent.log";

/// Starts logging to standard error. A second call in one process does nothing.
pub fn start() {
    start_with(std::io::stderr);
}

/// Starts logging to a file, in a folder that only the agent may write to.
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
