//! When a machine last called, apart from its newest report. No grade depends on it.

use sqlx::FromRow;

use crate::store::many::rows;
use crate::store::{Scope, StoreResult, Tx};

/// The last contact with a machine; milliseconds UTC, by the server's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Contact {
    /// Over the network; up to ten minutes older than the last call.
    pub called_at: Option<i64>,
    /// When a person brought its last file.
    pub imported_at: Option<i64>,
}

impl Tx {
    /// Stores when machines last called. Of two servers' calls the later one stands, unless it lies after `now`: then a clock was ahead.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn contact_put(&mut self, calls: &[(String, i64)], now: i64) -> StoreResult<()> {
        let calls = rows(calls.iter().map(|(machine, at)| (machine.as_str(), [at])));
        on_db!(self, connection => {
            sqlx::query(
                "insert into machine_contact (machine, called_at)
                 select m.id, cast(r.value ->> 0 as bigint) from jsonb_each($1) r join machine m on m.id = r.key where true
                 on conflict (machine) do update set called_at = excluded.called_at
                 where machine_contact.called_at is null or machine_contact.called_at < excluded.called_at
                     or machine_contact.called_at > $2",
            )
            .bind(calls)
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Stores that a person brought a file of a machine at `at`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn contact_import_put(&mut self, machine: &str, at: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into machine_contact (machine, imported_at) values ($1, $2)
                 on conflict (machine) do update set imported_at = excluded.imported_at",
            )
            .bind(machine)
            .bind(at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The last contact with a machine.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn contact_get(&mut self, scope: &Scope, machine: &str) -> StoreResult<Contact> {
        self.machine_require(scope, machine).await?;
        let contact: Option<Contact> = on_db!(self, connection => {
            sqlx::query_as("select called_at, imported_at from machine_contact where machine = $1")
                .bind(machine)
                .fetch_optional(connection)
                .await?
        });
        Ok(contact.unwrap_or_default())
    }
}
