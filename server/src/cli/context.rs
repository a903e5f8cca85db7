//! The server's data as commands use it, whether or not the server is running.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use policies::text;

use crate::act::By;
use crate::act::waiver::{day_begin, day_end};
use crate::app::opening::{Wanted, store_open};
use crate::audit::Actor;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::UserError;
use crate::policy::Policies;
use crate::secrets::{marks_read, policy_keys_read};
use crate::store::{Db, Scope};

/// The data folder and what is in it.
#[derive(Debug)]
pub struct CommandContext {
    /// The folder.
    pub data: PathBuf,
    /// `server.toml`.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The source of time.
    pub clock: Clock,
    /// The time zone in which people read it.
    pub zone: TimeZone,
}

impl CommandContext {
    /// Opens the data folder `data`.
    ///
    /// # Errors
    /// There is no server in it, or its database cannot be opened.
    pub async fn open(data: &Path) -> anyhow::Result<Self> {
        let config = Config::read(data)?;
        let marks = marks_read(data, &config.server)?;
        let db = store_open(data, &config, &marks, Wanted::Existing).await?;
        let zone = config.pages.zone()?;
        Ok(Self { data: data.to_owned(), config, db, clock: Clock::System, zone })
    }

    /// The policy in force, as the server reads it.
    ///
    /// # Errors
    /// The keys that sign policies cannot be read, or the database fails.
    pub async fn policies(&self) -> anyhow::Result<Policies> {
        let policies = Policies::new(self.config.server.clone(), policy_keys_read(&self.data)?);
        policies.refresh(&self.db).await?;
        Ok(policies)
    }

    /// The end of a day that was typed as `2026-12-31`, milliseconds UTC.
    ///
    /// # Errors
    /// It is not a date.
    pub fn day_end(&self, day: &str) -> Result<i64, UserError> {
        day_end(day, &self.zone).ok_or_else(|| no_day(day))
    }

    /// The beginning of a day that was typed as `2026-12-31`, milliseconds UTC.
    ///
    /// # Errors
    /// It is not a date.
    pub fn day_begin(&self, day: &str) -> Result<i64, UserError> {
        day_begin(day, &self.zone).ok_or_else(|| no_day(day))
    }

    /// Anyone who may run this program on the server may do everything; the log names the system user.
    pub fn by(&self) -> By {
        operator(&self.clock)
    }
}

fn no_day(day: &str) -> UserError {
    UserError::from(text!(
        "{day:?} không phải một ngày. Hãy ghi theo dạng 2026-12-31.",
        "{day:?} is no date. Write it as 2026-12-31."
    ))
}

/// The person who runs this program, by the name of the system user.
pub fn operator(clock: &Clock) -> By {
    By { actor: Actor::Operator(operator_name()), scope: Scope::whole(), at: clock.now_ms() }
}

/// The name of the user who runs this program, from the password file; the number if there is no name.
pub(super) fn operator_name() -> String {
    let number = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    named.unwrap_or(number)
}
