//! Signed reports as received, breaks in a machine's chain and refused second branches. Where a chain ends is in `head`.

use protocol::{Digest, Position};
use serde::Serialize;
use sqlx::FromRow;

use super::many::{pieces, rows};
use super::number::signed;
use super::{Scope, StoreResult, Tx};
use crate::evidence::Leaf;

words! {
    /// How a machine's chain was broken when it opened a segment.
    SegmentKind {
        /// The first report after enrolment.
        First = "first",
        /// Machine and server agree on where the chain stood: nothing is missing.
        Continued = "continued",
        /// The machine stood at an older report: a frozen or restored disk, or a copied state folder.
        MachineBehind = "machine_behind",
        /// The server lacks reports the machine holds receipts for: it was restored from a backup.
        ServerBehind = "server_behind",
        /// The machine names a report of which the server has a different version.
        Disagreed = "disagreed",
    }
}

/// A report to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReport {
    /// The machine's id.
    pub machine: String,
    /// Its place in the chain.
    pub position: Position,
    /// The signed bytes.
    pub header: Vec<u8>,
    /// The signature over them.
    pub signature: Vec<u8>,
    /// Milliseconds UTC.
    pub received_at: i64,
    /// By the machine's clock.
    pub made_at: i64,
}

/// A break in a chain to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSegment {
    /// The machine's id.
    pub machine: String,
    /// The segment it opened.
    pub segment: u64,
    /// Milliseconds UTC.
    pub opened_at: i64,
    /// The reason given by the agent.
    pub reason: String,
    /// The server's classification.
    pub kind: SegmentKind,
    /// What the machine named as last agreed.
    pub claimed: Option<Position>,
    /// The server's end of the chain at that time.
    pub stood: Option<Position>,
}

/// The same as the statement takes it.
#[derive(Serialize)]
struct SegmentRow<'a> {
    machine: &'a str,
    segment: i64,
    opened_at: i64,
    reason: &'a str,
    kind: &'static str,
    claimed_segment: Option<i64>,
    claimed_number: Option<i64>,
    claimed_hash: Option<Digest>,
    stood_segment: Option<i64>,
    stood_number: Option<i64>,
    stood_hash: Option<Digest>,
}

impl<'a> SegmentRow<'a> {
    fn new(of: &'a NewSegment) -> Self {
        let segment = |position: Option<Position>| position.map(|position| signed(position.segment));
        let number = |position: Option<Position>| position.map(|position| signed(position.number));
        let hash = |position: Option<Position>| position.map(|position| position.hash);
        Self {
            machine: &of.machine,
            segment: signed(of.segment),
            opened_at: of.opened_at,
            reason: &of.reason,
            kind: of.kind.word(),
            claimed_segment: segment(of.claimed),
            claimed_number: number(of.claimed),
            claimed_hash: hash(of.claimed),
            stood_segment: segment(of.stood),
            stood_number: number(of.stood),
            stood_hash: hash(of.stood),
        }
    }
}

/// A refused second branch to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFork {
    /// The machine's id.
    pub machine: String,
    /// The place in the chain it claims.
    pub position: Position,
    /// The signed bytes.
    pub header: Vec<u8>,
    /// The signature over them.
    pub signature: Vec<u8>,
    /// The compressed bodies as received.
    pub bodies: Vec<u8>,
    /// Its start id.
    pub start: String,
    /// Its hardware traits.
    pub traits: Digest,
    /// Milliseconds UTC.
    pub received_at: i64,
}

/// A stored report, with what pages and the chain need.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct StoredReport {
    /// The segment.
    pub segment: i64,
    /// The number within the segment.
    pub number: i64,
    /// Hash of the header, hexadecimal.
    pub hash: String,
    /// The signed bytes; empty once retention removed them.
    pub header: Vec<u8>,
    /// The signature over them: verifies against the hash alone, too.
    pub signature: Vec<u8>,
    /// Milliseconds UTC.
    pub received_at: i64,
    /// By the machine's clock.
    pub made_at: i64,
}

/// A break as pages show it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct StoredSegment {
    /// The segment.
    pub segment: i64,
    /// Milliseconds UTC.
    pub opened_at: i64,
    /// The reason given by the agent.
    pub reason: String,
    /// The server's classification.
    #[sqlx(try_from = "String")]
    pub kind: SegmentKind,
}

/// A fork as pages show it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct StoredFork {
    /// UUIDv7.
    pub id: String,
    /// The segment it claims.
    pub segment: i64,
    /// The number it claims.
    pub number: i64,
    /// Hash of its header, hexadecimal.
    pub hash: String,
    /// Its start id.
    pub start_id: String,
    /// Its hardware traits.
    pub traits: String,
    /// Milliseconds UTC.
    pub received_at: i64,
}

impl Tx {
    /// Stores accepted reports.
    ///
    /// # Errors
    /// When the database fails; a duplicate when a position is taken.
    pub(crate) async fn report_insert(&mut self, reports: &[&NewReport]) -> StoreResult<()> {
        for piece in pieces(reports) {
            on_db!(self, connection => {
                let mut insert = sqlx::QueryBuilder::new(
                    "insert into report (machine, segment, number, hash, header, signature, received_at, made_at) ",
                );
                insert.push_values(piece, |mut row, report| {
                    row.push_bind(report.machine.clone())
                        .push_bind(signed(report.position.segment))
                        .push_bind(signed(report.position.number))
                        .push_bind(report.position.hash.to_string())
                        .push_bind(report.header.clone())
                        .push_bind(report.signature.clone())
                        .push_bind(report.received_at)
                        .push_bind(report.made_at);
                });
                insert.build().execute(connection).await?;
            });
        }
        for NewReport { machine, position, received_at, .. } in reports {
            let (segment, number) = (signed(position.segment), signed(position.number));
            self.log_note(Leaf::report(machine, segment, number, &position.hash.to_string(), *received_at));
        }
        Ok(())
    }

