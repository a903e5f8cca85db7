//! An invitation that waits in the state folder until the agent itself takes it up: the person who installs the program may use
//! another account than the one that runs it, and need not wait until the server can be reached.
//!
//! The answer to "are we connected, and if not, why not" stays in a file next to it, for the installer and for the person at the
//! machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use policies::text::Text;
use protocol::Digest;
use serde::{Deserialize, Serialize};

use crate::connection::backoff::Backoff;
use crate::enrol::{EnrolError, Invitation, enrol, fingerprint_read};
use crate::identity::Identity;
use crate::identity::keys::MachineKey;
use crate::identity::start::StartError;
use crate::platform::clock::Clock;
use crate::platform::logbook::{self, Entry};
use crate::platform::random;
use crate::platform::service::{ServiceEvent, ServiceEvents};
use crate::policy::last_answer::LastAnswer;
use crate::state::{Durability, Missing, StateError, StateFolder};
use collect::Collector;

/// The invitation's file: holds the token until it is used.
const INVITATION: &str = "invitation.json";
/// The file with the progress of the enrolment.
const PROGRESS: &str = "joining.json";

/// Marks that a removal is in progress.
const LEAVING: &str = "leaving";

/// The progress of an enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EnrolmentProgress {
    /// The stage reached.
    pub(crate) stage: Stage,
    /// The office once connected, otherwise the reason why not.
    pub(crate) words: Text,
}

/// A stage of an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Connected.
    Connected,
    /// An attempt failed; the agent will retry by itself.
    Waiting,
    /// The server refused for good, or the invitation is invalid.
    Refused,
}

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// No invitation is waiting any more; the identity says whether the machine is connected.
    Yes,
    /// The program has to stop.
    Ends,
}

/// Stores an invitation for the agent and forgets the result of an earlier one.
///
/// # Errors
/// When the state folder refuses.
#[cfg(any(windows, test))]
pub(crate) fn invite(state: &StateFolder, invitation: &Invitation) -> Result<(), StateError> {
    state.remove(PROGRESS)?;
    state.write_json(INVITATION, invitation, Durability::Synced)
}

/// Marks that the program is about to be removed, so that the agent says so in its last message. Does nothing without a state folder:
/// then there is no agent to say it.
#[cfg(any(windows, test))]
pub(crate) fn leave(state: &Path) {
    if state.is_dir()
        && let Err(error) = std::fs::write(state.join(LEAVING), b"")
    {
        tracing::warn!(%error, "the server will not be told that the program was removed");
    }
}

/// Removes that mark: the program stays.
///
/// # Errors
/// When the state folder refuses.
pub(crate) fn stay(state: &StateFolder) -> Result<(), StateError> {
    state.remove(LEAVING)
}

/// True when the program is about to be removed.
pub(crate) fn is_leaving(state: &StateFolder) -> bool {
    state.file(LEAVING).exists()
}

/// The progress as the agent last wrote it. The agent may be running, so this reads without the folder's lock.
#[cfg(any(windows, test))]
pub(crate) fn progress(state: &Path) -> Option<EnrolmentProgress> {
    serde_json::from_slice(&std::fs::read(state.join(PROGRESS)).ok()?).ok()
}

/// Takes up a waiting invitation, if any: enrols, retrying for as long as it takes. `ready` is called once, when an invitation turns
/// out to be waiting.
///
/// # Errors
/// When the state folder refuses.
pub(crate) async fn settle(
    path: &Path,
    config: Option<&Path>,
    collector: &Collector,
    clock: &Arc<Clock>,
    service_events: &mut ServiceEvents,
    ready: impl FnOnce(),
) -> Result<Settled, StateError> {
    let Some((invitation, enrolled)) = waiting(path)? else { return Ok(Settled::Yes) };
    ready();
    let mut backoff = Backoff::default();
    loop {
        let attempt = tokio::select! {
            biased;
            service_event = service_events.next() => match service_event {
                ServiceEvent::Stop(_) => return Ok(Settled::Ends),
                ServiceEvent::Awake => continue,
            },
            attempt = enrol(&invitation, path, config, collector, Arc::clone(clock)) => attempt,
        };
        let error = match attempt {
            Ok(enrolled) => {
                let office = enrolled.assignment.office;
                close(path, Stage::Connected, Text::new(office.clone(), office.clone()))?;
                logbook::enter(&Entry::Enrolled { office });
                return Ok(Settled::Yes);
            }
            Err(EnrolError::Start(StartError::State(error))) => return Err(error),
            Err(error) => error,
        };
        if enrolled && error.is_enrolled() {
            let state = StateFolder::open(path, Missing::Refuse)?;
            let office = LastAnswer::load(&state)?.assignment.map(|assignment| assignment.office).unwrap_or_default();
            end(&state, Stage::Connected, Text::new(office.clone(), office))?;
            return Ok(Settled::Yes);
        }
        if is_final(&error) {
            close(path, Stage::Refused, error.text())?;
            logbook::enter(&Entry::EnrolmentRefused { reason: error.text() });
            return Ok(Settled::Yes);
        }
        let asked = match &error {
            EnrolError::Wire(error) => error.retry_after(),
            _ => None,
        };
        let wait = backoff.failed(asked, random::unit());
        tracing::warn!(wait_s = wait.as_secs(), %error, "not connected yet");
        keep(path, &EnrolmentProgress { stage: Stage::Waiting, words: error.text() })?;
        // A machine that is upgraded while away from its server keeps its identity, and asks again at its next start.
        if enrolled {
            return Ok(Settled::Yes);
        }
        if rest(service_events, wait).await {
            return Ok(Settled::Ends);
        }
    }
}

