//! What the server last said, remembered across restarts: its time, what it decided about the machine, the highest policy
//! version seen. All of it can be learned again, so a damaged file is replaced, with a word in the log.

use protocol::Assignment;
use serde::{Deserialize, Serialize};

use crate::state::{Durability, StateError, StateFolder};

/// The file.
const FILE: &str = "standing.json";

/// What the server last said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Standing {
    /// The latest server time; milliseconds since 1970 UTC.
    pub(crate) server_at: i64,
    /// The highest policy version that was in use: a lower one is refused even when the policy's file is lost.
    pub(crate) policy_version: u64,
    /// What the server decided; none before the first answer.
    pub(crate) assignment: Option<Assignment>,
}

impl Standing {
    /// Reads what was remembered.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub(crate) fn load(state: &StateFolder) -> Result<Self, StateError> {
        Ok(state.read_replaceable(FILE)?.unwrap_or_default())
    }

    /// Remembers.
    ///
    /// # Errors
    /// When the state folder refuses.
    pub(crate) fn save(&self, state: &StateFolder) -> Result<(), StateError> {
        state.write_json(FILE, self, Durability::Synced)
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
        assert_eq!(Standing::load(&state).unwrap(), Standing::default());
        let standing = Standing { server_at: 5, policy_version: 3, assignment: None };
        standing.save(&state).unwrap();
        assert_eq!(Standing::load(&state).unwrap(), standing);
        state.write(FILE, b"{", Durability::Relaxed).unwrap();
        assert_eq!(Standing::load(&state).unwrap(), Standing::default());
    }
}
