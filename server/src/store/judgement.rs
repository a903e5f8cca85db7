//! Current verdicts of every machine, and how they changed.

use std::collections::BTreeMap;

use policies::outcome::Verdict;
use sqlx::FromRow;

use super::agent::AgentState;
use super::machine::{MachineStatus, Role};
use super::many::{in_lists, pieces};
use super::{Scope, StoreResult, Tx, new_id};

words! {
    /// Why machines were judged.
    JudgedFor {
        /// A report came.
        Report = "report",
        /// Another policy was published.
        Policy = "policy",
        /// A waiver began or ended.
        Waiver = "waiver",
        /// The machine got another role.
        Role = "role",
    }
}

/// The state of one control on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictState {
    /// The control's id.
    pub control: String,
    /// The verdict.
    pub verdict: Verdict,
    /// When it began, milliseconds UTC.
    pub since_at: i64,
    /// When a failure was first seen that has not been seen fixed since.
    pub failing_since_at: Option<i64>,
    /// Unknown only because the product has no reader.
    pub no_reader: bool,
    /// Unknown only because the agent is too old for the facts, or reports that itself.
    pub agent_too_old: bool,
    /// The failing control that explains this one.
    pub implied_by: Option<String>,
}

/// All verdicts of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The machine's id.
    pub machine: String,
    /// Address of the policy.
    pub policy: String,
    /// The role it was judged in.
    pub role: Role,
    /// Milliseconds UTC.
    pub judged_at: i64,
    /// In the order of the policy.
    pub verdicts: Vec<VerdictState>,
}

/// A verdict that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictChange {
    /// The control's id.
    pub control: String,
    /// The verdict before; `None` when the control is new.
    pub before: Option<Verdict>,
    /// The verdict after.
    pub after: Verdict,
}

/// A change of a verdict as stored.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct StoredChange {
    /// The machine.
    pub machine: String,
    /// The control's id.
    pub control: String,
    /// The stored word of the verdict before.
    pub before: Option<String>,
    /// The stored word of the verdict after.
    pub after: Option<String>,
    /// Why it was judged.
    #[sqlx(try_from = "String")]
    pub cause: JudgedFor,
    /// Address of the policy.
    pub policy: String,
    /// Milliseconds UTC.
    pub at: i64,
}

/// A machine that must be judged again even though no report came.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Behind {
    pub(crate) id: String,
    pub(crate) office: String,
    #[sqlx(try_from = "String")]
    pub(crate) role: Role,
    /// When its last report was received: its facts are judged as of that instant.
    pub(crate) received_at: i64,
    /// The version of the facts' meaning its agent read by.
    pub(crate) schema: i64,
}

/// A machine of an office with everything its grade depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedMachine {
    /// Its id.
    pub id: String,
    /// The name it gives itself: hostile text.
    pub name: String,
    /// Room and person as typed at it: hostile text.
    pub place: String,
    /// Its role.
    pub role: Role,
    /// Whether it counts.
    pub status: MachineStatus,
    /// Milliseconds UTC.
    pub enrolled_at: i64,
    /// Since when two machines seem to use its key.
    pub clone_at: Option<i64>,
    /// When its last report came; `None` without one.
    pub received_at: Option<i64>,
    /// The latest state of its sections and when they were seen, to be read by [`super::section::Sections::decode`].
    pub sections: Option<String>,
    /// See there.
    pub seen: Option<String>,
    /// Its agent; `None` without a report.
    pub agent: Option<AgentState>,
    /// Digest of its hardware, as its last report named it; `None` without one.
    pub traits: Option<String>,
    /// The verdicts; `None` when it was never judged.
    pub judgement: Option<Judgement>,
}

/// The machines of offices within a scope, with the end of their chain and their verdicts, as [`JudgedRow`] reads them.
macro_rules! judged_select {
    () => {
        "select m.id, m.name, m.place, m.role, m.status, m.enrolled_at, m.clone_at, h.received_at, x.sections, h.seen, h.agent, h.schema,
             h.schema_best, h.traits, j.policy, j.role as judged_role, j.judged_at, j.verdicts
         from machine m join office_within w on w.office = m.office
             left join machine_head h on h.machine = m.id left join machine_sections x on x.machine = m.id
             left join judgement j on j.machine = m.id"
    };
}

#[derive(Debug, FromRow)]
struct JudgedRow {
    id: String,
    name: String,
    place: String,
    #[sqlx(try_from = "String")]
    role: Role,
    #[sqlx(try_from = "String")]
    status: MachineStatus,
    enrolled_at: i64,
    clone_at: Option<i64>,
    received_at: Option<i64>,
    sections: Option<String>,
    seen: Option<String>,
    agent: Option<String>,
    schema: Option<i64>,
    schema_best: Option<i64>,
    traits: Option<String>,
    policy: Option<String>,
    judged_role: Option<String>,
    judged_at: Option<i64>,
    verdicts: Option<String>,
}

