//! What the database says of itself: whose it is, and since when it is read by which version of the facts' meaning.

use std::collections::BTreeMap;

use policies::fact::SCHEMA_VERSION;

use super::{StoreResult, Tx};

/// The name under which it stands when a server first ran that knows this version of the facts' meaning.
fn schema_name() -> String {
    format!("schema_{SCHEMA_VERSION}_since")
}

impl Tx {
    /// Writes down that this database belongs to `server`, if nobody's name stands there yet; returns whose it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn server_claim(&mut self, server: &str) -> StoreResult<String> {
        Ok(on_db!(self, connection => {
            sqlx::query("insert into server_meta (name, value) values ('server', $1) on conflict do nothing")
                .bind(server)
                .execute(&mut *connection)
                .await?;
            sqlx::query_scalar("select value from server_meta where name = 'server'").fetch_one(connection).await?
        }))
    }

    /// Writes down that a server that knows this version of the facts' meaning runs at `at`. The earliest time stays: a clock that was
    /// ahead when it ran first is put right by the next claim.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schema_claim(&mut self, at: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into server_meta (name, value) values ($1, $2) on conflict (name) do update
                     set value = excluded.value where cast(excluded.value as bigint) < cast(server_meta.value as bigint)",
            )
            .bind(schema_name())
            .bind(at.to_string())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// When a server first ran that knows a version of the facts' meaning, by version; milliseconds UTC.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn schema_known(&mut self) -> StoreResult<BTreeMap<u32, i64>> {
        let rows: Vec<(String, String)> = on_db!(self, connection => {
            sqlx::query_as("select name, value from server_meta where name like 'schema%since'").fetch_all(connection).await?
        });
        let known = |(name, value): (String, String)| {
            let version = name.strip_prefix("schema_")?.strip_suffix("_since")?.parse().ok()?;
            Some((version, value.parse().ok()?))
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Db;
    use super::super::trial::on_both;
    use super::*;

    on_both! {
        async fn a_database_belongs_to_the_first_server_that_claims_it(trial: &Trial) {
            let db: &Db = &trial.db;
            for server in ["first", "second", "first"] {
                let mut tx = db.write().await.unwrap();
                assert_eq!(tx.server_claim(server).await.unwrap(), "first");
                tx.commit().await.unwrap();
            }
        }

        async fn the_earliest_start_with_a_version_of_the_facts_stays(trial: &Trial) {
            let db: &Db = &trial.db;
            let mut tx = db.write().await.unwrap();
            assert!(tx.schema_known().await.unwrap().is_empty());
            for (at, since) in [(2_000, 2_000), (10_000, 2_000), (999, 999), (1_000, 999)] {
                tx.schema_claim(at).await.unwrap();
                assert_eq!(tx.schema_known().await.unwrap(), BTreeMap::from([(SCHEMA_VERSION, since)]));
            }
        }
    }
}
