//! How long the bodies of sections are kept: the section `[retention]` of `server.toml`.

/// How long bodies are kept, in months.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Every section except those below. Default 12.
    pub months: u32,
    /// Accounts. Default 6.
    pub accounts_months: u32,
    /// Devices on the same network. Default 6.
    pub neighbours_months: u32,
    /// What agents reported about themselves: started, stopped, removed. Default 12.
    pub events_months: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { months: 12, accounts_months: 6, neighbours_months: 6, events_months: 12 }
    }
}

impl Retention {
    /// Months that bodies of `section` are kept.
    pub fn months_of(&self, section: &str) -> u32 {
        match section {
            "accounts" => self.accounts_months,
            "neighbours" => self.neighbours_months,
            protocol::event::SECTION => self.events_months,
            _ => self.months,
        }
    }

    /// Months that signed headers are kept: as long as the body of any section that they name.
    pub fn months_of_headers(&self) -> u32 {
        self.months.max(self.accounts_months).max(self.neighbours_months)
    }
}
