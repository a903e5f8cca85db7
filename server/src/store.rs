//! The store: the only code that knows SQL. Owns the connections to SQLite or PostgreSQL; every query is in the file of its
//! noun, as a method of [`Tx`] named noun_verb.
//!
//! One SQL text serves both databases. Reading happens in [`Db::read`], writing in [`Db::write`]; changes that belong together
//! (a change, its audit entry, its event) shares one [`Tx`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Database, PgPool, Pool, SqlitePool, Transaction};

/// Runs one statement on the connection of a [`Tx`], for either database.
macro_rules! on_db {
    ($tx:expr, $connection:ident => $body:expr) => {{
        $tx.health.statement_count();
        match &mut $tx.link {
            $crate::store::Link::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
            $crate::store::Link::Postgres(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
        }
    }};
}

#[macro_use]
pub(crate) mod word;

pub mod agent;
mod anchor;
pub mod approved_address;
pub mod audit;
mod copy;
pub mod damage;
mod error;
pub mod figure;
pub mod grade;
pub mod head;
pub(crate) mod header_block;
mod health;
pub mod hold;
pub mod judgement;
pub mod log;
pub mod login;
pub mod machine;
mod many;
pub mod meta;
mod number;
pub mod office;
pub mod outbox;
pub mod person;
pub mod policy;
pub mod refusal;
pub mod report;
pub mod reread;
pub mod roster;
mod scope;
pub mod section;
pub mod session;
#[cfg(test)]
pub(crate) mod test_database;
pub mod text;
pub mod token;
mod transaction;
pub mod waiver;

use anchor::Anchor;
pub use error::{Noun, StoreError, StoreResult};
pub use health::Health;
pub use scope::Scope;
pub(in crate::store) use transaction::{Intent, Link};
pub use transaction::{Logged, Tx};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a connection waits for another writer, or for a free connection, before it gives up.
const WAIT: Duration = Duration::from_secs(30);

/// The database: SQLite (one file, one writer) or PostgreSQL. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pub(in crate::store) pools: Pools,
    pub(in crate::store) log: Arc<transaction::Log>,
    pub(in crate::store) health: Arc<Health>,
}

/// The connections to one of the two databases.
#[derive(Clone, Debug)]
pub(in crate::store) enum Pools {
    /// The embedded database.
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections that cannot write.
        reader: SqlitePool,
        /// The file they have open.
        anchor: Arc<Anchor>,
    },
    /// A database server, possibly shared by several servers of ours.
    Postgres(PgPool),
}

impl Db {
    /// Opens (and makes, when missing) an SQLite file.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a database.
    pub async fn open_sqlite(file: &Path) -> StoreResult<Self> {
        let anchor = Arc::new(Anchor::open(file)?);
        let options = SqliteConnectOptions::new()
            .filename(file)
            // A connection that is opened later must not make a file where a disk was unmounted.
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT)
            .statement_cache_capacity(500);
        let health = Arc::<Health>::default();
        let writer = recovering(SqlitePoolOptions::new(), &health)
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await?;
        let reader = recovering(SqlitePoolOptions::new(), &health)
            .max_connections(8)
            .max_lifetime(None)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        Ok(Self { pools: Pools::Sqlite { writer, reader, anchor }, log: Arc::default(), health })
    }

    /// Connects to a PostgreSQL database; `url` as libpq writes it (`postgres://user:password@host/database`).
    ///
    /// # Errors
    /// When the address cannot be read or the server cannot be reached.
    pub async fn open_postgres(url: &str) -> StoreResult<Self> {
        let options: PgConnectOptions = url.parse()?;
        let health = Arc::<Health>::default();
        let pool = recovering(PgPoolOptions::new(), &health)
            .max_connections(16)
            .connect_with(options.options([("synchronous_commit", "on"), ("search_path", "public")]))
            .await?;
        Ok(Self { pools: Pools::Postgres(pool), log: Arc::default(), health })
    }

    /// Whether the store can be trusted now.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Brings the schema up to date. Safe to call at every start, also by two servers at once.
    ///
    /// # Errors
    /// When a migration fails or the database belongs to a newer version.
    pub async fn migrate(&self) -> StoreResult<()> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => MIGRATIONS.run(writer).await?,
            Pools::Postgres(pool) => MIGRATIONS.run(pool).await?,
        }
        Ok(())
    }

    /// Begins reading: everything seen through the returned transaction is from one instant.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn read(&self) -> StoreResult<Tx> {
        self.anchored()?;
        let begun = match &self.pools {
            Pools::Sqlite { reader, .. } => begin(reader, "begin").await.map(Link::Sqlite),
            Pools::Postgres(pool) => {
                begin(pool, "begin isolation level repeatable read, read only").await.map(Link::Postgres)
            }
        };
        self.transaction(begun, Intent::Read)
    }

    /// Begins writing. On SQLite this waits for the one writer.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn write(&self) -> StoreResult<Tx> {
        self.anchored()?;
        let begun = match &self.pools {
            Pools::Sqlite { writer, .. } => begin(writer, "begin immediate").await.map(Link::Sqlite),
            Pools::Postgres(pool) => begin(pool, "begin").await.map(Link::Postgres),
        };
        self.transaction(begun, Intent::Write)
    }

    fn anchored(&self) -> StoreResult<()> {
        match &self.pools {
            Pools::Sqlite { anchor, .. } => anchor.check().map_err(|error| self.health.noted(error)),
            Pools::Postgres(_) => Ok(()),
        }
    }

    fn transaction(&self, begun: sqlx::Result<Link>, intent: Intent) -> StoreResult<Tx> {
        match begun {
            Ok(link) => Ok(Tx::new(link, intent, self)),
            Err(error) => Err(self.health.noted(error.into())),
        }
    }

    /// Closes every connection; SQLite then folds its log into the file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, reader, .. } => {
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

/// Options of a pool whose connections do not survive failures. A connection that was open during a failure is closed, and so is one
/// returned as if within a transaction: SQLite ends a transaction by itself when the disk is full or fails, and sqlx, which counts it as
/// open until its end is confirmed, could never begin another.
fn recovering<D: Database>(options: PoolOptions<D>, health: &Arc<Health>) -> PoolOptions<D> {
    let health = Arc::clone(health);
    options
        .acquire_timeout(WAIT)
        .before_acquire(move |_, connection| {
            let sound = !health.failed_within(connection.age);
            Box::pin(async move { Ok(sound) })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // Waits for the rollback that sqlx asks for when a transaction is dropped.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
}

/// Begins a transaction, even if the caller goes away: abandoned halfway, sqlx returns a PostgreSQL connection to the pool with the
/// transaction open.
async fn begin<D: Database>(pool: &Pool<D>, statement: &'static str) -> sqlx::Result<Transaction<'static, D>> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// The last migration that this program knows.
pub fn schema_newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// A new id: a UUIDv7, so that rows written one after the other are stored next to each other.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
