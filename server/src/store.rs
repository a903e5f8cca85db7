//! The store: the only code that knows SQL. Owns the connection to SQLite or PostgreSQL, transactions and [`Scope`]; every
//! query is in a file of its noun below, as a method of [`Tx`] called noun_verb.
//!
//! One SQL text serves both databases. Reading happens in [`Db::read`], writing in [`Db::write`]; what belongs together
//! (a change, its audit entry, its event) shares one [`Tx`].

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

/// Runs one expression on the connection of a [`Tx`], whichever database it is.
macro_rules! on_db {
    ($tx:expr, $connection:ident => $body:expr) => {
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
    };
}

#[macro_use]
mod word;

pub mod audit;
pub mod change;
pub mod figure;
pub mod grade;
pub mod head;
pub mod judgement;
pub mod login;
pub mod machine;
mod many;
mod meta;
pub mod office;
pub mod person;
pub mod policy;
pub mod refusal;
pub mod report;
pub mod roster;
mod scope;
pub mod section;
pub mod session;
pub mod token;
#[cfg(test)]
pub(crate) mod trial;
pub mod waiver;

pub use scope::Scope;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a connection waits for another writer, or for a free connection, before it gives up.
const WAIT: Duration = Duration::from_secs(30);

/// The database: SQLite (one file, one writer) or PostgreSQL. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Db {
    /// The embedded database.
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections that cannot write.
        reader: SqlitePool,
    },
    /// A database server, possibly shared by several servers of ours.
    Postgres(PgPool),
}

/// A transaction. Dropped without [`Tx::commit`], it leaves no trace.
#[derive(Debug)]
pub struct Tx {
    pub(in crate::store) link: Link,
}

/// The transaction of one of the two databases.
#[derive(Debug)]
pub(in crate::store) enum Link {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or could not be reached.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// No such thing, or not within the caller's scope; the two are not told apart.
    #[error("no {what} {id:?} within this part of the tree")]
    NotFound {
        /// `office`, `machine`, ...
        what: &'static str,
        /// The id asked for.
        id: String,
    },
}

/// The result of every method of the store.
pub type StoreResult<T> = Result<T, StoreError>;

impl StoreError {
    pub(crate) fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound { what, id: id.to_owned() }
    }

    /// True when PostgreSQL cannot keep a text: one with a NUL came by a door that does not ask `crate::text`.
    pub fn is_text_unusable(&self) -> bool {
        // SQLSTATE character_not_in_repertoire.
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("22021"))
    }

    /// True when a row with the same unique value was already there.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

impl Db {
    /// Opens (and makes, when missing) an SQLite file.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a database.
    pub async fn open_sqlite(file: &Path) -> StoreResult<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT)
            .statement_cache_capacity(500);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone().create_if_missing(true))
            .await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(WAIT)
            .max_lifetime(None)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        Ok(Self::Sqlite { writer, reader })
    }

    /// Connects to a PostgreSQL database; `url` as libpq writes it (`postgres://user:password@host/database`).
    ///
    /// # Errors
    /// When the address cannot be read or the server cannot be reached.
    pub async fn open_postgres(url: &str) -> StoreResult<Self> {
        let options: PgConnectOptions = url.parse()?;
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(WAIT)
            .connect_with(options.options([("synchronous_commit", "on"), ("search_path", "public")]))
            .await?;
        Ok(Self::Postgres(pool))
    }

    /// Brings the schema up to date. Safe to call at every start, also by two servers at once.
    ///
    /// # Errors
    /// When a migration fails or the database belongs to a newer version.
    pub async fn migrate(&self) -> StoreResult<()> {
        match self {
            Self::Sqlite { writer, .. } => MIGRATIONS.run(writer).await?,
            Self::Postgres(pool) => MIGRATIONS.run(pool).await?,
        }
        Ok(())
    }

    /// Begins reading: everything seen through the returned transaction is of one instant.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn read(&self) -> StoreResult<Tx> {
        let link = match self {
            Self::Sqlite { reader, .. } => Link::Sqlite(reader.begin().await?),
            Self::Postgres(pool) => {
                Link::Postgres(pool.begin_with("begin isolation level repeatable read, read only").await?)
            }
        };
        Ok(Tx { link })
    }

    /// Begins writing. On SQLite this waits for the one writer.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn write(&self) -> StoreResult<Tx> {
        let link = match self {
            Self::Sqlite { writer, .. } => Link::Sqlite(writer.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Link::Postgres(pool.begin().await?),
        };
        Ok(Tx { link })
    }

    /// Closes every connection; SQLite then folds its log into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes everything done in this transaction durable: when this returns, it survives a power cut.
    ///
    /// # Errors
    /// When the database could not commit; nothing was done then.
    pub async fn commit(self) -> StoreResult<()> {
        match self.link {
            Link::Sqlite(transaction) => transaction.commit().await?,
            Link::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

impl Tx {
    /// Begins a part that can be undone alone. Parts do not nest.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn savepoint(&mut self) -> StoreResult<()> {
        on_db!(self, connection => { sqlx::query("savepoint part").execute(connection).await?; });
        Ok(())
    }

    /// Ends the part; what it did belongs to the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn savepoint_release(&mut self) -> StoreResult<()> {
        on_db!(self, connection => { sqlx::query("release savepoint part").execute(connection).await?; });
        Ok(())
    }

    /// Undoes the part.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn savepoint_rollback(&mut self) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("rollback to savepoint part").execute(&mut *connection).await?;
            sqlx::query("release savepoint part").execute(connection).await?;
        });
        Ok(())
    }
}

/// A new id: a UUIDv7, so that rows written one after the other lie beside each other.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
