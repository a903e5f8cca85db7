//! What every handler may use: built once at start, the same in tests. Owns no behaviour.

pub mod callers;
pub mod contacts;
pub mod events;
pub mod looks;
pub mod opening;
pub mod pages;
pub mod programs;
pub(crate) mod throttle;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use policies::text::Language;

use self::callers::Callers;
use self::contacts::Contacts;
use self::events::Events;
use self::looks::Looks;
use self::opening::{Wanted, store_check, store_open};
use self::pages::PageState;
use self::programs::Programs;
use crate::bound::allowance::Allowances;
use crate::bound::space::Space;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::UserError;
use crate::ingest::Ingest;
use crate::policy::Policies;
use crate::secrets::Secrets;
use crate::secrets::folder::data_check;
use crate::store::Db;

/// The server's state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<State>);

/// The parts of [`App`].
#[derive(Debug)]
pub struct State {
    /// `server.toml`, checked.
    pub config: Config,
    /// The only source of time.
    pub clock: Clock,
    /// The store.
    pub db: Db,
    /// Keys and certificates.
    pub secrets: Secrets,
    /// The policy in force.
    pub policies: Arc<Policies>,
    /// The events that pages and held polls wait for.
    pub events: Events,
    /// The machines that called lately.
    pub callers: Callers,
    /// When machines last called.
    pub contacts: Contacts,
    /// The queue of reports into the store.
    pub ingest: Ingest,
    /// The queue of looks into the audit log.
    pub looks: Looks,
    /// What agents may make this server do and hold in memory.
    pub allowances: Allowances,
    /// What the pages keep in memory.
    pub pages: PageState,
    /// How much room is left for the store.
    pub space: Space,
}

/// How long the start waits for the store check: enough for some gigabytes.
const CHECK_WAITS: Duration = Duration::from_secs(20);

/// 30 November 2026, milliseconds UTC. No server can have known this version of the facts' meaning before that day, whatever a clock that
/// starts in 1970 says.
const SCHEMA_MADE_AT: i64 = 1_795_996_800_000;

/// Since when this version of the facts' meaning has been known, by a clock at `now`. Recorded repeatedly, so that a clock that was ahead
/// at start is corrected.
pub(crate) fn schema_since(now: i64) -> i64 {
    now.max(SCHEMA_MADE_AT)
}

impl App {
    /// Opens the server whose data folder is `data`: checks who may read it, reads its keys, finds the store as `wanted`, brings it up to
    /// date, looks for damage, and reads the policy in force.
    ///
    /// # Errors
    /// Any of these steps fails; the message says what and where.
    pub async fn open(data: &Path, mut config: Config, clock: Clock, wanted: Wanted) -> anyhow::Result<Self> {
        data_check(data, &config)?;
        let secrets = Secrets::read(data)?;
        let db = store_open(data, &config, &secrets.marks(&config.server), wanted).await?;
        damage_find(&db, data, &config).await?;
        config.agents.programs = data.join(&config.agents.programs);
        config.space.folder = config
            .sqlite_file(data)
            .and_then(|file| file.parent().map(Path::to_owned))
            .unwrap_or_else(|| data.to_owned());
        Self::assemble(config, clock, db, secrets).await
    }

    /// The server over an open database: reads the policy in force and starts the background work.
    ///
    /// # Errors
    /// The database fails, or the policy in it cannot be used.
    pub async fn assemble(config: Config, clock: Clock, db: Db, secrets: Secrets) -> anyhow::Result<Self> {
        let policies = Arc::new(Policies::new(config.server.clone(), secrets.policy_keys.clone()));
        policies.refresh(&db).await?;
        let mut tx = db.write().await?;
        tx.schema_claim(schema_since(clock.now_ms())).await?;
        tx.commit().await?;
        let events = Events::new(db.read().await?.change_last().await?, clock.clone());
        let ingest = Ingest::start(db.clone(), clock.clone(), Arc::<Policies>::clone(&policies));
        let looks = Looks::start(db.clone(), clock.clone());
        let pages = PageState::new(config.pages.zone()?, Programs::new(config.agents.programs.clone()));
        let space = Space::new(config.space.clone());
        Ok(Self::new(State {
            config,
            clock,
            db,
            secrets,
            policies,
            events,
            callers: Callers::default(),
            contacts: Contacts::default(),
            ingest,
            looks,
            allowances: Allowances::default(),
            pages,
            space,
        }))
    }

    /// Puts the parts together.
    pub fn new(state: State) -> Self {
        Self(Arc::new(state))
    }
}

/// Looks for damage before anything is served. A store too large to be read in [`CHECK_WAITS`] is checked further while the server runs;
/// damage found then is shown in the log and on every page.
async fn damage_find(db: &Db, data: &Path, config: &Config) -> anyhow::Result<()> {
    let (looked, data, config) = (db.clone(), data.to_owned(), config.clone());
    let mut check = tokio::spawn(async move { store_check(&looked, &data, &config).await });
    if let Ok(done) = tokio::time::timeout(CHECK_WAITS, &mut check).await {
        return done?;
    }
    tracing::info!("the store is large: it is checked while the server runs");
    let db = db.clone();
    tokio::spawn(async move {
        match check.await {
            Ok(Ok(())) => tracing::info!("the store was checked and is sound"),
            Ok(Err(error)) => {
                tracing::error!("{}", UserError::render(&error, Language::En));
                db.health().damage_note(error.to_string());
            }
            Err(error) => tracing::error!("the check of the store broke off: {error}"),
        }
    });
    Ok(())
}

impl Deref for App {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}
