//! Imports the server's answer: first the identity, then receipts, decisions and the policy. Everything is checked before anything
//! changes, and a stored report is only dropped for a receipt.

use std::path::Path;
use std::sync::Arc;

use protocol::unconnected::{FileAnswer, Invitation, UncheckedAnswer};
use protocol::{Assignment, EnrolAnswer};

use super::{AirgapState, FileError};
use crate::daemon::agent_state::AgentState;
use crate::daemon::once::look;
use crate::daemon::renew;
use crate::enrol;
use crate::identity::keys::MachineKey;
use crate::identity::start::StartError;
use crate::identity::{BadAnswer, Identity};
use crate::platform::clock::Clock;
use crate::policy::judgement::Judgement;
use crate::state::{Missing, StateFolder};
use collect::Collector;

/// How far the server's clock may be ahead of this machine's; milliseconds.
const AHEAD: i64 = 24 * 60 * 60 * 1000;

/// What an answer brought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Imported {
    /// The machine's id.
    pub(crate) machine: String,
    /// What the server decided.
    pub(crate) assignment: Option<Assignment>,
    /// True when this answer enrolled the machine.
    pub(crate) enrolled: bool,
    /// How many reports this answer confirmed as stored on the server.
    pub(crate) delivered: u64,
    /// Reports that still wait.
    pub(crate) waiting: u64,
    /// True when a new policy is in use.
    pub(crate) new_policy: bool,
    /// The result under the policy in use; none without a policy.
    pub(crate) judgement: Option<Judgement>,
}

/// Imports the answer `bytes`.
///
/// # Errors
/// See [`FileError`]; what was stored stays.
pub(crate) fn import(
    state: &Path,
    config: Option<&Path>,
    bytes: &[u8],
    collector: Collector,
    clock: Arc<Clock>,
) -> Result<Imported, FileError> {
    let unchecked = UncheckedAnswer::read(bytes)?;
    let folder = StateFolder::open(state, Missing::Refuse)?;
    let identity = Identity::load(&folder)?;
    let key = MachineKey::load(&folder).map_err(StartError::from)?.ok_or(StartError::NotEnrolled)?;
    let mut airgap_state = AirgapState::load(&folder)?;
    let server = unchecked.claimed_server();
    let point = match (&identity, &airgap_state.invitation) {
        (Some(identity), _) if identity.server == server => identity.receipt_point(),
        (_, Some(invitation)) if invitation.server == server => invitation.receipt_point(),
        _ => return Err(FileError::Foreign(policies::text::visible(server, 64))),
    };
    let server = server.to_owned();
    let mut answer = unchecked.open(&server, &point, key.signing().public_key())?;
    let enrolled = match answer.enrolment.take() {
        Some(enrolment) => identity_adopt(&folder, &clock, identity.as_ref(), &airgap_state, enrolment, &key)?,
        None => false,
    };
    if let (Some(refusal), true) = (&answer.refusal, identity.as_ref().is_none_or(|identity| identity.server != server))
    {
        return Err(FileError::Refused(refusal.message.clone()));
    }
    if enrolled {
        // The token is used up; the rest of the invitation is now in the identity.
        airgap_state = AirgapState::default();
        airgap_state.save(&folder)?;
    }
    // `AgentState` locks the folder itself.
    drop(folder);
    let mut agent_state = AgentState::open(state, config, collector, clock)?;
    let imported = answer_adopt(&mut agent_state, &mut airgap_state, &answer, enrolled)?;
    match answer.refusal {
        Some(refusal) => Err(FileError::Refused(refusal.message)),
        None => Ok(imported),
    }
}

/// Adopts the identity unless the machine already has it. True when it is new.
fn identity_adopt(
    folder: &StateFolder,
    clock: &Clock,
    former: Option<&Identity>,
    airgap_state: &AirgapState,
    answer: EnrolAnswer,
    key: &MachineKey,
) -> Result<bool, FileError> {
    let (assignment, server_time_at) = (answer.assignment.clone(), answer.server_time_at);
    let identity = Identity::enrolled("", answer, key.signing().public_key())?;
    if former.is_some_and(|former| former.machine == identity.machine && former.server == identity.server) {
        return Ok(false);
    }
    let invitation = airgap_state.invitation.as_ref().ok_or(FileError::NotInvited)?;
    if !is_of(&identity, invitation) {
        return Err(BadAnswer("its keys are not those of the invitation".to_owned()).into());
    }
    enrol::adopt(folder, clock, former, &identity, &assignment, server_time_at)?;
    Ok(true)
}

fn is_of(identity: &Identity, invitation: &Invitation) -> bool {
    identity.server == invitation.server
        && identity.receipt_key == invitation.receipt_key
        && identity.server_cas.iter().any(|certificate| invitation.server_cas.contains(certificate))
}

fn answer_adopt(
    agent_state: &mut AgentState,
    airgap_state: &mut AirgapState,
    answer: &FileAnswer,
    enrolled: bool,
) -> Result<Imported, FileError> {
    // An answer dated in the future was made while the server's clock was ahead; it does not make later answers count
    // as old.
    let believable = airgap_state.answered_at <= agent_state.clock.trusted().saturating_add(AHEAD);
    let older = answer.server_time_at < airgap_state.answered_at && believable;
    let unread = |error: std::io::Error| FileError::Report(error.into());
    let settled = match &answer.assignment {
        Some(assignment) => {
            agent_state.delivery.answered_by_file(answer, assignment, &agent_state.state).map_err(unread)?
        }
        None => crate::report::delivery::airgap::Settled::default(),
    };
    if older && !settled.concerned {
        return Err(FileError::Older);
    }
    if settled.concerned {
        airgap_state.need.clone_from(&settled.need);
    }
    let mut policy = Ok(false);
    if !older {
        if let Some(renewal) = &answer.renewal {
            renewal_adopt(agent_state, renewal.clone())?;
        }
        if let Some(assignment) = &answer.assignment {
            agent_state.learn(assignment, answer.server_time_at);
        }
        airgap_state.answered_at = answer.server_time_at;
        policy = match &answer.policy {
            Some(bundle) if Some(bundle.address()) != agent_state.policies.address() => {
                agent_state.policy_use(bundle).map(|()| true)
            }
            _ => Ok(false),
        };
    }
    airgap_state.save(&agent_state.state)?;
    let new_policy = policy?;
    look(agent_state).map_err(FileError::Report)?;
    Ok(Imported {
        machine: agent_state.identity.machine.clone(),
        assignment: agent_state.last_answer.assignment.clone(),
        enrolled,
        delivered: settled.delivered,
        waiting: agent_state.delivery.spool.count(),
        new_policy,
        judgement: agent_state.judge()?,
    })
}

/// Adopts a new certificate when it expires later than the current one.
fn renewal_adopt(agent_state: &mut AgentState, answer: protocol::RenewAnswer) -> Result<(), FileError> {
    let renewed = agent_state.identity.renewed(answer.clone(), agent_state.key().signing().public_key())?;
    if renewed.validity().until > agent_state.validity().until {
        renew::adopt(agent_state, answer).map_err(FileError::Report)?;
    }
    Ok(())
}