    /// The report of a machine at this place, if it was accepted.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn report_get(
        &mut self,
        machine: &str,
        segment: u64,
        number: u64,
    ) -> StoreResult<Option<StoredReport>> {
        let mut report: Option<StoredReport> = on_db!(self, connection => {
            sqlx::query_as(
                "select segment, number, hash, header, signature, received_at, made_at from report
                 where machine = $1 and segment = $2 and number = $3",
            )
            .bind(machine)
            .bind(signed(segment))
            .bind(signed(number))
            .fetch_optional(connection)
            .await?
        });
        self.headers_unpack(machine, report.as_mut_slice()).await?;
        Ok(report)
    }

    /// Stores the breaks before segments.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn segment_insert(&mut self, segments: &[&NewSegment]) -> StoreResult<()> {
        if segments.is_empty() {
            return Ok(());
        }
        let numbers: Vec<String> = (0..segments.len()).map(|number| number.to_string()).collect();
        let rows =
            rows(numbers.iter().map(String::as_str).zip(segments.iter().map(|segment| SegmentRow::new(segment))));
        on_db!(self, connection => {
            sqlx::query(
                "insert into segment (machine, segment, opened_at, reason, kind, claimed_segment, claimed_number, claimed_hash,
                     stood_segment, stood_number, stood_hash)
                 select r.value ->> 'machine', cast(r.value ->> 'segment' as bigint), cast(r.value ->> 'opened_at' as bigint),
                     r.value ->> 'reason', r.value ->> 'kind', cast(r.value ->> 'claimed_segment' as bigint),
                     cast(r.value ->> 'claimed_number' as bigint), r.value ->> 'claimed_hash',
                     cast(r.value ->> 'stood_segment' as bigint), cast(r.value ->> 'stood_number' as bigint),
                     r.value ->> 'stood_hash'
                 from jsonb_each($1) r",
            )
            .bind(rows)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The newest segments of a machine that was behind when it opened them, and so left out accepted reports: each with its segment,
    /// and the segment and number of the last report it knew.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn segments_behind(&mut self, machine: &str) -> StoreResult<Vec<(u64, (u64, u64))>> {
        let rows: Vec<(i64, i64, i64)> = on_db!(self, connection => {
            sqlx::query_as(
                "select segment, claimed_segment, claimed_number from segment
                 where machine = $1 and kind = 'machine_behind' and claimed_segment is not null order by segment desc limit 100",
            )
            .bind(machine)
            .fetch_all(connection)
            .await?
        });
        let unsigned = i64::unsigned_abs;
        Ok(rows
            .into_iter()
            .map(|(segment, of, number)| (unsigned(segment), (unsigned(of), unsigned(number))))
            .collect())
    }

    /// Stores a refused branch; the same bytes are stored once.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn fork_insert(&mut self, fork: &NewFork) -> StoreResult<()> {
        let (segment, number, hash) =
            (signed(fork.position.segment), signed(fork.position.number), fork.position.hash.to_string());
        let inserted = on_db!(self, connection => {
            sqlx::query(
                "insert into fork (id, machine, segment, number, hash, header, signature, bodies, start_id, traits, received_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (machine, hash) do nothing",
            )
            .bind(super::new_id())
            .bind(&fork.machine)
            .bind(segment)
            .bind(number)
            .bind(&hash)
            .bind(&fork.header)
            .bind(&fork.signature)
            .bind(&fork.bodies)
            .bind(&fork.start)
            .bind(fork.traits.to_string())
            .bind(fork.received_at)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if inserted == 1 {
            self.log_note(Leaf::fork(&fork.machine, segment, number, &hash, fork.received_at));
        }
        Ok(())
    }

    /// The last reports of a machine, the newest first.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    #[cfg(test)]
    pub async fn report_list(&mut self, scope: &Scope, machine: &str, limit: i64) -> StoreResult<Vec<StoredReport>> {
        self.machine_require(scope, machine).await?;
        let mut reports: Vec<StoredReport> = on_db!(self, connection => {
            sqlx::query_as(
                "select segment, number, hash, header, signature, received_at, made_at from report
                 where machine = $1 order by segment desc, number desc limit $2",
            )
            .bind(machine)
            .bind(limit)
            .fetch_all(connection)
            .await?
        });
        self.headers_unpack(machine, &mut reports).await?;
        Ok(reports)
    }

    /// The breaks of a machine's chain, the newest first.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn segment_list(&mut self, scope: &Scope, machine: &str) -> StoreResult<Vec<StoredSegment>> {
        self.machine_require(scope, machine).await?;
        Ok(on_db!(self, connection => {
            sqlx::query_as("select segment, opened_at, reason, kind from segment where machine = $1 order by segment desc")
                .bind(machine)
                .fetch_all(connection)
                .await?
        }))
    }

    /// The refused branches of a machine, the newest first.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn fork_list(&mut self, scope: &Scope, machine: &str) -> StoreResult<Vec<StoredFork>> {
        self.machine_require(scope, machine).await?;
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select id, segment, number, hash, start_id, traits, received_at from fork where machine = $1
                 order by received_at desc, id desc",
            )
            .bind(machine)
            .fetch_all(connection)
            .await?
        }))
    }
}
