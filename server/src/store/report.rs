//! Signed reports, the end of every machine's chain, breaks in it and refused second branches.

use std::collections::{BTreeMap, HashSet};

use protocol::{Digest, Position};
use sqlx::FromRow;

use super::machine::{MachineStatus, Role};
use super::many::{in_lists, pieces};
use super::section::Sections;
use super::{Link, Scope, StoreResult, Tx};

words! {
    /// How a machine's chain was broken when it opened a segment.
    SegmentKind {
        /// The first report after enrolment.
        First = "first",
        /// Machine and server agree on where the chain stood: nothing is missing.
        Continued = "continued",
        /// The machine stood at an older report: a frozen or restored disk, or a copied state folder.
        MachineBehind = "machine_behind",
        /// The server lacks reports the machine holds receipts for: it was restored from a copy.
        ServerBehind = "server_behind",
        /// The machine names a report that the server knows otherwise.
        Disagreed = "disagreed",
    }
}

/// The end of a machine's chain and the latest of what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last accepted report.
    pub position: Position,
    /// The last start ids, oldest first.
    pub starts: Vec<String>,
    /// Digest of hardware traits in the last report.
    pub traits: Digest,
    /// When the server received the last report.
    pub received_at: i64,
    /// When the machine made it, by its own clock.
    pub made_at: i64,
    /// `made_at` less `received_at`.
    pub clock_offset: i64,
    /// Latest state of every section.
    pub sections: Sections,
    /// Days since 1970 of the last report.
    pub stored_day: i64,
    /// Bytes stored on that day.
    pub stored_bytes: i64,
}

/// What the store knows of a machine when its reports are planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The machine's id.
    pub machine: String,
    /// Its office's id.
    pub office: String,
    /// Its office's name.
    pub office_name: String,
    /// Workstation or server.
    pub role: Role,
    /// Whether it may speak.
    pub status: MachineStatus,
    /// When it enrolled.
    pub enrolled_at: i64,
    /// Since when it counts as cloned.
    pub clone_at: Option<i64>,
    /// When it was judged last.
    pub judged_at: Option<i64>,
    /// The address of the policy it was judged by.
    pub judged_policy: Option<String>,
    /// The end of its chain; none before its first report.
    pub head: Option<Head>,
}

/// A report to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReport {
    /// Whose.
    pub machine: String,
    /// Where it stands.
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

/// A break to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSegment {
    /// Whose.
    pub machine: String,
    /// The segment it opened.
    pub segment: u64,
    /// Milliseconds UTC.
    pub opened_at: i64,
    /// The agent's word for why.
    pub reason: String,
    /// What the server makes of it.
    pub kind: SegmentKind,
    /// What the machine named as last agreed.
    pub claimed: Option<Position>,
    /// Where the server's chain stood.
    pub stood: Option<Position>,
}

/// A refused second branch to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFork {
    /// Whose.
    pub machine: String,
    /// Where it claims to stand.
    pub position: Position,
    /// The signed bytes.
    pub header: Vec<u8>,
    /// The signature over them.
    pub signature: Vec<u8>,
    /// The compressed bodies as they came.
    pub bodies: Vec<u8>,
    /// Its start id.
    pub start: String,
    /// Its hardware traits.
    pub traits: Digest,
    /// Milliseconds UTC.
    pub received_at: i64,
}

/// A stored report, as far as pages and the chain need it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct StoredReport {
    /// The segment.
    pub segment: i64,
    /// The number in it.
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
    /// The agent's word for why.
    pub reason: String,
    /// What the server makes of it.
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

#[derive(Debug, FromRow)]
struct StandingRow {
    id: String,
    office: String,
    office_name: String,
    #[sqlx(try_from = "String")]
    role: Role,
    #[sqlx(try_from = "String")]
    status: MachineStatus,
    enrolled_at: i64,
    clone_at: Option<i64>,
    judged_at: Option<i64>,
    judged_policy: Option<String>,
    #[sqlx(flatten)]
    head: HeadRow,
}

