//! Orders the server gives a machine at its next poll.

use sqlx::FromRow;

use crate::store::{Scope, StoreResult, Tx};

/// One order of the server; at present only "check again now".
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct MachineOrder {
    /// UUIDv7.
    pub id: String,
    /// The machine's id.
    pub machine: String,
    /// `check_now`.
    pub kind: String,
    /// Milliseconds UTC.
    pub asked_at: i64,
    /// Who asked.
    pub asked_by: String,
    /// When a poll last delivered it.
    pub delivered_at: Option<i64>,
    /// When the machine reported it done.
    pub done_at: Option<i64>,
}

impl Tx {
    /// Asks a machine to check itself now. While such an order is waiting, a second one adds nothing.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn machine_order_check(&mut self, scope: &Scope, machine: &str, at: i64, by: &str) -> StoreResult<()> {
        self.machine_require(scope, machine).await?;
        on_db!(self, connection => {
            sqlx::query(
                "insert into machine_order (id, machine, kind, asked_at, asked_by)
                 select cast($1 as text), cast($2 as text), 'check_now', cast($3 as bigint), cast($4 as text)
                 where not exists (select 1 from machine_order
                                   where machine = $2 and kind = 'check_now' and done_at is null)",
            )
            .bind(crate::store::new_id())
            .bind(machine)
            .bind(at)
            .bind(by)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The orders of a machine to deliver now: those not done, except one delivered after `carried_before`, which may still be in
    /// transit; one delivered later than `at` was delivered while the clock was ahead. They are marked as delivered at `at`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_order_carry(
        &mut self,
        machine: &str,
        at: i64,
        carried_before: i64,
    ) -> StoreResult<Vec<MachineOrder>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "update machine_order set delivered_at = $2 where machine = $1 and done_at is null
                     and (delivered_at is null or delivered_at <= $3 or delivered_at > $2) returning *",
            )
            .bind(machine)
            .bind(at)
            .bind(carried_before)
            .fetch_all(connection)
            .await?
        }))
    }

    /// True when [`Tx::machine_order_carry`] would find an order at `now`; checked first because it does not write.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_order_waits(&mut self, machine: &str, now: i64, carried_before: i64) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(
                "select exists (select 1 from machine_order where machine = $1 and done_at is null
                     and (delivered_at is null or delivered_at <= $2 or delivered_at > $3))",
            )
            .bind(machine)
            .bind(carried_before)
            .bind(now)
            .fetch_one(connection)
            .await?
        }))
    }

    /// True when the machine has an order that it has not reported done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_order_is_open(&mut self, machine: &str) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select exists (select 1 from machine_order where machine = $1 and done_at is null)")
                .bind(machine)
                .fetch_one(connection)
                .await?
        }))
    }

    /// Records that a machine carried out an order. Ids that are not orders of this machine are ignored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_order_done(&mut self, machine: &str, id: &str, at: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("update machine_order set done_at = $3 where id = $1 and machine = $2 and done_at is null")
                .bind(id)
                .bind(machine)
                .bind(at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
