//! How often reports were refused, by day, reason and machine.

use super::{StoreResult, Tx};

/// Refusals of one reason on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalCount {
    /// Days since 1970.
    pub day: i64,
    /// The code of the reason.
    pub reason: String,
    /// The machine; empty when none was identified.
    pub machine: String,
    /// How many there were.
    pub count: i64,
}

impl Tx {
    /// Adds counts to the stored counts.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn refusal_add(&mut self, counts: &[RefusalCount]) -> StoreResult<()> {
        for RefusalCount { day, reason, machine, count } in counts {
            on_db!(self, connection => {
                sqlx::query(
                    "insert into refusal (day, reason, machine, count) values ($1, $2, $3, $4)
                     on conflict (day, reason, machine) do update set count = refusal.count + excluded.count",
                )
                .bind(day)
                .bind(reason)
                .bind(machine)
                .bind(count)
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }
}