/// Waits; true when the program has to stop. A machine that has just woken up stops waiting.
async fn rest(service_events: &mut ServiceEvents, wait: Duration) -> bool {
    tokio::select! {
        service_event = service_events.next() => matches!(service_event, ServiceEvent::Stop(_)),
        () = tokio::time::sleep(wait) => false,
    }
}

/// The waiting invitation, and true when the machine already has an identity with that server (an upgrade is given the same values
/// again). Only the server knows whether that identity is still valid.
fn waiting(path: &Path) -> Result<Option<(Invitation, bool)>, StateError> {
    if !path.is_dir() {
        return Ok(None);
    }
    let state = StateFolder::open(path, Missing::Refuse)?;
    let invitation = match state.read_json::<Invitation>(INVITATION) {
        Err(error @ StateError::Damaged { .. }) => {
            tracing::error!(%error, "the invitation is given up");
            state.way_clear(INVITATION)?;
            state.remove(INVITATION)?;
            None
        }
        read => read?,
    };
    let Some(invitation) = invitation else { return Ok(None) };
    let fingerprint = fingerprint_read(&invitation.fingerprint).ok();
    // Enrolment sets damaged files aside.
    let enrolled = match (Identity::load(&state), MachineKey::load(&state)) {
        (Ok(Some(identity)), Ok(Some(key))) => {
            identity.is_for(key.signing().public_key())
                && identity.authorities().iter().any(|authority| Some(Digest::of(authority)) == fingerprint)
        }
        _ => false,
    };
    Ok(Some((invitation, enrolled)))
}

/// True when retrying cannot help.
fn is_final(error: &EnrolError) -> bool {
    match error {
        EnrolError::Address(_) | EnrolError::Fingerprint | EnrolError::Token(_) => true,
        EnrolError::Wire(error) => error.is_final(),
        EnrolError::Start(_) => false,
    }
}

fn close(path: &Path, stage: Stage, words: Text) -> Result<(), StateError> {
    end(&StateFolder::open(path, Missing::Refuse)?, stage, words)
}

/// Finishes with the invitation. The result is written before the invitation is removed: a power cut in between costs
/// one more attempt.
fn end(state: &StateFolder, stage: Stage, words: Text) -> Result<(), StateError> {
    state.write_json(PROGRESS, &EnrolmentProgress { stage, words }, Durability::Synced)?;
    state.remove(INVITATION)
}

