//! What the login remembers: wrong passwords within a window, and browsers persons used before. The rules are in
//! `web::throttle`; here stand only hashes and instants.

use super::{StoreResult, Tx};

impl Tx {
    /// Notes a wrong password for the login whose name hashes to `login`, typed at the place `peer`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_failure_insert(&mut self, login: &str, peer: &str, at: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("insert into login_failure (id, login, peer, at) values ($1, $2, $3, $4)")
                .bind(super::new_id())
                .bind(login)
                .bind(peer)
                .bind(at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Instants of the wrong passwords for `login` at `peer` since `since`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_failure_list(&mut self, login: &str, peer: &str, since: i64) -> StoreResult<Vec<i64>> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(
                "select at from login_failure where login = $1 and peer = $2 and at >= $3 order by at desc limit 100",
            )
            .bind(login)
            .bind(peer)
            .bind(since)
            .fetch_all(connection)
            .await?
        }))
    }

    /// How many wrong passwords were typed for `login` anywhere since `since`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_failure_count(&mut self, login: &str, since: i64) -> StoreResult<i64> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select count(*) from login_failure where login = $1 and at >= $2")
                .bind(login)
                .bind(since)
                .fetch_one(connection)
                .await?
        }))
    }

    /// Forgets the wrong passwords for `login` at `peer`, because the right one followed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_failure_clear(&mut self, login: &str, peer: &str) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("delete from login_failure where login = $1 and peer = $2")
                .bind(login)
                .bind(peer)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Forgets every wrong password before `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_failure_prune(&mut self, before: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("delete from login_failure where at < $1").bind(before).execute(connection).await?;
        });
        Ok(())
    }

    /// Remembers a browser in which `person` logged in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_device_insert(&mut self, token_hash: &str, person: &str, at: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into known_device (token_hash, person, created_at, last_used_at) values ($1, $2, $3, $3)
                 on conflict (token_hash) do update set last_used_at = excluded.last_used_at, person = excluded.person",
            )
            .bind(token_hash)
            .bind(person)
            .bind(at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// True when `person` logged in with that browser before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_device_is(&mut self, token_hash: &str, person: &str) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select exists (select 1 from known_device where token_hash = $1 and person = $2)")
                .bind(token_hash)
                .bind(person)
                .fetch_one(connection)
                .await?
        }))
    }

    /// Forgets every browser of a person, because the password changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_device_clear(&mut self, person: &str) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("delete from known_device where person = $1").bind(person).execute(connection).await?;
        });
        Ok(())
    }
}
