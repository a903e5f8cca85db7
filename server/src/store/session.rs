//! Sessions of people: only the hash of a session's token is stored.

use sqlx::FromRow;

use super::{StoreResult, Tx};

/// A session of a person who is logged in.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Session {
    /// SHA-256 of the cookie's token, hexadecimal.
    pub token_hash: String,
    /// The person's id.
    pub person: String,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Milliseconds UTC.
    pub last_seen_at: i64,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

impl Tx {
    /// Stores a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_insert(&mut self, session: &Session) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into session (token_hash, person, created_at, last_seen_at, expires_at) values ($1, $2, $3, $4, $5)",
            )
            .bind(&session.token_hash)
            .bind(&session.person)
            .bind(session.created_at)
            .bind(session.last_seen_at)
            .bind(session.expires_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The session with this hash, unless it ended before `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_get(&mut self, token_hash: &str, now: i64) -> StoreResult<Option<Session>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from session where token_hash = $1 and expires_at > $2")
                .bind(token_hash)
                .bind(now)
                .fetch_optional(connection)
                .await?
        }))
    }

    /// The sessions of a person that have not ended before `now`, the most recently used first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_list(&mut self, person: &str, now: i64) -> StoreResult<Vec<Session>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select * from session where person = $1 and expires_at > $2
                 order by last_seen_at desc, created_at desc, token_hash",
            )
            .bind(person)
            .bind(now)
            .fetch_all(connection)
            .await?
        }))
    }

    /// Records that a session was used at `at` and now lasts until `expires_at`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_touch(&mut self, token_hash: &str, at: i64, expires_at: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("update session set last_seen_at = $2, expires_at = $3 where token_hash = $1")
                .bind(token_hash)
                .bind(at)
                .bind(expires_at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Ends one session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_delete(&mut self, token_hash: &str) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("delete from session where token_hash = $1").bind(token_hash).execute(connection).await?;
        });
        Ok(())
    }

    /// Ends every session of a person except `kept` (a hash; empty keeps none).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_delete_others(&mut self, person: &str, kept: &str) -> StoreResult<u64> {
        Ok(on_db!(self, connection => {
            sqlx::query("delete from session where person = $1 and token_hash <> $2")
                .bind(person)
                .bind(kept)
                .execute(connection)
                .await?
                .rows_affected()
        }))
    }

    /// Ends one session if it is this person's; returns how many ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_delete_own(&mut self, person: &str, token_hash: &str) -> StoreResult<u64> {
        Ok(on_db!(self, connection => {
            sqlx::query("delete from session where person = $1 and token_hash = $2")
                .bind(person)
                .bind(token_hash)
                .execute(connection)
                .await?
                .rows_affected()
        }))
    }

    /// Deletes sessions that ended before `now`; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_prune(&mut self, now: i64) -> StoreResult<u64> {
        Ok(on_db!(self, connection => {
            sqlx::query("delete from session where expires_at <= $1").bind(now).execute(connection).await?.rows_affected()
        }))
    }
}
