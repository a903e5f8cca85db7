//! Makes a file: an enrolment request until the server has answered one, then the waiting reports. Making it again with no answer in
//! between gives the same reports, byte for byte, followed by the newest.

use std::path::Path;
use std::sync::Arc;

use protocol::unconnected::export::export_seal;
use protocol::unconnected::{Content, ExportHead, Invitation};

use super::{AirgapState, FileError};
use crate::daemon::agent_state::AgentState;
use crate::daemon::once::look;
use crate::daemon::renew;
use crate::enrol;
use crate::identity::Identity;
use crate::identity::keys::MachineKey;
use crate::identity::start::StartError;
use crate::platform::clock::Clock;
use crate::state::{Missing, StateError, StateFolder};
use collect::Collector;

/// A person's declaration that the machine does not process state secrets. Nothing is exported without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSecret;

/// What the person at the machine provides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handed {
    /// The officer's invitation; when absent, the one given before.
    pub(crate) invitation: Option<Invitation>,
    /// Room and person of the roster line; when empty, what was given before.
    pub(crate) place: String,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exported {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// What it holds.
    pub(crate) what: What,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An enrolment request for this office.
    Enrolment {
        /// The office's name.
        office: String,
    },
    /// Reports.
    Reports {
        /// The machine's id.
        machine: String,
        /// How many.
        reports: u64,
        /// How many still wait because they did not fit.
        left: u64,
    },
}

/// Makes a file for the server.
///
/// # Errors
/// See [`FileError`]. A key or report made before the error is kept for next time.
pub(crate) fn export(
    _said: NotSecret,
    state: &Path,
    config: Option<&Path>,
    handed: Handed,
    collector: Collector,
    clock: Arc<Clock>,
) -> Result<Exported, FileError> {
    let missing = if handed.invitation.is_some() { Missing::Create } else { Missing::Refuse };
    let folder = StateFolder::open(state, missing)?;
    let invited = handed.invitation.is_some();
    let identity = match Identity::load(&folder) {
        Err(StateError::Damaged { .. }) if invited => {
            // The former identity is lost: the server would refuse its key.
            Identity::load_or_set_aside(&folder)?;
            MachineKey::make_anew(&folder).map_err(StartError::from)?;
            None
        }
        read => read?,
    };
    let mut airgap_state = AirgapState::load(&folder)?;
    if invited || !handed.place.is_empty() {
        airgap_state.invitation = handed.invitation.or(airgap_state.invitation);
        airgap_state.place = if handed.place.is_empty() { airgap_state.place } else { handed.place };
        airgap_state.save(&folder)?;
    }
    match (identity, &airgap_state.invitation) {
        (None, None) => Err(FileError::NotInvited),
        (None, Some(invitation)) => enrolment(&folder, invitation, &airgap_state.place, &collector, &clock),
        (Some(identity), Some(invitation)) if invited && invitation.server != identity.server => {
            enrolment(&folder, invitation, &airgap_state.place, &collector, &clock)
        }
        (Some(_), _) => {
            // `AgentState` locks the folder itself.
            drop(folder);
            reports(&mut AgentState::open(state, config, collector, clock)?, &airgap_state)
        }
    }
}

fn enrolment(
    folder: &StateFolder,
    invitation: &Invitation,
    place: &str,
    collector: &Collector,
    clock: &Clock,
) -> Result<Exported, FileError> {
    let key = MachineKey::load_or_make(folder).map_err(StartError::from)?;
    let request = enrol::request(&invitation.token, place, &key, collector, clock)?;
    let head = head(&invitation.server, clock, Content::Enrolment { request });
    let bytes = export_seal(&head, &[], key.signing(), &invitation.sealing()?)?;
    Ok(Exported { bytes, what: What::Enrolment { office: invitation.office.clone() } })
}

fn reports(agent_state: &mut AgentState, airgap_state: &AirgapState) -> Result<Exported, FileError> {
    let invited =
        airgap_state.invitation.as_ref().filter(|invitation| invitation.server == agent_state.identity.server);
    let sealing = match (agent_state.identity.sealing(), invited) {
        (_, Some(invitation)) => invitation.sealing()?,
        (Some(sealing), None) => sealing,
        (None, None) => return Err(FileError::NoSealingKey),
    };
    look(agent_state).map_err(FileError::Report)?;
    let outcomes = agent_state.judged().map(|judgement| judgement.digest());
    agent_state.report(outcomes).map_err(|error| FileError::Report(error.into()))?;
    let unread = |error: std::io::Error| FileError::Report(error.into());
    if let Some((of, sections)) = &airgap_state.need {
        agent_state.delivery.supply_again(*of, sections, &agent_state.state).map_err(unread)?;
    }
    let carried = agent_state.delivery.carried().map_err(unread)?;
    let renewal = if agent_state.validity().renewal_is_due(agent_state.clock.trusted()) {
        Some(renew::request(agent_state).map_err(|error| FileError::Report(error.into()))?)
    } else {
        None
    };
    let machine = agent_state.identity.machine.clone();
    let content = Content::Reports { machine: machine.clone(), renewal, left: carried.left };
    let head = head(&agent_state.identity.server, &agent_state.clock, content);
    let bytes = export_seal(&head, &carried.requests, agent_state.key().signing(), &sealing)?;
    Ok(Exported { bytes, what: What::Reports { machine, reports: carried.reports, left: carried.left } })
}

fn head(server: &str, clock: &Clock, content: Content) -> ExportHead {
    ExportHead {
        server: server.to_owned(),
        made_at: clock.now(),
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        not_secret: true,
        receipts: 0,
        checkpoint: None,
        content,
    }
}
