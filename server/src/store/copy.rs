//! The database as a whole: copying it while in use, and restoring a copy into an empty one.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row, SqliteConnection};

use super::{Db, Pools, StoreResult, Tx, WAIT};

impl Db {
    /// Writes all of the SQLite database `file`, as of one instant, into the new file `to`. Other readers and writers continue meanwhile.
    ///
    /// # Errors
    /// The database cannot be read, or `to` exists or cannot be written.
    pub async fn copy_sqlite(file: &Path, to: &Path) -> StoreResult<()> {
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(WAIT);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let copied =
            sqlx::query("vacuum into $1").bind(to.to_string_lossy().into_owned()).execute(&mut connection).await;
        connection.close().await?;
        copied?;
        Ok(())
    }

    /// Size of a PostgreSQL database on disk, in bytes; `None` for SQLite.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn size_postgres(&self) -> StoreResult<Option<u64>> {
        let Pools::Postgres(pool) = &self.pools else { return Ok(None) };
        let size: i64 = sqlx::query_scalar("select pg_database_size(current_database())").fetch_one(pool).await?;
        Ok(u64::try_from(size).ok())
    }

    /// The main version of a PostgreSQL server (15 for 15.6); `None` for SQLite.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn version_postgres(&self) -> StoreResult<Option<u32>> {
        let Pools::Postgres(pool) = &self.pools else { return Ok(None) };
        let number: String = sqlx::query_scalar("show server_version_num").fetch_one(pool).await?;
        Ok(number.parse::<u32>().ok().map(|number| number / 10_000))
    }

    /// Unused bytes within an SQLite file; 0 on PostgreSQL, whose space is not watched.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spare_bytes(&self) -> StoreResult<u64> {
        let Pools::Sqlite { reader, .. } = &self.pools else { return Ok(0) };
        let pages = "select f.freelist_count * p.page_size from pragma_freelist_count f, pragma_page_size p";
        let bytes: i64 = sqlx::query_scalar(pages).fetch_one(reader).await?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Whether the database is completely empty: no table, view, sequence or function.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_empty(&self) -> StoreResult<bool> {
        let objects: i64 = match &self.pools {
            Pools::Sqlite { reader, .. } => {
                sqlx::query_scalar("select count(*) from sqlite_master").fetch_one(reader).await?
            }
            Pools::Postgres(pool) => {
                sqlx::query_scalar(
                    "select (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                             where n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema')
                          + (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                             where n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema')",
                )
                .fetch_one(pool)
                .await?
            }
        };
        Ok(objects == 0)
    }
}

impl Tx {
    /// The name under which another program sees PostgreSQL as this transaction does while it lasts; `None` on SQLite.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn snapshot_name(&mut self) -> StoreResult<Option<String>> {
        match &mut self.link {
            super::Link::Sqlite(_) => Ok(None),
            super::Link::Postgres(transaction) => {
                Ok(Some(sqlx::query("select pg_export_snapshot()").fetch_one(&mut **transaction).await?.try_get(0)?))
            }
        }
    }

    /// Which server this database belongs to; `None` before one claimed it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn server_name(&mut self) -> StoreResult<Option<String>> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select value from server_meta where name = 'server'").fetch_optional(connection).await?
        }))
    }

    /// The number of the last migration applied.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schema_number(&mut self) -> StoreResult<i64> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(connection).await?
        }))
    }

    /// Records that this database was restored from a copy: its next epoch begins, and all logins end. Returns the epoch; the first is 1.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn epoch_begin(&mut self) -> StoreResult<i64> {
        let epoch: String = on_db!(self, connection => {
            sqlx::query("delete from session").execute(&mut *connection).await?;
            sqlx::query_scalar(
                "insert into server_meta (name, value) values ('epoch', '2') on conflict (name) do update
                     set value = cast(cast(server_meta.value as bigint) + 1 as text) returning value",
            )
            .fetch_one(connection)
            .await?
        });
        Ok(epoch.parse().unwrap_or(2))
    }
}
