//! Browsers that people have logged in with before, by hash. Their use is in `app::throttle`.

use super::{StoreResult, Tx};

impl Tx {
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

    /// The id of the person who last logged in with that browser, unless the account was closed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_device_person(&mut self, token_hash: &str) -> StoreResult<Option<String>> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(
                "select p.id from known_device d join person p on p.id = d.person
                 where d.token_hash = $1 and p.disabled_at is null",
            )
            .bind(token_hash)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Forgets browsers last used before `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_device_prune(&mut self, before: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("delete from known_device where last_used_at < $1").bind(before).execute(connection).await?;
        });
        Ok(())
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
