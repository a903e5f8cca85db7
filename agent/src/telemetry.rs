//! The log: lines on standard error, few of them. Never in the log: tokens, keys, file contents, texts of facts.
//!
//! `info` a start, an end, a change of course; `warn` trouble that passes by itself; `error` what a person must look at.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that says what to log, such as `agent=debug`. Default: `info` of our own, `warn` of everything else.
const VARIABLE: &str = "TRAM_AN_LOG";

/// Starts logging. A second start in one process changes nothing.
pub fn start() {
    let asked = std::env::var(VARIABLE).ok().and_then(|text| text.parse::<Targets>().ok());
    let filter =
        asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN).with_target("agent", LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    drop(tracing_subscriber::registry().with(filter).with(lines).try_init());
}
