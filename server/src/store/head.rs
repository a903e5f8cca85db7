//! The end of every machine's chain: one row per machine, so that a report costs one update.

mod moving;

use std::collections::BTreeMap;

use protocol::{Digest, Position};
use sqlx::FromRow;

use super::machine::{MachineStatus, Role};
use super::many::{ids, rows};
use super::number::signed;
use super::section::{Sections, schema};
use super::{Link, Scope, StoreResult, Tx};
pub(crate) use moving::HeadMove;

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
    seen: Option<String>,
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
            sections: Sections::decode(&self.sections?, &self.seen?),
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

fn position(segment: i64, number: i64, hash: &str) -> Position {
    Position { segment: segment.unsigned_abs(), number: number.unsigned_abs(), hash: digest(hash) }
}

impl StoredMachine {
    /// What tells whether a machine is still as it was: everything that others than the committer change, and the end of its chain. Its last
    /// judgement is not in it: one that is newer than remembered makes the machine judged again, no more. The same text as `state!`.
    fn state(&self) -> String {
        let Self { office, office_name, role, status, clone_at, head, .. } = self;
        let (clone_at, role, status) = (clone_at.unwrap_or(0), role.code(), status.word());
        let of_chain = head.as_ref().map_or_else(
            || " 0 0 0".to_owned(),
            |Head { position, starts, stored_all, .. }| {
                let starts = starts.join(" ");
                format!(
                    "{} {} {} {stored_all} {starts}",
                    position.hash,
                    signed(position.segment),
                    signed(position.number)
                )
            },
        );
        format!("{status} {role} {office} {clone_at} {of_chain} {office_name}")
    }
}

/// [`StoredMachine::state`] in SQL.
macro_rules! state {
    () => {
        "m.status || ' ' || m.role || ' ' || m.office || ' ' || coalesce(m.clone_at, 0) || ' ' || coalesce(h.hash, '') || ' '
         || coalesce(h.segment, 0) || ' ' || coalesce(h.number, 0) || ' ' || coalesce(h.stored_all, 0)
         || case when h.hash is null then '' else ' ' || h.starts end || ' ' || o.name"
    };
}

