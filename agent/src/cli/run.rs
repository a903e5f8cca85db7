//! `posture-agent run`: starts the daemon, for a console or a service manager.

use std::sync::Arc;

use super::{Exit, RunOptions, runtime};
use crate::cli::terminal::Terminal;
use crate::daemon::agent_state::AgentState;
use crate::daemon::run;
use crate::enrol::pending_enrolment::{self, Settled};
use crate::identity::start::StartError;
use crate::platform::logbook::{self, Entry};
use crate::platform::service::{self, Manager};
use crate::platform::telemetry;
use crate::platform::{self, clock::Clock};
use collect::Collector;

/// Runs until told to stop.
///
/// # Errors
/// When it cannot start.
pub(super) fn run(options: &RunOptions, _terminal: &Terminal) -> anyhow::Result<Exit> {
    let options = options.clone();
    service::attend(move |manager| work(&options, manager))?;
    Ok(Exit::Fine)
}

fn work(options: &RunOptions, mut manager: Manager) -> anyhow::Result<()> {
    prepare(options, &manager)?;
    let (clock, collector) = (Arc::new(Clock::system()), Collector::of_this_machine(platform::door()));
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let mut service_events = manager.service_events()?;
        let (state, config) = (&options.state, options.config.as_deref());
        let ready = || manager.ready();
        if pending_enrolment::settle(state, config, &collector, &clock, &mut service_events, ready).await?
            == Settled::Ends
        {
            manager.stopping();
            return Ok(());
        }
        match AgentState::open(state, config, collector, clock) {
            Ok(agent_state) => run::run(agent_state, service_events, &manager).await,
            // Restarting would not connect it.
            Err(StartError::NotEnrolled) if manager.is_service() => {
                logbook::enter(&Entry::NotEnrolled);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    });
    // A hanging collector must not delay the exit.
    runtime.shutdown_background();
    ended
}

/// Sets up logging. A console shows the log; a Windows service writes it into its own folder, after closing that folder to others
/// and taking over what the installer left.
#[cfg(windows)]
fn prepare(options: &RunOptions, starter: &Manager) -> anyhow::Result<()> {
    use anyhow::Context;

    use crate::enrol::Invitation;
    use crate::install::manager;
    use crate::platform::windows::{event_log, handover, service_guard};
    use crate::state::{Missing, StateFolder};
    use os::priority;

    if !starter.is_service() {
        telemetry::start();
        return Ok(());
    }
    priority::give_way();
    let registered = event_log::register();
    let state = StateFolder::open(&options.state, Missing::Create)?;
    telemetry::start_in_file(state.file(telemetry::FILE))?;
    if let Err(error) = registered {
        tracing::warn!(%error, "the source of our events could not be registered");
    }
    if let Err(error) = manager::refine_own() {
        tracing::warn!(%error, "the service's own settings could not be looked at");
    }
    match service_guard::closed() {
        Ok(None) => {}
        Ok(Some(found)) => tracing::warn!(found, "others could stop the service; now only administrators can"),
        Err(error) => tracing::warn!(%error, "who may stop the service could not be looked at"),
    }
    if let Some(handover) = handover::read().context("what the installer left in the registry")? {
        let invitation = Invitation {
            server: handover.server.clone(),
            token: handover.token.clone(),
            fingerprint: handover.fingerprint.clone(),
            place: String::new(),
        };
        pending_enrolment::invite(&state, &invitation)?;
        handover.taken().context("the token in the registry")?;
    }
    Ok(())
}

/// The log goes to standard error, which the console shows and the journal keeps.
#[cfg(not(windows))]
#[expect(clippy::unnecessary_wraps, reason = "on Windows it may fail")]
fn prepare(_options: &RunOptions, _manager: &Manager) -> anyhow::Result<()> {
    telemetry::start();
    Ok(())
}
