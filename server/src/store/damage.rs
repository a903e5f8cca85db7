//! Looking for damage before it causes errors: SQLite's own check of every page, and what PostgreSQL counted.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::{Db, Pools, StoreError, StoreResult};

/// Asks SQLite to check every page of `file` on a connection of its own; returns at most three lines of what it finds, in its words. Reads
/// the whole file: about a second for a gigabyte in memory, otherwise as long as the disk takes.
///
/// # Errors
/// The file cannot be read for a reason other than damage.
pub async fn sqlite_check(file: &Path) -> StoreResult<Vec<String>> {
    let checked = async {
        let mut connection = SqliteConnectOptions::new().filename(file).pragma("query_only", "on").connect().await?;
        let found = sqlx::query_scalar("pragma quick_check(3)").fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok::<Vec<String>, sqlx::Error>(found)
    };
    match checked.await.map_err(StoreError::from) {
        Ok(found) => Ok(found.into_iter().filter(|line| line != "ok").map(|line| line.replace('\n', " ")).collect()),
        Err(error) if error.is_damage() => Ok(vec![format!("{:#}", anyhow::Error::new(error))]),
        Err(error) => Err(error),
    }
}

impl Db {
    /// How many pages PostgreSQL read that did not match their checksums, since its statistics began; 0 when it keeps none, and on SQLite.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn checksum_failures(&self) -> StoreResult<i64> {
        let Pools::Postgres(pool) = &self.pools else { return Ok(0) };
        let failures: Option<i64> =
            sqlx::query_scalar("select checksum_failures from pg_stat_database where datname = current_database()")
                .fetch_one(pool)
                .await?;
        Ok(failures.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use super::super::test_database::office;
    use super::*;

    #[tokio::test]
    async fn a_destroyed_page_is_found_and_a_sound_file_is_not_blamed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tram-an.db");
        let db = Db::open_sqlite(&file).await.unwrap();
        db.migrate().await.unwrap();
        let mut tx = db.write().await.unwrap();
        for number in 0..200 {
            office(&mut tx, &format!("UBND xã số {number}"), None).await;
        }
        tx.commit().await.unwrap();
        assert_eq!(sqlite_check(&file).await.unwrap(), Vec::<String>::new());
        db.close().await;
        let pages = std::fs::metadata(&file).unwrap().len() / 4096;
        for page in [0, pages / 2, pages - 1] {
            let kept = std::fs::read(&file).unwrap();
            let mut opened = std::fs::File::options().write(true).open(&file).unwrap();
            opened.seek(SeekFrom::Start(page * 4096)).unwrap();
            opened.write_all(&[0xa5; 4096]).unwrap();
            let found = sqlite_check(&file).await.unwrap();
            assert!(!found.is_empty(), "page {page} of {pages}");
            std::fs::write(&file, kept).unwrap();
        }
    }
}
