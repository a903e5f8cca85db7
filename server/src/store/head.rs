//! The end of every machine's chain: one row per machine, so that a report costs one update.

use std::collections::{BTreeMap, HashSet};

use protocol::{Digest, Position};
use sqlx::FromRow;

use super::machine::{MachineStatus, Role};
use super::many::{in_lists, pieces};
use super::report::signed;
use super::section::Sections;
use super::{Link, Scope, StoreResult, Tx};

/// The end of a machine's chain and the latest of what it reported.
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
    /// `made_at` minus `received_at`.
    pub clock_offset: i64,
    /// Latest state of every section.
    pub sections: Sections,
    /// Version of the agent that sent it: hostile text, empty when it last reported to a server that did not store it.
    pub agent: String,
    /// Version of the facts' meaning by which it reads.
    pub schema: u32,
    /// Days since 1970 of the last report.
    pub stored_day: i64,
    /// Bytes stored on that day.
    pub stored_bytes: i64,
    /// Bytes stored on all days.
    pub stored_all: i64,
}

/// What the store knows of a machine when its reports are planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMachine {
    /// The machine's id.
    pub machine: String,
    /// Its office's id.
    pub office: String,
    /// Its office's name.
    pub office_name: String,
    /// Workstation or server.
    pub role: Role,
    /// Whether it may send requests.
    pub status: MachineStatus,
    /// The token it enrolled with; empty when without one.
    pub token: String,
    /// When it enrolled.
    pub enrolled_at: i64,
    /// Since when it counts as cloned.
    pub clone_at: Option<i64>,
    /// When it was judged last.
    pub judged_at: Option<i64>,
    /// The address of the policy it was judged by.
    pub judged_policy: Option<String>,
    /// The end of its chain; `None` before its first report.
    pub head: Option<Head>,
}

/// Longer than the longest holiday: no office is silent for this long. Milliseconds.
const HOLIDAY_MS: i64 = 14 * 24 * 60 * 60 * 1000;
/// A clock that is off by more than a day is wrong, whatever its zone. Milliseconds.
const OFF_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, FromRow)]
struct StandingRow {
    id: String,
    office: String,
    office_name: String,
    #[sqlx(try_from = "String")]
    role: Role,
    #[sqlx(try_from = "String")]
    status: MachineStatus,
    token: Option<String>,
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
    agent: Option<String>,
    schema: Option<i64>,
    stored_day: Option<i64>,
    stored_bytes: Option<i64>,
    stored_all: Option<i64>,
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
            agent: self.agent?,
            schema: schema(self.schema?),
            stored_day: self.stored_day?,
            stored_bytes: self.stored_bytes?,
            stored_all: self.stored_all?,
        })
    }
}

/// Only values the store itself wrote are read here; a damaged value reads as one that no report can have.
fn digest(text: &str) -> Digest {
    text.parse().unwrap_or(Digest::ZERO)
}

/// A version of the facts' meaning as stored.
pub(crate) fn schema(kept: i64) -> u32 {
    u32::try_from(kept).unwrap_or(0)
}

fn position(segment: i64, number: i64, hash: &str) -> Position {
    Position { segment: segment.unsigned_abs(), number: number.unsigned_abs(), hash: digest(hash) }
}

const STANDING: &str = "select m.id, m.office, o.name as office_name, m.role, m.status, m.token, m.enrolled_at, m.clone_at,
    s.judged_at, s.policy as judged_policy, h.segment, h.number, h.hash, h.starts, h.traits, h.received_at, h.made_at, h.clock_offset, h.sections, h.agent, h.schema, h.stored_day, h.stored_bytes, h.stored_all
    from machine m join office o on o.id = m.office left join machine_head h on h.machine = m.id
    left join judgement s on s.machine = m.id where m.id in ";

/// How many of the machines heard from last are used to check the date.
const WITNESSES: i64 = 5;