/// Machines that are not as they were.
const STANDING: &str = concat!(
    "select m.id, m.office, o.name as office_name, m.role, m.status, m.token, m.enrolled_at, m.clone_at, s.judged_at,
         s.policy as judged_policy, h.segment, h.number, h.hash, h.starts, h.traits, h.received_at, h.made_at, h.clock_offset,
         x.sections, h.seen, h.agent, h.schema, h.stored_day, h.stored_bytes, h.stored_all
     from jsonb_each($1) r join machine m on m.id = r.key join office o on o.id = m.office
         left join machine_head h on h.machine = m.id left join machine_sections x on x.machine = m.id
         left join judgement s on s.machine = m.id
     where r.value ->> 0 <> ",
    state!()
);

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

    /// The stored state of these machines, by id; of those `remembered` only what is no longer as it was is read. On PostgreSQL the machines
    /// are locked in the order of their ids, so that two servers never deadlock. It takes no scope: the machines were identified by their
    /// keys.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn stored_machines(
        &mut self,
        machines: &[String],
        mut remembered: BTreeMap<String, StoredMachine>,
    ) -> StoreResult<BTreeMap<String, StoredMachine>> {
        let state = |machine: &String| [remembered.get(machine).map(StoredMachine::state).unwrap_or_default()];
        let states = rows(machines.iter().map(|machine| (machine.as_str(), state(machine))));
        if let Link::Postgres(transaction) = &mut self.link {
            sqlx::query(
                "select count(*) from (select 1 from machine where id in (select r.key from jsonb_each($1) r)
                     order by id for no key update) held",
            )
            .bind(ids(machines))
            .execute(&mut **transaction)
            .await?;
        }
        let changed: Vec<StandingRow> =
            on_db!(self, connection => sqlx::query_as(STANDING).bind(states).fetch_all(connection).await?);
        remembered.extend(changed.into_iter().map(|row| {
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
        Ok(remembered)
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
            sqlx::query_as("select h.*, x.sections from machine_head h left join machine_sections x on x.machine = h.machine where h.machine = $1")
                .bind(machine).fetch_optional(connection).await?
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
            let (one, two) = (head(at(1, b"1")), head(at(2, b"2")));
            let first: Vec<_> = machines.iter().map(|machine| HeadMove { machine, from: None, to: &one }).collect();
            assert_eq!(tx.head_move(&first).await.unwrap(), 70);
            assert_eq!(tx.head_move(&first).await.unwrap(), 0, "a second first report moves nothing");

            let froms = [at(1, b"another hash"), at(2, b"1"), Position { segment: 2, ..at(1, b"1") }, at(1, b"1")].map(head);
            let from = |index: usize| Some(&froms[index.min(3)]);
            let moves: Vec<_> = machines
                .iter()
                .enumerate()
                .map(|(index, machine)| HeadMove { machine, from: from(index), to: &two })
                .collect();
            assert_eq!(tx.head_move(&moves).await.unwrap(), 67);

            let read = tx.stored_machines(&machines, BTreeMap::new()).await.unwrap();
            assert_eq!(read.len(), 70);
            assert!(machines[..3].iter().all(|id| read[id].head.as_ref() == Some(&one)));
            assert!(machines[3..].iter().all(|id| read[id].head.as_ref() == Some(&two)));
        }

        async fn a_machine_is_read_again_when_it_is_not_as_it_was(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let (office, other) = (test_database::office(&mut tx, "Xã", None).await, test_database::office(&mut tx, "Phường", None).await);
            let machine = test_database::machine(&mut tx, &office).await;
            let id = std::slice::from_ref(&machine);
            let all = Scope::whole();
            let (one, two) = (head(at(1, b"1")), head(at(2, b"2")));
            let more = Head { stored_all: 8, ..two.clone() };
            // What is remembered is told from what is read by a time that no row has.
            let mark = |mut read: BTreeMap<String, StoredMachine>| {
                read.values_mut().for_each(|read| read.enrolled_at = -1);
                read
            };
            let mut remembered = mark(tx.stored_machines(id, BTreeMap::new()).await.unwrap());
            for change in 0..9 {
                match change {
                    1 => drop(tx.head_move(&[HeadMove { machine: &machine, from: None, to: &one }]).await.unwrap()),
                    2 => drop(tx.head_move(&[HeadMove { machine: &machine, from: Some(&one), to: &two }]).await.unwrap()),
                    3 => drop(tx.head_move(&[HeadMove { machine: &machine, from: Some(&two), to: &more }]).await.unwrap()),
                    4 => tx.machine_clone_set(&all, &machine, 5, "x").await.unwrap(),
                    5 => tx.machine_clone_settle(&all, &machine).await.unwrap(),
                    6 => tx.machine_move(&all, &machine, &other).await.unwrap(),
                    7 => tx.machine_role_set(&all, &machine, Role::Server).await.unwrap(),
                    8 => drop(tx.machine_revoke(&all, &machine, 1, "lan", "x").await.unwrap()),
                    _ => {}
                }
                for is_changed in [change > 0, false] {
                    let read = tx.stored_machines(id, remembered).await.unwrap();
                    assert_eq!(read[&machine].enrolled_at >= 0, is_changed, "change {change}");
                    remembered = mark(read);
                }
            }
        }

        async fn of_two_servers_on_one_database_one_moves_the_chain(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã", None).await;
            let machine = test_database::machine(&mut tx, &office).await;
            let first = head(at(1, b"1"));
            tx.head_move(&[HeadMove { machine: &machine, from: None, to: &first }]).await.unwrap();
            tx.commit().await.unwrap();

            let second = test_database.second().await;
            let move_by = async |db: &crate::store::Db, hash: &'static [u8]| {
                let mut tx = db.write().await.unwrap();
                let to = head(at(2, hash));
                let moved = tx.head_move(&[HeadMove { machine: &machine, from: Some(&first), to: &to }]).await.unwrap();
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
