//! What a person may change, whether at a page or at the command line, and what a machine may, over the wire or by file. Every act
//! is one transaction: the change itself, its entry in the audit log and the event that tells pages and polls of it. Owns no SQL
//! and no form.

pub mod airgap;
pub mod backup;
pub mod caller;
pub mod cosign;
pub mod enrol;
pub mod hold;
pub mod log;
pub mod look;
pub mod machine;
pub mod office;
pub mod password;
pub mod person;
pub mod policy;
pub mod renew;
pub mod report;
pub mod retention;
pub mod roster;
pub mod token;
pub mod waiver;

use crate::audit::{Action, Actor, Change};
use crate::store::outbox::NewEvent;
use crate::store::{Scope, StoreResult, Tx};

/// Who acts, within which part of the office tree, and when.
#[derive(Clone, Debug)]
pub struct By {
    /// Who acts.
    pub actor: Actor,
    /// The offices this person may see and change; others do not exist for them.
    pub scope: Scope,
    /// Milliseconds UTC.
    pub at: i64,
}

impl By {
    /// The actor's name, as stored with a decision.
    pub fn name(&self) -> String {
        self.actor.code()
    }

    /// A person for tests.
    #[cfg(test)]
    pub(crate) fn person(login: &str, scope: Scope, at: i64) -> Self {
        Self { actor: Actor::Person { id: login.to_owned(), login: login.to_owned() }, scope, at }
    }

    fn change(&self, action: Action, office: Option<&str>, subject: impl Into<String>) -> Change {
        Change::new(self.actor.clone(), action, office, subject)
    }

    /// Writes the change to the audit log, notifies listeners and commits.
    async fn conclude(&self, mut tx: Tx, change: &Change, events: &[NewEvent]) -> StoreResult<()> {
        tx.audit_append(self.at, change).await?;
        tx.change_append(self.at, events).await?;
        tx.commit().await
    }
}
