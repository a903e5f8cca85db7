//! Removing headers after their retention. Before the first of them goes, the audit log says so: a header that is not there without such an
//! entry was taken away by somebody else.

use std::collections::BTreeMap;

use crate::store::hold::unheld;
use crate::store::{StoreResult, Tx};

impl Tx {
    /// Moves the instant before which retention removes headers; false when it stands there or later already.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn headers_removal_move(&mut self, before: i64) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query(
                "insert into server_meta (name, value) values ('headers_removed_before', $1) on conflict (name) do update
                     set value = excluded.value where cast(excluded.value as bigint) > cast(server_meta.value as bigint)",
            )
            .bind(before.to_string())
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// Whether a header was received before `before` that no hold in force at `now` keeps.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn header_expired(&mut self, before: i64, now: i64) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(concat!(
                "select exists (select 1 from header_block b where b.last_at < $1 and length(b.bytes) > 0 and ",
                unheld!("b.machine", "b.first_at", "b.last_at", "$2"),
                ") or exists (select 1 from fork f where f.received_at < $1 and length(f.header) > 0 and ",
                unheld!("f.machine", "f.received_at", "f.received_at", "$2"),
                ")",
            ))
            .bind(before)
            .bind(now)
            .fetch_one(connection)
            .await?
        }))
    }

    /// Removes headers that were received before `before` and are not held at `now`, those of refused branches with their bodies; at most
    /// `limit` blocks and branches. Hashes and signatures stay. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn header_prune(&mut self, before: i64, now: i64, limit: i64) -> StoreResult<u64> {
        self.holds_lock().await?;
        Ok(on_db!(self, connection => {
            let blocks = sqlx::query(concat!(
                "update header_block set bytes = $3 where (machine, segment, last_number) in
                     (select b.machine, b.segment, b.last_number from header_block b
                      where b.last_at < $1 and length(b.bytes) > 0 and ",
                unheld!("b.machine", "b.first_at", "b.last_at", "$2"),
                " limit $4)",
            ))
            .bind(before)
            .bind(now)
            .bind(Vec::<u8>::new())
            .bind(limit)
            .execute(&mut *connection)
            .await?
            .rows_affected();
            let forks = sqlx::query(concat!(
                "update fork set header = $3, bodies = null where id in
                     (select f.id from fork f where f.received_at < $1 and length(f.header) > 0 and ",
                unheld!("f.machine", "f.received_at", "f.received_at", "$2"),
                " limit $4)",
            ))
            .bind(before)
            .bind(now)
            .bind(Vec::<u8>::new())
            .bind(limit)
            .execute(connection)
            .await?
            .rows_affected();
            blocks + forks
        }))
    }

    /// Whether retention may have removed a header of `machine` that was received at `received_at`: the audit log says that such headers go,
    /// at a time when no hold kept this one.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::store) async fn header_is_removed(&mut self, machine: &str, received_at: i64) -> StoreResult<bool> {
        let detail: Option<String> = on_db!(self, connection => {
            sqlx::query_scalar(
                "select e.detail from audit_entry e where e.action = 'headers_removed' and not exists (
                     select 1 from legal_hold o where o.machine = $1 and o.made_at <= e.at
                         and (o.kept_until_at is null or o.kept_until_at > e.at)
                         and o.from_at <= $2 and (o.until_at is null or o.until_at > $2))
                 order by e.number desc limit 1",
            )
            .bind(machine)
            .bind(received_at)
            .fetch_optional(connection)
            .await?
        });
        let detail: BTreeMap<String, String> =
            detail.and_then(|detail| serde_json::from_str(&detail).ok()).unwrap_or_default();
        let before: Option<i64> = detail.get("before_at").and_then(|before| before.parse().ok());
        Ok(before.is_some_and(|before| received_at < before))
    }

    /// How many headers retention has removed, those of refused branches included.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::store) async fn headers_removed_count(&mut self) -> StoreResult<u64> {
        let count: i64 = on_db!(self, connection => {
            sqlx::query_scalar(
                "select cast(coalesce((select sum(last_number - first_number + 1) from header_block where length(bytes) = 0), 0)
                     + (select count(*) from fork where length(header) = 0) as bigint)",
            )
            .fetch_one(connection)
            .await?
        });
        Ok(count.unsigned_abs())
    }
}
