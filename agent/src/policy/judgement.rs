//! The person's own result at the machine: the same judge as the server's, on the same facts, by the signed policy.

use policies::fact::{Facts, Instant};
use policies::outcome::{Outcome, Verdict};
use policies::policy::Role;
use protocol::Digest;
use serde::{Deserialize, Serialize};

use crate::cli::Exit;
use crate::policy::store::Loaded;

/// A result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// When it was judged, by the machine's clock; milliseconds since 1970 UTC.
    pub judged_at: i64,
    /// Version of the policy.
    pub policy_version: u64,
    /// Address of the policy bundle.
    pub policy: Digest,
    /// The role by which the machine was judged.
    pub role: protocol::Role,
    /// One for each control, in the policy's order.
    pub outcomes: Vec<Outcome>,
}

impl Judgement {
    /// Judges `facts` as at `now`.
    pub fn new(loaded: &Loaded, role: protocol::Role, facts: &Facts, now: Instant) -> Self {
        let controls = loaded.set.controls(role_of(role));
        Self {
            judged_at: now.as_millisecond(),
            policy_version: loaded.version,
            policy: loaded.address,
            role,
            outcomes: policies::evaluate::evaluate(controls, facts, now),
        }
    }

    /// A digest of the verdicts: another one means that an outcome changed.
    pub fn digest(&self) -> Digest {
        let verdicts: Vec<String> =
            self.outcomes.iter().map(|outcome| format!("{}={:?}", outcome.control, outcome.verdict)).collect();
        Digest::of(verdicts.join("\n").as_bytes())
    }
}

/// The policy's word for the wire's role.
pub fn role_of(role: protocol::Role) -> Role {
    match role {
        protocol::Role::Workstation => Role::Workstation,
        protocol::Role::Server => Role::Server,
    }
}

/// The exit status that outcomes are worth.
pub fn exit_of(outcomes: &[Outcome]) -> Exit {
    if outcomes.iter().any(|outcome| outcome.verdict == Verdict::Fail) {
        Exit::Failing
    } else if outcomes.iter().all(|outcome| outcome.verdict == Verdict::NotApplicable) {
        Exit::Impossible
    } else {
        Exit::Fine
    }
}

#[cfg(test)]
mod tests {
    use policies::text::Text;

    use super::*;

    fn outcome(verdict: Verdict) -> Outcome {
        Outcome {
            control: "c".to_owned(),
            verdict,
            found: Text::default(),
            wanted: Text::default(),
            no_reader: false,
            agent_too_old: false,
            implied_by: None,
        }
    }

    #[test]
    fn the_exit_status_follows_the_verdicts() {
        use Verdict::{Fail, NotApplicable, Pass, Unknown};
        let exit = |verdicts: &[Verdict]| exit_of(&verdicts.iter().copied().map(outcome).collect::<Vec<_>>());
        assert_eq!(exit(&[Pass, Unknown, NotApplicable]), Exit::Fine);
        assert_eq!(exit(&[Pass, Fail]), Exit::Failing);
        assert_eq!(exit(&[NotApplicable]), Exit::Impossible);
        assert_eq!(exit(&[]), Exit::Impossible);
    }
}