impl Tx {
    /// Whether the machines contradict a clock at `now`: none reported for longer than a long holiday, or most of those heard from
    /// last have a clock that is off by over a day. Irreversible work waits until that is resolved. Without any report there is no
    /// doubt, and nothing to lose.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clock_is_doubtful(&mut self, now: i64) -> StoreResult<bool> {
        let heard: Vec<(i64, i64)> = on_db!(self, connection => {
            sqlx::query_as("select received_at, clock_offset from machine_head where received_at <= $1 order by received_at desc limit $2")
                .bind(now)
                .bind(WITNESSES)
                .fetch_all(connection)
                .await?
        });
        let any: bool = on_db!(self, connection => {
            sqlx::query_scalar("select exists (select 1 from machine_head)").fetch_one(connection).await?
        });
        let silent = heard.first().is_none_or(|(received_at, _)| now.saturating_sub(*received_at) > HOLIDAY_MS);
        let against = heard.iter().filter(|(_, offset)| offset.unsigned_abs() > OFF_MS).count();
        Ok(any && (silent || 2 * against > heard.len()))
    }

    /// The stored state of these machines, by id. On PostgreSQL the machines are locked in the order of their ids, so that
    /// two servers never deadlock. It takes no scope: the machines were identified by their keys.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn stored_machines(
        &mut self,
        machines: &[String],
    ) -> StoreResult<BTreeMap<String, StoredMachine>> {
        let mut stored_machines = BTreeMap::new();
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
            stored_machines.extend(rows.into_iter().map(|row| {
                let stored_machine = StoredMachine {
                    machine: row.id.clone(),
                    office: row.office,
                    office_name: row.office_name,
                    role: row.role,
                    status: row.status,
                    token: row.token.unwrap_or_default(),
                    enrolled_at: row.enrolled_at,
                    clone_at: row.clone_at,
                    judged_at: row.judged_at,
                    judged_policy: row.judged_policy,
                    head: row.head.head(),
                };
                (row.id, stored_machine)
            }));
        }
        Ok(stored_machines)
    }

    /// Moves the ends of chains and keeps the newest version of the facts' meaning that each machine ever used, each only if its end is
    /// still at `from` (`None`: no report yet). Returns the machines whose end moved: a machine is included only if exactly one row
    /// changed.
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
                         clock_offset, sections, agent, schema, schema_best, stored_day, stored_bytes, stored_all) ",
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
                        .push_bind(head.agent.clone())
                        .push_bind(i64::from(head.schema))
                        .push_bind(i64::from(head.schema))
                        .push_bind(head.stored_day)
                        .push_bind(head.stored_bytes)
                        .push_bind(head.stored_all);
                });
                insert.push(" on conflict (machine) do nothing returning machine");
                insert.build_query_scalar::<String>().fetch_all(connection).await?
            }));
        }
        for piece in pieces(&later) {
            moved.extend(on_db!(self, connection => {
                let mut update = sqlx::QueryBuilder::new(
                    "with moved (machine, from_segment, from_number, from_hash, segment, number, hash, starts, traits, received_at,
                         made_at, clock_offset, sections, agent, schema, stored_day, stored_bytes, stored_all) as (values ",
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
                    update.push(open).push_bind(head.agent.clone()).push(text).push(", ");
                    update.push(open).push_bind(i64::from(head.schema)).push(number).push(", ");
                    update.push(open).push_bind(head.stored_day).push(number).push(", ");
                    update.push(open).push_bind(head.stored_bytes).push(number).push(", ");
                    update.push(open).push_bind(head.stored_all).push(number).push(")");
                }
                update.push(
                    ") update machine_head set segment = moved.segment, number = moved.number, hash = moved.hash,
                         starts = moved.starts, traits = moved.traits, received_at = moved.received_at,
                         made_at = moved.made_at, clock_offset = moved.clock_offset, sections = moved.sections,
                         agent = moved.agent, schema = moved.schema, schema_best = case
                             when moved.schema > machine_head.schema_best then moved.schema else machine_head.schema_best end,
                         stored_day = moved.stored_day, stored_bytes = moved.stored_bytes,
                         stored_all = moved.stored_all
                     from moved where machine_head.machine = moved.machine and machine_head.segment = moved.from_segment
                         and machine_head.number = moved.from_number and machine_head.hash = moved.from_hash
                     returning machine_head.machine",
                );
                update.build_query_scalar::<String>().fetch_all(connection).await?
            }));
        }
        Ok(moved)
    }

    /// Bytes stored for the machines that nobody has confirmed, by the token they enrolled with.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn head_pending_bytes(&mut self) -> StoreResult<BTreeMap<String, i64>> {
        let rows: Vec<(String, i64)> = on_db!(self, connection => {
            sqlx::query_as(
                "select coalesce(m.token, ''), cast(sum(h.stored_all) as bigint) from machine m
                 join machine_head h on h.machine = m.id where m.status = 'pending' group by m.token",
            )
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().collect())
    }

    /// The end of a machine's chain and the state of its sections; `None` before its first report.
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
}

#[cfg(test)]
mod tests {
    use super::super::test_database::{self, on_both};
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
            agent: "0.2.0".to_owned(),
            schema: 2,
            stored_day: 0,
            stored_bytes: 5,
            stored_all: 7,
        }
    }

    on_both! {
        async fn a_chain_moves_only_from_where_it_stands(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã", None).await;
            let mut machines = Vec::new();
            for _ in 0..70 {
                machines.push(test_database::machine(&mut tx, &office).await);
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

            let stored_machine = tx.stored_machines(&machines).await.unwrap();
            assert_eq!(stored_machine.len(), 70);
            assert_eq!(stored_machine[&machines[0]].head, Some(head(at(1, b"1"))));
            assert_eq!(stored_machine[&machines[69]].head, Some(head(at(2, b"2"))));
        }

        async fn of_two_servers_on_one_database_one_moves_the_chain(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã", None).await;
            let machine = test_database::machine(&mut tx, &office).await;
            tx.head_move(&[(machine.clone(), None, head(at(1, b"1")))]).await.unwrap();
            tx.commit().await.unwrap();

            let second = test_database.second().await;
            let move_by = async |db: &crate::store::Db, hash: &'static [u8]| {
                let mut tx = db.write().await.unwrap();
                let moved = tx.head_move(&[(machine.clone(), Some(at(1, b"1")), head(at(2, hash)))]).await.unwrap().len();
                tx.commit().await.unwrap();
                moved
            };
            let (one, other) = tokio::join!(move_by(&test_database.db, b"one"), move_by(&second, b"other"));
            assert_eq!(one + other, 1);
            let mut tx = second.read().await.unwrap();
            let stands = tx.head_get(&Scope::whole(), &machine).await.unwrap().unwrap().position;
            assert_eq!(stands, if one == 1 { at(2, b"one") } else { at(2, b"other") });
            drop(tx);
            second.close().await;
        }
    }
}
