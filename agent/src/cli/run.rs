//! `posture-agent run`: starts the daemon.

use std::sync::Arc;

use super::{Exit, RunOptions, runtime};
use crate::clock::Clock;
use crate::collect::Collector;
use crate::service::{Notifier, Stop};
use crate::station::Station;
use crate::terminal::Terminal;
use crate::{run, telemetry};

/// Runs until it is told to end.
///
/// # Errors
/// When it cannot start.
pub(super) fn run(options: &RunOptions, _terminal: &Terminal) -> anyhow::Result<Exit> {
    telemetry::start();
    let notifier = Notifier::new(std::env::var_os("NOTIFY_SOCKET"))?;
    let clock = Arc::new(Clock::system());
    let station = Station::open(&options.state, options.config.as_deref(), Collector::of_this_machine(), clock)?;
    let runtime = runtime()?;
    let ended = runtime.block_on(async { run::run(station, Stop::listen()?, &notifier).await });
    // A collector that hangs must not delay the end.
    runtime.shutdown_background();
    ended.map(|()| Exit::Fine)
}
