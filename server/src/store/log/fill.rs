//! Taking in a store that is older than the log: audit entries by number, reports in the order of their arrival, forks, figures. Each piece
//! is a transaction that also says how far it came, so that a server that was killed goes on from there.

use super::{Db, StoreResult, Tx};
use crate::evidence::Leaf;

/// Leaves of one piece.
const PIECE: i64 = 1000;
/// The kinds in their order, with the first place of each.
const KINDS: [(&str, &str); 4] =
    [("audit", "audit 0"), ("report", "report -1  -1 -1"), ("fork", "fork -1 "), ("figure", "figure   0")];
/// Nothing is left.
const DONE: &str = "done";

impl Db {
    pub(super) async fn log_fill(&self) -> StoreResult<()> {
        let mut told = 0;
        while let Some(leaves) = self.log_fill_step(PIECE).await? {
            told += leaves;
        }
        if told > 0 {
            tracing::info!(leaves = told, "what was stored before is in the evidence log");
        }
        Ok(())
    }

    /// Takes in at most `most` leaves and returns how many; `None` when nothing is left.
    pub(super) async fn log_fill_step(&self, most: i64) -> StoreResult<Option<usize>> {
        let mut tx = self.write().await?;
        let filled = tx.log_filled().await?;
        if filled == DONE {
            return Ok(None);
        }
        let (leaves, next) = tx.log_piece(&filled, most).await?;
        let taken = leaves.len();
        for leaf in leaves {
            tx.log_note(leaf);
        }
        tx.log_filled_set(&next).await?;
        tx.commit().await?;
        Ok(Some(taken))
    }
}

/// The place after the last leaf of `kind`.
fn following(kind: &str) -> String {
    let at = KINDS.iter().position(|(name, _)| *name == kind);
    let next = at.and_then(|at| KINDS.get(at + 1));
    next.map_or_else(|| DONE.to_owned(), |(_, first)| (*first).to_owned())
}

impl Tx {
    /// Whether nothing is left to take in.
    pub(super) async fn log_is_filled(&mut self) -> StoreResult<bool> {
        let filled: String = on_db!(self, connection => {
            sqlx::query_scalar("select filled from log_head where name = 'log'").fetch_one(connection).await?
        });
        Ok(filled == DONE)
    }

    /// How far the store was taken in; locks the log, so that no other server takes in the same.
    async fn log_filled(&mut self) -> StoreResult<String> {
        let filled: String = on_db!(self, connection => {
            sqlx::query_scalar("update log_head set filled = filled where name = 'log' returning filled")
                .fetch_one(connection)
                .await?
        });
        Ok(if filled.is_empty() { KINDS[0].1.to_owned() } else { filled })
    }

    async fn log_filled_set(&mut self, filled: &str) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("update log_head set filled = $1 where name = 'log'").bind(filled).execute(&mut *connection).await?;
            if filled == DONE {
                sqlx::query("drop index if exists report_by_arrival").execute(connection).await?;
            }
        });
        Ok(())
    }

    /// At most `most` leaves after the place `filled`, and the place after them.
    async fn log_piece(&mut self, filled: &str, most: i64) -> StoreResult<(Vec<Leaf>, String)> {
        let parts: Vec<&str> = filled.split(' ').collect();
        let number = |at: usize| parts.get(at).and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
        let text = |at: usize| parts.get(at).copied().unwrap_or_default();
        let kind = text(0);
        let (leaves, last) = match kind {
            "audit" => self.audits_after(number(1), most).await?,
            "report" => self.reports_after((number(1), text(2), number(3), number(4)), most).await?,
            "fork" => self.forks_after(number(1), text(2), most).await?,
            _ => self.figures_after(text(1), text(2), number(3), most).await?,
        };
        let is_last = leaves.len() < usize::try_from(most).unwrap_or(0);
        Ok((leaves, last.filter(|_| !is_last).unwrap_or_else(|| following(kind))))
    }

    async fn audits_after(&mut self, number: i64, most: i64) -> StoreResult<(Vec<Leaf>, Option<String>)> {
        let rows: Vec<(i64, String, i64)> = on_db!(self, connection => {
            sqlx::query_as("select number, hash, at from audit_entry where number > $1 order by number limit $2")
                .bind(number)
                .bind(most)
                .fetch_all(connection)
                .await?
        });
        let last = rows.last().map(|(number, _, _)| format!("audit {number}"));
        Ok((rows.into_iter().map(|(number, hash, at)| Leaf::audit(number, &hash, at)).collect(), last))
    }

    async fn reports_after(
        &mut self,
        after: (i64, &str, i64, i64),
        most: i64,
    ) -> StoreResult<(Vec<Leaf>, Option<String>)> {
        let rows: Vec<(String, i64, i64, String, i64)> = on_db!(self, connection => {
            sqlx::query_as(
                "select machine, segment, number, hash, received_at from report
                 where (received_at, machine, segment, number) > ($1, $2, $3, $4)
                 order by received_at, machine, segment, number limit $5",
            )
            .bind(after.0)
            .bind(after.1)
            .bind(after.2)
            .bind(after.3)
            .bind(most)
            .fetch_all(connection)
            .await?
        });
        let place = |(machine, segment, number, _, at): &_| format!("report {at} {machine} {segment} {number}");
        let last = rows.last().map(place);
        let leaf = |(machine, segment, number, hash, at): (String, i64, i64, String, i64)| {
            Leaf::report(&machine, segment, number, &hash, at)
        };
        Ok((rows.into_iter().map(leaf).collect(), last))
    }

    async fn forks_after(&mut self, at: i64, id: &str, most: i64) -> StoreResult<(Vec<Leaf>, Option<String>)> {
        let rows: Vec<(String, String, i64, i64, String, i64)> = on_db!(self, connection => {
            sqlx::query_as(
                "select id, machine, segment, number, hash, received_at from fork where (received_at, id) > ($1, $2)
                 order by received_at, id limit $3",
            )
            .bind(at)
            .bind(id)
            .bind(most)
            .fetch_all(connection)
            .await?
        });
        let last = rows.last().map(|(id, .., at)| format!("fork {at} {id}"));
        let leaf = |(_, machine, segment, number, hash, at): (String, String, i64, i64, String, i64)| {
            Leaf::fork(&machine, segment, number, &hash, at)
        };
        Ok((rows.into_iter().map(leaf).collect(), last))
    }

    async fn figures_after(
        &mut self,
        day: &str,
        office: &str,
        revision: i64,
        most: i64,
    ) -> StoreResult<(Vec<Leaf>, Option<String>)> {
        let rows: Vec<(String, String, i64, String, i64)> = on_db!(self, connection => {
            sqlx::query_as(
                "select office, day, revision, hash, frozen_at from office_day where (day, office, revision) > ($1, $2, $3)
                 order by day, office, revision limit $4",
            )
            .bind(day)
            .bind(office)
            .bind(revision)
            .bind(most)
            .fetch_all(connection)
            .await?
        });
        let last = rows.last().map(|(office, day, revision, _, _)| format!("figure {day} {office} {revision}"));
        let leaf = |(office, day, revision, hash, at): (String, String, i64, String, i64)| {
            Leaf::figure(&office, &day, revision, &hash, at)
        };
        Ok((rows.into_iter().map(leaf).collect(), last))
    }
}