#[derive(Debug, FromRow)]
struct HeadRow {
    segment: Option<i64>,
    number: Option<i64>,
    hash: Option<String>,
    starts: Option<String>,
    traits: Option<String>,
    received_at: Option<i64>,
    made_at: Option<i64>,
    clock_offset: Option<i64>,
    sections: Option<String>,
    stored_day: Option<i64>,
    stored_bytes: Option<i64>,
}

impl HeadRow {
    fn head(self) -> Option<Head> {
        Some(Head {
            position: position(self.segment?, self.number?, &self.hash?),
            starts: self.starts?.split_whitespace().map(str::to_owned).collect(),
            traits: digest(&self.traits?),
            received_at: self.received_at?,
            made_at: self.made_at?,
            clock_offset: self.clock_offset?,
            sections: Sections::decode(&self.sections?),
            stored_day: self.stored_day?,
            stored_bytes: self.stored_bytes?,
        })
    }
}

/// Only the store's own writing is read here; a damaged value reads as one that no report can have.
fn digest(text: &str) -> Digest {
    text.parse().unwrap_or(Digest::ZERO)
}

fn position(segment: i64, number: i64, hash: &str) -> Position {
    Position { segment: segment.unsigned_abs(), number: number.unsigned_abs(), hash: digest(hash) }
}

/// `protocol` refuses headers whose segment or number does not fit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const STANDING: &str = "select m.id, m.office, o.name as office_name, m.role, m.status, m.enrolled_at, m.clone_at,
    s.judged_at, s.policy as judged_policy, h.segment, h.number, h.hash, h.starts, h.traits, h.received_at, h.made_at, h.clock_offset, h.sections, h.stored_day, h.stored_bytes
    from machine m join office o on o.id = m.office left join machine_head h on h.machine = m.id
    left join judgement s on s.machine = m.id where m.id in ";