#[derive(Debug, FromRow)]
struct JudgementRow {
    machine: String,
    policy: String,
    #[sqlx(try_from = "String")]
    role: Role,
    judged_at: i64,
    verdicts: String,
}

impl VerdictState {
    fn line(&self) -> String {
        let failing = self.failing_since_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let reader = match (self.no_reader, self.agent_too_old) {
            (true, _) => "no_reader",
            (_, true) => "old_agent",
            _ => "reader",
        };
        let cause = self.implied_by.as_deref().unwrap_or("-");
        format!("{} {} {} {failing} {reader} {cause}\n", self.control, word(self.verdict), self.since_at)
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let optional = |word: &str| (word != "-").then(|| word.to_owned());
        let control = words.next()?.to_owned();
        let verdict = verdict(words.next()?)?;
        let since_at = words.next()?.parse().ok()?;
        let failing_since_at = match optional(words.next()?) {
            Some(at) => Some(at.parse().ok()?),
            None => None,
        };
        let reader = words.next()?;
        let (no_reader, agent_too_old) = (reader == "no_reader", reader == "old_agent");
        let implied_by = optional(words.next()?);
        Some(Self { control, verdict, since_at, failing_since_at, no_reader, agent_too_old, implied_by })
    }
}

/// The word for a verdict in the store and on the wire.
pub const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Unknown => "unknown",
        Verdict::NotApplicable => "not_applicable",
        Verdict::Waived => "waived",
    }
}

fn verdict(word: &str) -> Option<Verdict> {
    use Verdict::{Fail, NotApplicable, Pass, Unknown, Waived};
    [Pass, Fail, Unknown, NotApplicable, Waived].into_iter().find(|verdict| self::word(*verdict) == word)
}

fn encode(verdicts: &[VerdictState]) -> String {
    verdicts.iter().map(VerdictState::line).collect()
}

/// Reads the stored form. A line that cannot be read is skipped and logged: the next judgement rewrites it.
fn decode(machine: &str, text: &str) -> Vec<VerdictState> {
    text.lines()
        .filter_map(|line| {
            let state = VerdictState::read(line);
            if state.is_none() {
                tracing::warn!(machine, line, "a stored verdict cannot be read");
            }
            state
        })
        .collect()
}

impl From<JudgementRow> for Judgement {
    fn from(row: JudgementRow) -> Self {
        let verdicts = decode(&row.machine, &row.verdicts);
        Self { machine: row.machine, policy: row.policy, role: row.role, judged_at: row.judged_at, verdicts }
    }
}

impl From<JudgedRow> for JudgedMachine {
    fn from(row: JudgedRow) -> Self {
        let judgement = row.policy.zip(row.judged_role).zip(row.judged_at).zip(row.verdicts).and_then(
            |(((policy, role), judged_at), verdicts)| {
                let verdicts = decode(&row.id, &verdicts);
                Some(Judgement { machine: row.id.clone(), policy, role: role.parse().ok()?, judged_at, verdicts })
            },
        );
        Self {
            id: row.id,
            name: row.name,
            place: row.place,
            role: row.role,
            status: row.status,
            enrolled_at: row.enrolled_at,
            clone_at: row.clone_at,
            received_at: row.received_at,
            sections: row.sections,
            seen: row.seen,
            agent: AgentState::read(row.agent, row.schema, row.schema_best),
            traits: row.traits,
            judgement,
        }
    }
}

