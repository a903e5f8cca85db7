//! The agent that a machine runs, as the end of its chain tells.

use policies::fact::SCHEMA_VERSION;

use super::section::schema;

/// The agent of a machine, as its last report named it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AgentState {
    /// Its version: hostile text, empty when it last reported to a server that did not store it.
    pub version: String,
    /// The version of the facts' meaning by which it reads.
    pub schema: u32,
    /// True when a newer agent reads correctly some facts that this one may misread.
    pub too_old: bool,
    /// The newest version by which the machine ever reported.
    pub schema_best: u32,
}

impl AgentState {
    /// The state from the columns of a head; `None` without a report.
    pub(super) fn read(version: Option<String>, schema: Option<i64>, best: Option<i64>) -> Option<Self> {
        let (read, best) = (self::schema(schema?), self::schema(best?));
        Some(Self { version: version?, schema: read, schema_best: best, too_old: read < SCHEMA_VERSION })
    }

    /// True when the machine had a newer agent before and now has an older one again.
    pub const fn gone_back(&self) -> bool {
        self.schema < self.schema_best
    }
}