impl Tx {
    /// What is known of these machines, by id. On PostgreSQL the machines are locked in the order of their ids, so that two
    /// servers never wait for each other in a ring. It takes no scope: the machines were identified by their keys.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn report_standing(&mut self, machines: &[String]) -> StoreResult<BTreeMap<String, Standing>> {
        let mut standings = BTreeMap::new();
        for list in in_lists(machines) {
            let rows: Vec<StandingRow> = match &mut self.link {
                Link::Sqlite(transaction) => {
                    let mut select = sqlx::QueryBuilder::new(STANDING);
                    select.push_tuples(list, |mut row, machine| {
                        row.push_bind(machine);
                    });
                    select.build_query_as().fetch_all(&mut **transaction).await?
                }
                Link::Postgres(transaction) => {
                    let mut select = sqlx::QueryBuilder::new(STANDING);
                    select.push_tuples(list, |mut row, machine| {
                        row.push_bind(machine);
                    });
                    select.push(" order by m.id for no key update of m");
                    select.build_query_as().fetch_all(&mut **transaction).await?
                }
            };
            standings.extend(rows.into_iter().map(|row| {
                let standing = Standing {
                    machine: row.id.clone(),
                    office: row.office,
                    office_name: row.office_name,
                    role: row.role,
                    status: row.status,
                    enrolled_at: row.enrolled_at,
                    clone_at: row.clone_at,
                    judged_at: row.judged_at,
                    judged_policy: row.judged_policy,
                    head: row.head.head(),
                };
                (row.id, standing)
            }));
        }
        Ok(standings)
    }

    /// Moves the ends of chains, each only if it still stands where `from` says (`None`: there is no report yet). Returns the
    /// machines whose end moved: exactly one row each, or the machine is not among them.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn head_move(
        &mut self,
        moves: &[(String, Option<Position>, Head)],
    ) -> StoreResult<HashSet<String>> {
        let (first, later): (Vec<_>, Vec<_>) = moves.iter().partition(|(_, from, _)| from.is_none());
        let mut moved = HashSet::with_capacity(moves.len());
        for piece in pieces(&first) {
            moved.extend(on_db!(self, connection => {
                let mut insert = sqlx::QueryBuilder::new(
                    "insert into machine_head (machine, segment, number, hash, starts, traits, received_at, made_at,
                         clock_offset, sections, stored_day, stored_bytes) ",
                );
                insert.push_values(piece, |mut row, (machine, _, head)| {
                    row.push_bind(machine.clone())
                        .push_bind(signed(head.position.segment))
                        .push_bind(signed(head.position.number))
                        .push_bind(head.position.hash.to_string())
                        .push_bind(head.starts.join(" "))
                        .push_bind(head.traits.to_string())
                        .push_bind(head.received_at)
                        .push_bind(head.made_at)
                        .push_bind(head.clock_offset)
                        .push_bind(head.sections.encode())
                        .push_bind(head.stored_day)
                        .push_bind(head.stored_bytes);
                });
                insert.push(" on conflict (machine) do nothing returning machine");
                insert.build_query_scalar::<String>().fetch_all(connection).await?
            }));
        }
        for piece in pieces(&later) {
            moved.extend(on_db!(self, connection => {
                let mut update = sqlx::QueryBuilder::new(
                    "with moved (machine, from_segment, from_number, from_hash, segment, number, hash, starts, traits, received_at,
                         made_at, clock_offset, sections, stored_day, stored_bytes) as (values ",
                );
                for (index, (machine, from, head)) in piece.iter().enumerate() {
                    let Some(from) = from else { continue };
                    // PostgreSQL takes the types of a list of values from its first row.
                    let (text, number) = if index == 0 { (" as text)", " as bigint)") } else { ("", "") };
                    let open = if index == 0 { "cast(" } else { "" };
                    update.push(if index == 0 { "(" } else { ", (" });
                    update.push(open).push_bind(machine.clone()).push(text).push(", ");
                    update.push(open).push_bind(signed(from.segment)).push(number).push(", ");
                    update.push(open).push_bind(signed(from.number)).push(number).push(", ");
                    update.push(open).push_bind(from.hash.to_string()).push(text).push(", ");
                    update.push(open).push_bind(signed(head.position.segment)).push(number).push(", ");
                    update.push(open).push_bind(signed(head.position.number)).push(number).push(", ");
                    update.push(open).push_bind(head.position.hash.to_string()).push(text).push(", ");
                    update.push(open).push_bind(head.starts.join(" ")).push(text).push(", ");
                    update.push(open).push_bind(head.traits.to_string()).push(text).push(", ");
                    update.push(open).push_bind(head.received_at).push(number).push(", ");
                    update.push(open).push_bind(head.made_at).push(number).push(", ");
                    update.push(open).push_bind(head.clock_offset).push(number).push(", ");
                    update.push(open).push_bind(head.sections.encode()).push(text).push(", ");
                    update.push(open).push_bind(head.stored_day).push(number).push(", ");
                    update.push(open).push_bind(head.stored_bytes).push(number).push(")");
                }
                update.push(
                    ") update machine_head set segment = moved.segment, number = moved.number, hash = moved.hash,
                         starts = moved.starts, traits = moved.traits, received_at = moved.received_at,
                         made_at = moved.made_at, clock_offset = moved.clock_offset, sections = moved.sections,
                         stored_day = moved.stored_day, stored_bytes = moved.stored_bytes
                     from moved where machine_head.machine = moved.machine and machine_head.segment = moved.from_segment
                         and machine_head.number = moved.from_number and machine_head.hash = moved.from_hash
                     returning machine_head.machine",
                );
                update.build_query_scalar::<String>().fetch_all(connection).await?
            }));
        }
        Ok(moved)
    }

    /// Keeps accepted reports.
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

    /// Keeps the break before a segment.
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

    /// Keeps a refused branch; the same bytes are kept once.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn fork_insert(&mut self, fork: &NewFork) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into fork (id, machine, segment, number, hash, header, signature, bodies, start_id, traits, received_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (machine, hash) do nothing",
            )
            .bind(super::new_id())
            .bind(&fork.machine)
            .bind(signed(fork.position.segment))
            .bind(signed(fork.position.number))
            .bind(fork.position.hash.to_string())
            .bind(&fork.header)
            .bind(&fork.signature)
            .bind(&fork.bodies)
            .bind(&fork.start)
            .bind(fork.traits.to_string())
            .bind(fork.received_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The end of a machine's chain and the state of its sections; none before its first report.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn head_get(&mut self, scope: &Scope, machine: &str) -> StoreResult<Option<Head>> {
        self.machine_require(scope, machine).await?;
        let row: Option<HeadRow> = on_db!(self, connection => {
            sqlx::query_as("select * from machine_head where machine = $1").bind(machine).fetch_optional(connection).await?
        });
        Ok(row.and_then(HeadRow::head))
    }

    /// The last reports of a machine, the newest first.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
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

