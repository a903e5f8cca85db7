//! What every handler may use: built once at start, the same in tests. Owns no behaviour.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::allowance::Allowances;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Told;
use crate::events::Events;
use crate::ingest::Ingest;
use crate::policy::Policies;
use crate::programs::Programs;
use crate::secrets::Secrets;
use crate::store::Db;
use crate::web::Desk;

/// The state of the server, cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<State>);

/// The parts of [`App`].
#[derive(Debug)]
pub struct State {
    /// `server.toml`, checked.
    pub config: Config,
    /// The only source of the time.
    pub clock: Clock,
    /// Everything that lasts.
    pub db: Db,
    /// Keys and certificates.
    pub secrets: Secrets,
    /// The policy in force.
    pub policies: Arc<Policies>,
    /// What happens, as pages and held polls hear of it.
    pub events: Events,
    /// The way of reports into the store.
    pub ingest: Ingest,
    /// What agents may make this server do and hold.
    pub allowances: Allowances,
    /// What the pages keep in memory.
    pub desk: Desk,
}

/// 30 November 2026, milliseconds UTC: before that day nobody knew this version of the facts' meaning, whatever a clock that begins in 1970
/// says.
const SCHEMA_MADE_AT: i64 = 1_795_996_800_000;

/// Since when this version of the facts' meaning is known, by a clock that says `now`. Claimed again and again, so that a clock that was ahead
/// when the server started is put right.
pub(crate) fn schema_since(now: i64) -> i64 {
    now.max(SCHEMA_MADE_AT)
}

impl App {
    /// Opens the server whose data folder is `data`: checks and reads its keys, brings the database up to date, and reads
    /// the policy in force.
    ///
    /// # Errors
    /// Anything of that fails; the message says what and where.
    pub async fn open(data: &Path, mut config: Config, clock: Clock) -> anyhow::Result<Self> {
        let secrets = Secrets::read(data)?;
        let db = database_open(data, &config).await?;
        config.agents.programs = data.join(&config.agents.programs);
        Self::assemble(config, clock, db, secrets).await
    }

    /// The server over an open database: reads the policy in force and starts what runs beside the requests.
    ///
    /// # Errors
    /// The database fails, or the policy in it cannot be used.
    pub async fn assemble(config: Config, clock: Clock, db: Db, secrets: Secrets) -> anyhow::Result<Self> {
        let policies = Arc::new(Policies::new(config.server.clone(), secrets.policy_keys.clone()));
        policies.refresh(&db).await?;
        let mut tx = db.write().await?;
        tx.schema_claim(schema_since(clock.now_ms())).await?;
        tx.commit().await?;
        let events = Events::new(db.read().await?.change_last().await?);
        let ingest = Ingest::start(db.clone(), clock.clone(), Arc::<Policies>::clone(&policies));
        let desk = Desk::new(config.pages.zone()?, Programs::new(config.agents.programs.clone()));
        Ok(Self::new(State {
            config,
            clock,
            db,
            secrets,
            policies,
            events,
            ingest,
            allowances: Allowances::default(),
            desk,
        }))
    }

    /// Puts the parts together.
    pub fn new(state: State) -> Self {
        Self(Arc::new(state))
    }
}

impl Deref for App {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

/// Opens the database that `config` names and brings its schema up to date.
///
/// # Errors
/// It cannot be opened or reached, belongs to a newer program, or to another server.
pub async fn database_open(data: &Path, config: &Config) -> anyhow::Result<Db> {
    let failed = |cause: crate::store::StoreError| {
        Told::new(
            "Không mở được cơ sở dữ liệu. Hãy kiểm tra mục [database] trong server.toml và xem cơ sở dữ liệu có đang chạy không.",
            "The database cannot be opened. Check [database] in server.toml and whether the database is running.",
        )
        .because(cause)
    };
    let db = match config.database.url.strip_prefix("sqlite:") {
        Some(file) => Db::open_sqlite(&sqlite_file(data, file)).await,
        None => Db::open_postgres(&config.database.url).await,
    };
    let db = db.map_err(failed)?;
    db.migrate().await.map_err(failed)?;
    let mut tx = db.write().await.map_err(failed)?;
    let owner = tx.server_claim(&config.server).await.map_err(failed)?;
    if owner != config.server {
        return Err(Told::new(
            format!("Cơ sở dữ liệu này thuộc máy chủ khác ({owner}), không phải {}.", config.server),
            format!("This database belongs to another server ({owner}), not to {}.", config.server),
        )
        .into());
    }
    tx.commit().await.map_err(failed)?;
    Ok(db)
}

/// An SQLite file is named relative to the data folder.
fn sqlite_file(data: &Path, file: &str) -> PathBuf {
    data.join(file)
}
