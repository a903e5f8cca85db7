//! What the server last said, kept across restarts: its time, its decisions about the machine, the highest policy version
//! seen. All of it can be learned again, so a damaged file is logged and replaced.

use protocol::Assignment;
use serde::{Deserialize, Serialize};

use crate::state::{Durability, StateError, StateFolder};

/// The file.
const FILE: &str = "standing.json";
/// The server's time is written to disk when it has moved by this many milliseconds.
const REMEMBER_TIME: u64 = 60 * 60 * 1000;

/// What the server last said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LastAnswer {
    /// The latest server time; milliseconds since 1970 UTC.
    pub(crate) server_at: i64,
    /// The highest policy version ever in use: a lower one is refused even when the policy's file is lost.
    pub(crate) policy_version: u64,
    /// What the server decided; none before the first answer.
    pub(crate) assignment: Option<Assignment>,
    /// The server time in the file on disk.
    #[serde(skip)]
    kept_at: i64,
}

impl LastAnswer {
    /// Reads the file.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub(crate) fn load(state: &StateFolder) -> Result<Self, StateError> {
        let last_answer: Self = state.read_replaceable(FILE)?.unwrap_or_default();
        Ok(Self { kept_at: last_answer.server_at, ..last_answer })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the state folder refuses.
    pub(crate) fn save(&self, state: &StateFolder) -> Result<(), StateError> {
        state.write_json(FILE, self, Durability::Synced)
    }

    /// Stores what an answer says. A decision is written at once, the time `server_at` when it has moved enough.
    pub(crate) fn heard(&mut self, assignment: &Assignment, server_at: i64, state: &StateFolder) {
        self.server_at = server_at;
        let decided = self.assignment.as_ref() != Some(assignment);
        if decided {
            tracing::info!(
                office = policies::text::visible(&assignment.office, 200),
                role = assignment.role.code(),
                confirmed = assignment.confirmed,
                "the server's decision about this machine"
            );
            self.assignment = Some(assignment.clone());
        }
        if decided || server_at.abs_diff(self.kept_at) >= REMEMBER_TIME {
            self.keep(state);
        }
    }

    /// Writes the file; logs an error.
    pub(crate) fn keep(&mut self, state: &StateFolder) {
        match self.save(state) {
            Ok(()) => self.kept_at = self.server_at,
            Err(error) => tracing::warn!(%error, "what the server said could not be remembered"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Missing;

    #[test]
    fn is_remembered_and_a_damaged_file_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        assert_eq!(LastAnswer::load(&state).unwrap(), LastAnswer::default());
        let last_answer = LastAnswer { server_at: 5, policy_version: 3, assignment: None, kept_at: 5 };
        last_answer.save(&state).unwrap();
        assert_eq!(LastAnswer::load(&state).unwrap(), last_answer);
        state.write(FILE, b"{", Durability::Relaxed).unwrap();
        assert_eq!(LastAnswer::load(&state).unwrap(), LastAnswer::default());
    }
}
