//! How often reports were refused, by day, reason and machine.

use std::collections::BTreeMap;

use super::{StoreResult, Tx};
use crate::ingest::Reason;

impl Tx {
    /// Adds counts to what was counted before.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn refusal_add(&mut self, counts: &BTreeMap<(i64, Reason, String), i64>) -> StoreResult<()> {
        for ((day, reason, machine), count) in counts {
            on_db!(self, connection => {
                sqlx::query(
                    "insert into refusal (day, reason, machine, count) values ($1, $2, $3, $4)
                     on conflict (day, reason, machine) do update set count = refusal.count + excluded.count",
                )
                .bind(day)
                .bind(reason.code())
                .bind(machine)
                .bind(count)
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }
}