#[cfg(test)]
mod tests {
    use super::super::trial::{self, on_both};
    use super::*;

    fn at(number: u64, hash: &[u8]) -> Position {
        Position { segment: 1, number, hash: Digest::of(hash) }
    }

    fn head(position: Position) -> Head {
        Head {
            position,
            starts: vec!["a".to_owned()],
            traits: Digest::of(b"traits"),
            received_at: 10,
            made_at: 9,
            clock_offset: -1,
            sections: Sections::default(),
            stored_day: 0,
            stored_bytes: 5,
        }
    }

    on_both! {
        async fn a_chain_moves_only_from_where_it_stands(trial: &Trial) {
            let mut tx = trial.db.write().await.unwrap();
            let office = trial::office(&mut tx, "Xã", None).await;
            let mut machines = Vec::new();
            for _ in 0..70 {
                machines.push(trial::machine(&mut tx, &office).await);
            }
            let first: Vec<_> = machines.iter().map(|id| (id.clone(), None, head(at(1, b"1")))).collect();
            assert_eq!(tx.head_move(&first).await.unwrap().len(), 70);
            assert!(tx.head_move(&first).await.unwrap().is_empty(), "a second first report moves nothing");

            let from = |index: usize| match index {
                0 => at(1, b"another hash"),
                1 => at(2, b"1"),
                2 => Position { segment: 2, ..at(1, b"1") },
                _ => at(1, b"1"),
            };
            let moves: Vec<_> =
                machines.iter().enumerate().map(|(index, id)| (id.clone(), Some(from(index)), head(at(2, b"2")))).collect();
            let moved = tx.head_move(&moves).await.unwrap();
            assert_eq!(moved.len(), 67);
            assert!(machines[..3].iter().all(|id| !moved.contains(id)));

            let standing = tx.report_standing(&machines).await.unwrap();
            assert_eq!(standing.len(), 70);
            assert_eq!(standing[&machines[0]].head, Some(head(at(1, b"1"))));
            assert_eq!(standing[&machines[69]].head, Some(head(at(2, b"2"))));
        }

        async fn of_two_servers_on_one_database_one_moves_the_chain(trial: &Trial) {
            let mut tx = trial.db.write().await.unwrap();
            let office = trial::office(&mut tx, "Xã", None).await;
            let machine = trial::machine(&mut tx, &office).await;
            tx.head_move(&[(machine.clone(), None, head(at(1, b"1")))]).await.unwrap();
            tx.commit().await.unwrap();

            let second = trial.second().await;
            let move_by = async |db: &crate::store::Db, hash: &'static [u8]| {
                let mut tx = db.write().await.unwrap();
                let moved = tx.head_move(&[(machine.clone(), Some(at(1, b"1")), head(at(2, hash)))]).await.unwrap().len();
                tx.commit().await.unwrap();
                moved
            };
            let (one, other) = tokio::join!(move_by(&trial.db, b"one"), move_by(&second, b"other"));
            assert_eq!(one + other, 1);
            let mut tx = second.read().await.unwrap();
            let stands = tx.head_get(&Scope::whole(), &machine).await.unwrap().unwrap().position;
            assert_eq!(stands, if one == 1 { at(2, b"one") } else { at(2, b"other") });
            drop(tx);
            second.close().await;
        }
    }
}