impl Tx {
    /// Stores judgements, replacing the previous ones.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn judgement_put(&mut self, judgements: &[Judgement]) -> StoreResult<()> {
        for piece in pieces(judgements) {
            on_db!(self, connection => {
                let mut insert =
                    sqlx::QueryBuilder::new("insert into judgement (machine, policy, role, judged_at, verdicts) ");
                insert.push_values(piece, |mut row, judgement| {
                    row.push_bind(judgement.machine.clone())
                        .push_bind(judgement.policy.clone())
                        .push_bind(judgement.role.code())
                        .push_bind(judgement.judged_at)
                        .push_bind(encode(&judgement.verdicts));
                });
                insert.push(
                    " on conflict (machine) do update set policy = excluded.policy, role = excluded.role,
                        judged_at = excluded.judged_at, verdicts = excluded.verdicts",
                );
                insert.build().execute(connection).await?;
            });
        }
        Ok(())
    }

    /// The judgements of these machines, by machine; those that were never judged are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn judgement_load(&mut self, machines: &[String]) -> StoreResult<BTreeMap<String, Judgement>> {
        let mut judgements = BTreeMap::new();
        for list in in_lists(machines) {
            let rows: Vec<JudgementRow> = on_db!(self, connection => {
                let mut select = sqlx::QueryBuilder::new("select * from judgement where machine in ");
                select.push_tuples(list, |mut row, machine| { row.push_bind(machine); });
                select.build_query_as().fetch_all(connection).await?
            });
            judgements.extend(rows.into_iter().map(|row| (row.machine.clone(), Judgement::from(row))));
        }
        Ok(judgements)
    }

    /// The judgement of one machine.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] when the machine is not within `scope`.
    #[cfg(test)]
    pub async fn judgement_get(&mut self, scope: &Scope, machine: &str) -> StoreResult<Option<Judgement>> {
        self.machine_require(scope, machine).await?;
        Ok(self.judgement_load(&[machine.to_owned()]).await?.remove(machine))
    }

    /// Stores changes of a machine's verdicts.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn outcome_change_insert(
        &mut self,
        judgement: &Judgement,
        changes: &[VerdictChange],
        cause: JudgedFor,
    ) -> StoreResult<()> {
        for piece in pieces(changes) {
            on_db!(self, connection => {
                let mut insert = sqlx::QueryBuilder::new(
                    "insert into outcome_change (id, machine, control, before, after, cause, policy, at) ",
                );
                insert.push_values(piece, |mut row, change| {
                    row.push_bind(new_id())
                        .push_bind(judgement.machine.clone())
                        .push_bind(change.control.clone())
                        .push_bind(change.before.map(word))
                        .push_bind(word(change.after))
                        .push_bind(cause.word())
                        .push_bind(judgement.policy.clone())
                        .push_bind(judgement.judged_at);
                });
                insert.build().execute(connection).await?;
            });
        }
        Ok(())
    }

    /// Changes of a machine's verdicts, the newest first.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn outcome_change_list(
        &mut self,
        scope: &Scope,
        machine: &str,
        limit: i64,
    ) -> StoreResult<Vec<StoredChange>> {
        self.machine_require(scope, machine).await?;
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select machine, control, before, after, cause, policy, at from outcome_change where machine = $1
                 order by at desc, id desc limit $2",
            )
            .bind(machine)
            .bind(limit)
            .fetch_all(connection)
            .await?
        }))
    }

    /// Machines after the id `after` that reported and were not judged under `policy`, not in their role, or later than `latest` (while the
    /// clock was ahead), by id. Machines that may be cloned keep their last judgement, unless that was before the facts' meaning changed.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn machine_behind(
        &mut self,
        policy: &str,
        latest: i64,
        after: &str,
        limit: i64,
    ) -> StoreResult<Vec<Behind>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select m.id, m.office, m.role, h.received_at, h.schema
                 from machine m join machine_head h on h.machine = m.id left join judgement j on j.machine = m.id
                 where m.id > $2 and m.status <> 'revoked' and (m.clone_at is null or j.policy = '')
                     and (j.machine is null or j.policy <> $1 or j.role <> m.role or j.judged_at > $4)
                 order by m.id limit $3",
            )
            .bind(policy)
            .bind(after)
            .bind(limit)
            .bind(latest)
            .fetch_all(connection)
            .await?
        }))
    }

    /// The machines of one office (not of those below it) with their verdicts, by name, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_judged_list(&mut self, scope: &Scope, office: &str) -> StoreResult<Vec<JudgedMachine>> {
        let rows: Vec<JudgedRow> = on_db!(self, connection => {
            sqlx::query_as(concat!(judged_select!(), " where w.ancestor = $1 and m.office = $2 order by m.name, m.id"))
                .bind(scope.ancestor())
                .bind(office)
                .fetch_all(connection)
                .await?
        });
        Ok(rows.into_iter().map(JudgedMachine::from).collect())
    }

    /// One machine of `office` with its verdicts, and the revoked ones there with the same hardware: what it may have been before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_judged_kin(
        &mut self,
        scope: &Scope,
        office: &str,
        machine: &str,
    ) -> StoreResult<Vec<JudgedMachine>> {
        let rows: Vec<JudgedRow> = on_db!(self, connection => {
            sqlx::query_as(concat!(
                judged_select!(),
                " where w.ancestor = $1 and m.office = $2 and (m.id = $3 or m.status = 'revoked'
                     and h.traits = (select traits from machine_head where machine = $3))"
            ))
            .bind(scope.ancestor())
            .bind(office)
            .bind(machine)
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(JudgedMachine::from).collect())
    }
}

#[cfg(test)]
mod tests;
