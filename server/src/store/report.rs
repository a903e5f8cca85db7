//! Signed reports as received, breaks in a machine's chain and refused second branches. Where a chain ends is in `head`.

use protocol::{Digest, Position};
use sqlx::FromRow;

use super::many::pieces;
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
    /// The signed bytes.
    pub header: Vec<u8>,
    /// The signature over them.
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

/// `protocol` refuses headers whose segment or number is too large.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Tx {
    /// Stores accepted reports.
    ///
    /// # Errors
    /// When the database fails; a duplicate when a position is taken.
    pub(crate) async fn report_insert(&mut self, reports: &[NewReport]) -> StoreResult<()> {
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
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select segment, number, hash, header, signature, received_at, made_at from report
                 where machine = $1 and segment = $2 and number = $3",
            )
            .bind(machine)
            .bind(signed(segment))
            .bind(signed(number))
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Stores the break before a segment.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn segment_insert(&mut self, segment: &NewSegment) -> StoreResult<()> {
        let parts = |position: Option<Position>| {
            position.map_or((None, None, None), |position| {
                (Some(signed(position.segment)), Some(signed(position.number)), Some(position.hash.to_string()))
            })
        };
        let (claimed, stood) = (parts(segment.claimed), parts(segment.stood));
        on_db!(self, connection => {
            sqlx::query(
                "insert into segment (machine, segment, opened_at, reason, kind, claimed_segment, claimed_number, claimed_hash,
                     stood_segment, stood_number, stood_hash)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(&segment.machine)
            .bind(signed(segment.segment))
            .bind(segment.opened_at)
            .bind(&segment.reason)
            .bind(segment.kind.word())
            .bind(claimed.0)
            .bind(claimed.1)
            .bind(claimed.2)
            .bind(stood.0)
            .bind(stood.1)
            .bind(stood.2)
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
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select segment, number, hash, header, signature, received_at, made_at from report
                 where machine = $1 order by segment desc, number desc limit $2",
            )
            .bind(machine)
            .bind(limit)
            .fetch_all(connection)
            .await?
        }))
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
