//! Headers of old reports, packed into blocks. Each header names every section by digest and so resembles the one before: some consecutive
//! ones of a segment are one deflate stream, from which every byte comes back. A job packs them when they are a day old, so that taking in a
//! report costs nothing for it; retention empties whole blocks.

mod removal;

use protocol::{compress, limits};
use sqlx::FromRow;

use super::report::StoredReport;
use super::{StoreResult, Tx};

/// Most headers in a block: what reading one of them may cost.
pub(crate) const MOST: usize = 32;

/// A packed block, or one to be stored.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct HeaderBlock {
    pub(crate) machine: String,
    pub(crate) segment: i64,
    pub(crate) first_number: i64,
    pub(crate) last_number: i64,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// Empty once retention removed them.
    pub(crate) bytes: Vec<u8>,
}

impl HeaderBlock {
    /// Packs the longest run of reports with consecutive numbers that `reports` begins with, at most [`MOST`]; `None` without one.
    pub(crate) fn pack(machine: &str, reports: &[StoredReport]) -> Option<Self> {
        let first = reports.first()?;
        let follows = |(report, number): &(&StoredReport, i64)| {
            report.segment == first.segment && report.number == *number && !report.header.is_empty()
        };
        let run: Vec<&StoredReport> =
            reports.iter().take(MOST).zip(first.number..).take_while(follows).map(|(report, _)| report).collect();
        let mut text = Vec::new();
        for report in &run {
            text.extend(u32::try_from(report.header.len()).ok()?.to_be_bytes());
            text.extend(&report.header);
        }
        Some(Self {
            machine: machine.to_owned(),
            segment: first.segment,
            first_number: first.number,
            last_number: run.last()?.number,
            first_at: run.iter().map(|report| report.received_at).min()?,
            last_at: run.iter().map(|report| report.received_at).max()?,
            bytes: compress::deflate(&text),
        })
    }

    /// The headers, the one of `first_number` first; none when they were removed or cannot be read.
    pub(crate) fn headers(&self) -> Vec<Vec<u8>> {
        let most = MOST * (limits::HEADER + 4);
        let text =
            if self.bytes.is_empty() { Vec::new() } else { compress::inflate(&self.bytes, most).unwrap_or_default() };
        let mut headers = Vec::new();
        let mut rest = text.as_slice();
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let Some((header, after)) = after.split_at_checked(length) else { return Vec::new() };
            headers.push(header.to_vec());
            rest = after;
        }
        headers
    }

    /// How many headers it is about.
    pub(crate) fn count(&self) -> i64 {
        self.last_number - self.first_number + 1
    }

    /// True when no more fit.
    pub(crate) fn is_full(&self) -> bool {
        usize::try_from(self.count()).is_ok_and(|count| count >= MOST)
    }

    fn holds(&self, report: &StoredReport) -> bool {
        self.segment == report.segment && (self.first_number..=self.last_number).contains(&report.number)
    }
}

impl Tx {
    /// Gives reports of a machine, in the order of their places, the headers that are packed. A header that was removed stays empty.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::store) async fn headers_unpack(
        &mut self,
        machine: &str,
        reports: &mut [StoredReport],
    ) -> StoreResult<()> {
        let mut open: Option<(HeaderBlock, Vec<Vec<u8>>)> = None;
        for report in reports.iter_mut().filter(|report| report.header.is_empty()) {
            if open.as_ref().is_none_or(|(block, _)| !block.holds(report)) {
                let block = self.header_block_of(machine, report.segment, report.number).await?;
                open = block.map(|block| (block.clone(), block.headers()));
            }
            let Some((block, headers)) = open.as_ref().filter(|(block, _)| block.holds(report)) else { continue };
            let at = usize::try_from(report.number - block.first_number).unwrap_or(usize::MAX);
            report.header = headers.get(at).cloned().unwrap_or_default();
        }
        Ok(())
    }

    async fn header_block_of(&mut self, machine: &str, segment: i64, number: i64) -> StoreResult<Option<HeaderBlock>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select * from header_block where machine = $1 and segment = $2 and last_number >= $3 order by last_number limit 1",
            )
            .bind(machine)
            .bind(segment)
            .bind(number)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Machines after the id `after` that may have a block to pack, at most `limit`: a block's worth of headers in the newest segment, any in
    /// one before it, or none received since `idle_since`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn header_packable(
        &mut self,
        after: &str,
        idle_since: i64,
        limit: i64,
    ) -> StoreResult<Vec<String>> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar(
                "select h.machine from machine_head h where h.machine > $1 and (
                     coalesce((select max(b.segment) from header_block b where b.machine = h.machine), 1) < h.segment
                     or coalesce((select max(b.last_number) from header_block b where b.machine = h.machine and b.segment = h.segment), 0)
                         + case when h.received_at < $2 then 1 else $3 end <= h.number)
                 order by h.machine limit $4",
            )
            .bind(after)
            .bind(idle_since)
            .bind(i64::try_from(MOST).unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(connection)
            .await?
        }))
    }

    /// The reports of a machine after its last block that were received before `before`, in the order of their places: one more than fits into
    /// a block, so that it is known whether something follows.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn header_unpacked(&mut self, machine: &str, before: i64) -> StoreResult<Vec<StoredReport>> {
        Ok(on_db!(self, connection => {
            let last: Option<(i64, i64)> = sqlx::query_as(
                "select segment, last_number from header_block where machine = $1 order by segment desc, last_number desc limit 1",
            )
            .bind(machine)
            .fetch_optional(&mut *connection)
            .await?;
            let (segment, number) = last.unwrap_or((0, 0));
            sqlx::query_as(
                "select segment, number, hash, header, signature, received_at, made_at from report
                 where machine = $1 and (segment, number) > ($2, $3) and received_at < $4 order by segment, number limit $5",
            )
            .bind(machine)
            .bind(segment)
            .bind(number)
            .bind(before)
            .bind(i64::try_from(MOST + 1).unwrap_or(i64::MAX))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Moves the headers of a block out of its reports. False if another server did, or one of them is gone; nothing may be committed then.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn header_block_insert(&mut self, block: &HeaderBlock) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            let moved = sqlx::query(
                "update report set header = $5 where machine = $1 and segment = $2 and number between $3 and $4 and length(header) > 0",
            )
            .bind(&block.machine)
            .bind(block.segment)
            .bind(block.first_number)
            .bind(block.last_number)
            .bind(Vec::<u8>::new())
            .execute(&mut *connection)
            .await?
            .rows_affected();
            if i64::try_from(moved).ok() != Some(block.count()) {
                return Ok(false);
            }
            sqlx::query(
                "insert into header_block (machine, segment, first_number, last_number, first_at, last_at, bytes)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&block.machine)
            .bind(block.segment)
            .bind(block.first_number)
            .bind(block.last_number)
            .bind(block.first_at)
            .bind(block.last_at)
            .bind(&block.bytes)
            .execute(connection)
            .await?;
            true
        }))
    }
}

#[cfg(test)]
mod tests;