fn keep(path: &Path, enrolment: &EnrolmentProgress) -> Result<(), StateError> {
    StateFolder::open(path, Missing::Refuse)?.write_json(PROGRESS, enrolment, Durability::Relaxed)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::connection::test_server::{Server, run};
    use crate::connection::tls::tests::authority;
    use crate::enrol::tests::{TOKEN, admit, invitation, nothing_recorded};
    use crate::platform::service::Manager;

    /// A machine that was given `invitation`, and the result.
    async fn settled(state: &Path, ready: impl FnOnce()) -> Settled {
        let collector = nothing_recorded();
        let mut service_events = Manager::new(None).unwrap().service_events().unwrap();
        settle(state, None, &collector, &Arc::new(Clock::system()), &mut service_events, ready).await.unwrap()
    }

    fn invited(state: &Path, server: &str, token: &str, fingerprint: Digest) {
        let invitation = invitation(server, token, &fingerprint.to_string());
        invite(&StateFolder::open(state, Missing::Create).unwrap(), &invitation).unwrap();
    }

    fn refusal(code: &str) -> protocol::Refusal {
        protocol::Refusal {
            code: code.to_owned(),
            message: Text::new("Mã đã hết hạn.", "The token has expired."),
            action: protocol::RefusalAction::Final,
            retry_after_s: None,
        }
    }

    #[test]
    fn an_invitation_is_taken_up_once_its_server_answers_and_does_not_keep_its_token() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let state = folder.path().join("state");
            let (ours, clients) = (authority("ours"), authority("clients"));
            let fingerprint = Digest::of(&ours.der);
            let ca = ours.der.clone();
            let busy = Mutex::new(1);
            let server = Server::start(&ours, move |_, body| {
                let mut left = busy.lock().unwrap();
                if *left == 0 {
                    return admit(&ca, &clients, "m", body);
                }
                *left -= 1;
                (503, vec![], b"{}".to_vec())
            })
            .await;
            assert_eq!(settled(&state, || panic!("nothing waits")).await, Settled::Yes);

            invited(&state, &server.address.to_string(), TOKEN, fingerprint);
            let mut told = false;
            assert_eq!(settled(&state, || told = true).await, Settled::Yes);
            assert!(told, "the service is up while it tries");
            assert_eq!(server.asked().len(), 2, "the first answer was none");
            let enrolment = progress(&state).unwrap();
            assert_eq!((enrolment.stage, enrolment.words.vi.as_str()), (Stage::Connected, "Xã An"));
            for entry in std::fs::read_dir(&state).unwrap().map(Result::unwrap) {
                let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap_or_default()).into_owned();
                assert!(!text.contains(TOKEN), "{}", entry.path().display());
            }

            // The same values again, as an upgrade passes them: without its server the machine keeps its identity and asks later.
            let before = std::fs::read(state.join("identity.json")).unwrap();
            invited(&state, "127.0.0.1:1", TOKEN, fingerprint);
            assert_eq!(settled(&state, || {}).await, Settled::Yes);
            assert_eq!(std::fs::read(state.join("identity.json")).unwrap(), before);
            assert_eq!(progress(&state).unwrap().stage, Stage::Waiting);
            assert!(state.join(INVITATION).exists());
        });
    }

    #[test]
    fn a_machine_that_is_installed_again_asks_the_server_whether_it_is_still_enrolled() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let state = folder.path().join("state");
            let (ours, clients) = (authority("ours"), authority("clients"));
            let (fingerprint, ca) = (Digest::of(&ours.der), ours.der.clone());
            // What the server answers next: a refusal code, or none to admit the machine.
            let answers = Mutex::new(vec![None, Some("key_revoked"), Some("key_known"), None]);
            let server = Server::start(&ours, move |_, body| match answers.lock().unwrap().pop().unwrap() {
                Some(code) => (409, vec![], serde_json::to_vec(&refusal(code)).unwrap()),
                None => admit(&ca, &clients, &Digest::of(body).to_string(), body),
            })
            .await;
            let kept = || std::fs::read(state.join("identity.json")).unwrap();
            let again = async || {
                invited(&state, &server.address.to_string(), TOKEN, fingerprint);
                assert_eq!(settled(&state, || {}).await, Settled::Yes);
                let enrolment = progress(&state).unwrap();
                assert_eq!((enrolment.stage, enrolment.words.vi.as_str()), (Stage::Connected, "Xã An"));
                assert!(!state.join(INVITATION).exists());
            };
            again().await;
            let first = kept();
            again().await;
            assert_eq!(kept(), first, "still enrolled");
            again().await;
            assert_ne!(kept(), first, "revoked: enrolled anew, with another key");
            assert_eq!(server.asked().len(), 4);
        });
    }

    #[test]
    fn a_refusal_for_good_ends_the_attempts_and_says_why() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let state = folder.path().join("state");
            let ours = authority("ours");
            let refused = |_: &str, _: &[u8]| (403, vec![], serde_json::to_vec(&refusal("token_expired")).unwrap());
            let server = Server::start(&ours, refused).await;
            invited(&state, &server.address.to_string(), TOKEN, Digest::of(&ours.der));
            assert_eq!(settled(&state, || {}).await, Settled::Yes);
            let enrolment = progress(&state).unwrap();
            assert_eq!(enrolment.stage, Stage::Refused);
            assert!(enrolment.words.vi.contains("Mã đã hết hạn"), "{enrolment:?}");
            assert!(!state.join(INVITATION).exists() && !state.join("identity.json").exists());

            invited(&state, &server.address.to_string(), "no token", Digest::of(&ours.der));
            assert_eq!(progress(&state), None, "a new invitation forgets how the last one ended");
            assert_eq!(settled(&state, || {}).await, Settled::Yes);
            assert_eq!(progress(&state).unwrap().stage, Stage::Refused);
            assert_eq!(server.asked().len(), 1, "a token that is none is sent to nobody");
        });
    }

    #[test]
    fn a_damaged_invitation_is_given_up_and_a_removal_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        leave(&path);
        let state = StateFolder::open(&path, Missing::Create).unwrap();
        assert!(!is_leaving(&state));
        state.write(INVITATION, b"{torn", Durability::Relaxed).unwrap();
        drop(state);
        assert!(waiting(&path).unwrap().is_none());
        leave(&path);
        let state = StateFolder::open(&path, Missing::Refuse).unwrap();
        assert!(!state.file(INVITATION).exists() && is_leaving(&state));
        stay(&state).unwrap();
        assert!(!is_leaving(&state));
    }
}
