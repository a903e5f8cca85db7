//! What a server stored, read from its database without asking the server.

use anyhow::Context;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::runtime::Runtime;

/// The database of one test. A PostgreSQL database is dropped with this value.
pub(crate) struct Books {
    runtime: Runtime,
    /// The value of `init --database`; `None` for SQLite in the data folder.
    pub(crate) url: Option<String>,
    file: String,
    admin: Option<(String, String)>,
}

/// Which database a story runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Number and hash of one accepted report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) machine: String,
    pub(crate) segment: i64,
    pub(crate) number: i64,
    pub(crate) hash: String,
}

impl Books {
    /// A database of its own for a test; `data` is the server's folder, where SQLite keeps its file.
    pub(crate) fn open(kind: Kind, data: &std::path::Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let file = format!("sqlite:{}", data.join("tram-an.db").display());
        if kind == Kind::Sqlite {
            return Ok(Self { runtime, url: None, file, admin: None });
        }
        let admin = std::env::var("TRAM_AN_TEST_POSTGRES")
            .context("TRAM_AN_TEST_POSTGRES is not set: run the tests with tests/run, which starts a PostgreSQL")?;
        let name = format!("story_{}", uuid::Uuid::now_v7().simple());
        let statement: &'static str = format!("create database {name}").leak();
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&admin).await?;
            sqlx::raw_sql(statement).execute(&mut connection).await
        })?;
        let (server, _) = admin.rsplit_once('/').context("TRAM_AN_TEST_POSTGRES names no database")?;
        let url = format!("{server}/{name}");
        Ok(Self { runtime, url: Some(url), file, admin: Some((admin, name)) })
    }

    /// A PostgreSQL for this test.
    pub(crate) fn at(url: String) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, url: Some(url), file: String::new(), admin: None })
    }

    /// Does something to the database that no server would.
    pub(crate) fn run(&self, statement: &'static str) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            match &self.url {
                Some(url) => {
                    let mut connection = PgConnection::connect(url).await?;
                    sqlx::raw_sql(statement).execute(&mut connection).await?;
                    connection.close().await?;
                }
                None => {
                    let mut connection = SqliteConnection::connect(&self.file).await?;
                    sqlx::raw_sql(statement).execute(&mut connection).await?;
                    connection.close().await?;
                }
            }
            Ok(())
        })
    }

    /// Removes the database, as an unmounted disk does: what remains is no file, or an empty database. The server must be stopped and
    /// a copy saved.
    pub(crate) fn take_away(&self) -> anyhow::Result<()> {
        let Some((admin, name)) = &self.admin else {
            let file = self.file.trim_start_matches("sqlite:");
            for part in ["", "-wal", "-shm"] {
                let path = format!("{file}{part}");
                if std::path::Path::new(&path).exists() {
                    std::fs::remove_file(path)?;
                }
            }
            return Ok(());
        };
        let statements: [&'static str; 2] =
            [format!("drop database {name} with (force)").leak(), format!("create database {name}").leak()];
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(admin).await?;
            for statement in statements {
                sqlx::raw_sql(statement).execute(&mut connection).await?;
            }
            Ok(())
        })
    }

    /// Saves a copy of the current database. The server must be stopped.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        self.copy("", "_saved")
    }

    /// Restores the copy, as an administrator does after a disk broke. The server must be stopped.
    pub(crate) fn restore(&self) -> anyhow::Result<()> {
        self.copy("_saved", "")
    }

    /// The database is lost with its disk; an empty one is ready. On SQLite nothing is done: the file goes with its folder.
    pub(crate) fn lose(&self) -> anyhow::Result<()> {
        let Some((admin, name)) = &self.admin else { return Ok(()) };
        let statements: [&'static str; 2] =
            [format!("drop database if exists {name} with (force)").leak(), format!("create database {name}").leak()];
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(admin).await?;
            for statement in statements {
                sqlx::raw_sql(statement).execute(&mut connection).await?;
            }
            Ok(())
        })
    }

    /// Replaces the database with the second ending by the one with the first.
    fn copy(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let Some((admin, name)) = &self.admin else {
            let file = self.file.trim_start_matches("sqlite:");
            for part in ["", "-wal"] {
                let (from, to) = (format!("{file}{from}{part}"), format!("{file}{to}{part}"));
                if std::path::Path::new(&to).exists() {
                    std::fs::remove_file(&to)?;
                }
                if std::path::Path::new(&from).exists() {
                    std::fs::copy(&from, &to)?;
                }
            }
            return Ok(());
        };
        let statements: [&'static str; 2] = [
            format!("drop database if exists {name}{to} with (force)").leak(),
            format!("create database {name}{to} template {name}{from}").leak(),
        ];
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(admin).await?;
            for statement in statements {
                sqlx::raw_sql(statement).execute(&mut connection).await?;
            }
            Ok(())
        })
    }

    /// Every accepted report in order.
    pub(crate) fn reports(&self) -> anyhow::Result<Vec<Row>> {
        let rows: Vec<(String, i64, i64, String)> =
            self.all("select machine, segment, number, hash from report order by machine, segment, number")?;
        Ok(rows.into_iter().map(|(machine, segment, number, hash)| Row { machine, segment, number, hash }).collect())
    }

    /// One number.
    pub(crate) fn count(&self, statement: &'static str) -> anyhow::Result<i64> {
        Ok(self.all::<(i64,)>(statement)?.first().context("no row")?.0)
    }

    /// Every row of a query.
    pub(crate) fn all<T>(&self, statement: &'static str) -> anyhow::Result<Vec<T>>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
            + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
            + Send
            + Unpin,
    {
        Ok(self.runtime.block_on(async {
            match &self.url {
                Some(url) => {
                    let mut connection = PgConnection::connect(url).await?;
                    sqlx::query_as(statement).fetch_all(&mut connection).await
                }
                None => {
                    let mut connection = SqliteConnection::connect(&self.file).await?;
                    sqlx::query_as(statement).fetch_all(&mut connection).await
                }
            }
        })?)
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        if let Some((admin, name)) = &self.admin {
            for ending in ["", "_saved"] {
                let statement: &'static str = format!("drop database if exists {name}{ending} with (force)").leak();
                // A database left behind ends with the tests' PostgreSQL.
                drop(self.runtime.block_on(async {
                    let mut connection = PgConnection::connect(admin).await?;
                    sqlx::raw_sql(statement).execute(&mut connection).await
                }));
            }
        }
    }
}
