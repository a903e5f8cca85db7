//! What the database says of itself: whose it is.

use super::{StoreResult, Tx};

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
}

#[cfg(test)]
mod tests {
    use super::super::Db;
    use super::super::trial::on_both;

    on_both! {
        async fn a_database_belongs_to_the_first_server_that_claims_it(trial: &Trial) {
            let db: &Db = &trial.db;
            for server in ["first", "second", "first"] {
                let mut tx = db.write().await.unwrap();
                assert_eq!(tx.server_claim(server).await.unwrap(), "first");
                tx.commit().await.unwrap();
            }
        }
    }
}
