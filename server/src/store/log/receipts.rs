//! Receipts for reports that were stored before: their leaves are found by the time of receipt, and proved against the newest checkpoint.

use std::collections::HashMap;

use protocol::log::Hashes;
use protocol::log::proof::inclusion;
use protocol::{LoggedReceipt, Position};

use super::read::Leaves;
use super::tiles::Tiles;
use super::{StoreError, StoreResult, Tx, signed, unsigned};
use crate::evidence::Subject;

/// Commits of one machine's reports looked at for one time: more only where a clock stands still or was set back.
const COMMITS_AT_ONCE: i64 = 8;

/// Receipts of the second form, and the checkpoint that they prove against.
#[derive(Clone, Debug, Default)]
pub struct Receipts {
    /// As signed; empty before the first.
    pub checkpoint: String,
    /// One for each report that was asked about; `None` where its leaf is of an earlier epoch, or of before leaves could be found.
    pub receipts: Vec<Option<LoggedReceipt>>,
}

impl Tx {
    /// Receipts for these reports of a machine, each with the time of its receipt. Looks for at most `times` different times.
    ///
    /// # Errors
    /// When the database fails, or hashes are missing.
    pub async fn log_receipts(
        &mut self,
        machine: &str,
        reports: &[(Position, i64)],
        times: usize,
    ) -> StoreResult<Receipts> {
        let head = self.log_head().await?;
        let mut tiles = Tiles::new(head.epoch);
        let mut found: HashMap<i64, HashMap<String, u64>> = HashMap::new();
        let mut receipts = Vec::with_capacity(reports.len());
        for &(position, received_at) in reports {
            if !found.contains_key(&received_at) && found.len() < times {
                let rows = self.log_rows_at(signed(head.epoch), received_at, machine).await?;
                found.insert(received_at, places(&rows, machine)?);
            }
            let (segment, number) = (signed(position.segment), signed(position.number));
            let line = Subject::Report { machine: machine.to_owned(), segment, number }.to_string();
            let Some(&index) = found.get(&received_at).and_then(|places| places.get(&line)) else {
                receipts.push(None);
                continue;
            };
            let ranges = inclusion(index, head.frontier.size()).map_err(StoreError::log)?;
            let proof = Hashes(tiles.roots(self, &ranges).await?);
            receipts.push(Some(LoggedReceipt { index, received_at, proof }));
        }
        Ok(Receipts { checkpoint: head.checkpoint, receipts })
    }

    /// The rows of commits whose reports, some of this machine, were received at this time.
    async fn log_rows_at(&mut self, epoch: i64, at: i64, machine: &str) -> StoreResult<Vec<Leaves>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select first, hashes, subjects from log_leaf where epoch = $1 and reports_at = $2 and subjects like $3
                 order by first limit $4",
            )
            .bind(epoch)
            .bind(at)
            .bind(format!("%report {machine} %"))
            .bind(COMMITS_AT_ONCE)
            .fetch_all(connection)
            .await?
        }))
    }
}

/// The leaves about a machine's reports, by what is stored of each.
fn places(rows: &[Leaves], machine: &str) -> StoreResult<HashMap<String, u64>> {
    let mut places = HashMap::new();
    for row in rows {
        let numbered = row.subjects.lines().zip(unsigned(row.first)?..);
        let own = numbered.filter(|(line, _)| {
            line.strip_prefix("report ")
                .and_then(|rest| rest.strip_prefix(machine))
                .is_some_and(|rest| rest.starts_with(' '))
        });
        places.extend(own.map(|(line, index)| (line.to_owned(), index)));
    }
    Ok(places)
}
