//! What the database records about itself: which server owns it, and since when each version of the facts' meaning has been in use.

use std::collections::BTreeMap;

use policies::fact::SCHEMA_VERSION;

use super::{Link, StoreResult, Tx};

/// The name under which the server's id is stored.
pub const SERVER: &str = "server";

/// A mark that identifies the owner of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The name under which it is stored: [`SERVER`], or a key's.
    pub name: &'static str,
    /// The server's id; or SHA-256 of the certificates or the public key in lower-case hexadecimal, the one in use first.
    pub values: Vec<String>,
}

/// A database that belongs to another server, or a folder with another server's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The mark of the folder.
    pub mark: Mark,
    /// The values in the database.
    pub stored: Vec<String>,
}

/// The name under which is stored when a server first ran that knows this version of the facts' meaning.
fn schema_name() -> String {
    format!("schema_{SCHEMA_VERSION}_since")
}

impl Tx {
    /// The id of the server that claimed this database; `None` before one did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn server_owner(&mut self) -> StoreResult<Option<String>> {
        if !self.schema_exists().await? {
            return Ok(None);
        }
        Ok(self.meta_get(SERVER).await?.into_iter().next())
    }

    /// Whether our schema has ever been created in this database.
    async fn schema_exists(&mut self) -> StoreResult<bool> {
        let tables: i64 = match &mut self.link {
            Link::Sqlite(link) => {
                sqlx::query_scalar("select count(*) from sqlite_master where name = 'server_meta'")
                    .fetch_one(&mut **link)
                    .await?
            }
            Link::Postgres(link) => {
                sqlx::query_scalar(
                    "select count(*) from pg_tables where schemaname = 'public' and tablename = 'server_meta'",
                )
                .fetch_one(&mut **link)
                .await?
            }
        };
        Ok(tables > 0)
    }

    /// Claims this database for the server with these marks if it has none yet. The inner error says what differs between the database
    /// and the server's folder; nothing may be committed then. A key that has a standby may be replaced by it: one of the two must be
    /// the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identity_claim(&mut self, marks: &[Mark]) -> StoreResult<Result<(), Foreign>> {
        for mark in marks {
            on_db!(self, connection => {
                sqlx::query("insert into server_meta (name, value) values ($1, $2) on conflict do nothing")
                    .bind(mark.name)
                    .bind(mark.values.join(" "))
                    .execute(connection)
                    .await?;
            });
            let stored = self.meta_get(mark.name).await?;
            if !stored.iter().any(|value| mark.values.contains(value)) {
                return Ok(Err(Foreign { mark: mark.clone(), stored }));
            }
            if stored != mark.values {
                on_db!(self, connection => {
                    sqlx::query("update server_meta set value = $2 where name = $1")
                        .bind(mark.name)
                        .bind(mark.values.join(" "))
                        .execute(connection)
                        .await?;
                });
            }
        }
        Ok(Ok(()))
    }

    /// The values stored under `name`.
    async fn meta_get(&mut self, name: &str) -> StoreResult<Vec<String>> {
        let value: Option<String> = on_db!(self, connection => {
            sqlx::query_scalar("select value from server_meta where name = $1").bind(name).fetch_optional(connection).await?
        });
        Ok(value.unwrap_or_default().split_whitespace().map(str::to_owned).collect())
    }

    /// Records that a server that knows this version of the facts' meaning runs at `at`. The earliest time stays: a clock that was
    /// ahead at its first run is corrected by the next claim.
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
    use super::super::test_database::on_both;
    use super::*;

    on_both! {
        async fn a_database_belongs_to_the_first_server_that_claims_it(test_database: &TestDatabase) {
            let db: &Db = &test_database.db;
            let mark = |name, values: &[&str]| Mark { name, values: values.iter().map(|&value| value.to_owned()).collect() };
            let server = |id| mark(SERVER, &[id]);
            let steps = [
                ([server("first"), mark("ca", &["a", "b"])], None),
                ([server("second"), mark("ca", &["a", "b"])], Some(SERVER)),
                // The standby takes over, and gets a standby of its own; the key before that is then foreign.
                ([server("first"), mark("ca", &["b", "c"])], None),
                ([server("first"), mark("ca", &["a", "x"])], Some("ca")),
                ([server("first"), mark("ca", &["c", "d"])], None),
            ];
            assert_eq!(db.read().await.unwrap().server_owner().await.unwrap(), None);
            for (marks, foreign) in steps {
                let mut tx = db.write().await.unwrap();
                let claimed = tx.identity_claim(&marks).await.unwrap();
                assert_eq!(claimed.as_ref().err().map(|foreign| foreign.mark.name), foreign, "{marks:?}");
                if claimed.is_ok() {
                    tx.commit().await.unwrap();
                }
                assert_eq!(db.read().await.unwrap().server_owner().await.unwrap().as_deref(), Some("first"));
            }
        }

        async fn the_earliest_start_with_a_version_of_the_facts_stays(test_database: &TestDatabase) {
            let db: &Db = &test_database.db;
            let mut tx = db.write().await.unwrap();
            assert!(tx.schema_known().await.unwrap().is_empty());
            for (at, since) in [(2_000, 2_000), (10_000, 2_000), (999, 999), (1_000, 999)] {
                tx.schema_claim(at).await.unwrap();
                assert_eq!(tx.schema_known().await.unwrap(), BTreeMap::from([(SCHEMA_VERSION, since)]));
            }
        }
    }
}
