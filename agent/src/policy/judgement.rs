//! The result shown at the machine: computed by the same judge as on the server, from the same facts, under the signed
//! policy.

use policies::fact::{Facts, Instant};
use policies::outcome::Outcome;
use policies::policy::Role;
use protocol::Digest;
use serde::{Deserialize, Serialize};

use crate::policy::store::Loaded;

/// The result of judging one set of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Judgement {
    /// When it was judged, by the machine's clock; milliseconds since 1970 UTC.
    pub(crate) judged_at: i64,
    /// Version of the policy.
    pub(crate) policy_version: u64,
    /// Address (digest) of the policy bundle.
    pub(crate) policy: Digest,
    /// The role the machine was judged by.
    pub(crate) role: Role,
    /// One for each control, in the policy's order.
    pub(crate) outcomes: Vec<Outcome>,
}

impl Judgement {
    /// Judges `facts` as of `now`.
    pub(crate) fn new(loaded: &Loaded, role: Role, facts: &Facts, now: Instant) -> Self {
        let controls = loaded.set.controls(role);
        Self {
            judged_at: now.as_millisecond(),
            policy_version: loaded.version,
            policy: loaded.address,
            role,
            outcomes: policies::evaluate::evaluate(controls, facts, now),
        }
    }

    /// A digest of the verdicts: it changes when an outcome changes.
    pub(crate) fn digest(&self) -> Digest {
        let verdicts: Vec<String> =
            self.outcomes.iter().map(|outcome| format!("{}={:?}", outcome.control, outcome.verdict)).collect();
        Digest::of(verdicts.join("\n").as_bytes())
    }
}
