//! Machines: their identity, their office, and whether they count. Keys and certificates are in `key`, orders in `order`.

use sqlx::FromRow;

use self::contact::Contact;
use super::agent::AgentState;
use super::{Noun, Scope, StoreError, StoreResult, Tx};

pub mod contact;
pub mod event;
pub mod key;
pub mod order;

pub use policies::policy::Role;

words! {
    /// Whether a machine counts.
    MachineStatus {
        /// Chờ xác nhận: reports are kept, the grade ignores it.
        Pending = "pending",
        /// Đã xác nhận.
        Confirmed = "confirmed",
        /// Đã thu hồi: every request is refused.
        Revoked = "revoked",
    }
}

/// An enrolled machine.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Machine {
    /// UUIDv7, drawn by the server.
    pub id: String,
    /// The office it counts for.
    pub office: String,
    /// Workstation or server.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// Whether it counts.
    #[sqlx(try_from = "String")]
    pub status: MachineStatus,
    /// The name it gives itself: hostile text.
    pub name: String,
    /// Room and person as typed at it when it enrolled; empty when nobody was asked. Hostile text.
    pub place: String,
    /// Digest of its hardware traits at enrolment.
    pub traits: String,
    /// The token it enrolled with.
    pub token: Option<String>,
    /// Milliseconds UTC.
    pub enrolled_at: i64,
    /// When an officer, a roster line or the token confirmed it.
    pub confirmed_at: Option<i64>,
    /// Who confirmed it.
    pub confirmed_by: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
    /// The reason for the revocation.
    pub revoked_for: Option<String>,
    /// Since when two machines seem to use its key; the grade is frozen until an officer decides.
    pub clone_at: Option<i64>,
    /// What revealed it.
    pub clone_why: Option<String>,
    /// The line of the roster it has, or had last.
    pub line: Option<String>,
}

/// A machine with the agent that it runs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ListedMachine {
    /// The machine.
    #[serde(flatten)]
    pub machine: Machine,
    /// Its agent; `None` without a report.
    pub agent: Option<AgentState>,
    /// The last contact with it.
    pub contact: Contact,
}

#[derive(Debug, FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    machine: Machine,
    agent: Option<String>,
    schema: Option<i64>,
    schema_best: Option<i64>,
    #[sqlx(flatten)]
    contact: Contact,
}

impl Tx {
    /// Adds a machine.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when its office is not within `scope`.
    pub async fn machine_insert(&mut self, scope: &Scope, machine: &Machine) -> StoreResult<()> {
        self.office_require(scope, &machine.office).await?;
        on_db!(self, connection => {
            sqlx::query(
                "insert into machine (id, office, role, status, name, traits, token, enrolled_at, confirmed_at, confirmed_by,
                     revoked_at, revoked_by, revoked_for, clone_at, clone_why, place, line)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
            )
            .bind(&machine.id)
            .bind(&machine.office)
            .bind(machine.role.code())
            .bind(machine.status.word())
            .bind(&machine.name)
            .bind(&machine.traits)
            .bind(&machine.token)
            .bind(machine.enrolled_at)
            .bind(machine.confirmed_at)
            .bind(&machine.confirmed_by)
            .bind(machine.revoked_at)
            .bind(&machine.revoked_by)
            .bind(&machine.revoked_for)
            .bind(machine.clone_at)
            .bind(&machine.clone_why)
            .bind(&machine.place)
            .bind(&machine.line)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// One machine.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_get(&mut self, scope: &Scope, id: &str) -> StoreResult<Option<Machine>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select m.* from machine m join office_within w on w.office = m.office where w.ancestor = $1 and m.id = $2",
            )
            .bind(scope.ancestor())
            .bind(id)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// One machine, or [`StoreError::NotFound`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn machine_require(&mut self, scope: &Scope, id: &str) -> StoreResult<Machine> {
        self.machine_get(scope, id).await?.ok_or_else(|| StoreError::not_found(Noun::Machine, id))
    }

    /// The machines of one office (not of those below it) with their agents, by name, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_list(&mut self, scope: &Scope, office: &str) -> StoreResult<Vec<ListedMachine>> {
        let rows: Vec<ListedRow> = on_db!(self, connection => {
            sqlx::query_as(
                "select m.*, h.agent, h.schema, h.schema_best, c.called_at, c.imported_at
                 from machine m join office_within w on w.office = m.office
                     left join machine_head h on h.machine = m.id left join machine_contact c on c.machine = m.id
                 where w.ancestor = $1 and m.office = $2 order by m.name, m.id",
            )
            .bind(scope.ancestor())
            .bind(office)
            .fetch_all(connection)
            .await?
        });
        let listed = |ListedRow { machine, agent, schema, schema_best, contact }| ListedMachine {
            machine,
            contact,
            agent: AgentState::read(agent, schema, schema_best),
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// Confirms a pending machine, so that it counts from `at`. True when it was pending.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn machine_confirm(&mut self, scope: &Scope, id: &str, at: i64, by: &str) -> StoreResult<bool> {
        self.machine_require(scope, id).await?;
        Ok(on_db!(self, connection => {
            sqlx::query(
                "update machine set status = 'confirmed', confirmed_at = $2, confirmed_by = $3
                 where id = $1 and status = 'pending'",
            )
            .bind(id)
            .bind(at)
            .bind(by)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// Revokes a machine: from now on every request of its keys is refused. Its roster line becomes free; its evidence
    /// stays. True when it was not revoked before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn machine_revoke(&mut self, scope: &Scope, id: &str, at: i64, by: &str, why: &str) -> StoreResult<bool> {
        self.machine_require(scope, id).await?;
        Ok(on_db!(self, connection => {
            let revoked = sqlx::query(
                "update machine set status = 'revoked', revoked_at = $2, revoked_by = $3, revoked_for = $4
                 where id = $1 and status <> 'revoked'",
            )
            .bind(id)
            .bind(at)
            .bind(by)
            .bind(why)
            .execute(&mut *connection)
            .await?
            .rows_affected();
            sqlx::query("update roster_line set machine = null where machine = $1").bind(id).execute(connection).await?;
            revoked
        }) == 1)
    }

    /// Gives a machine another role, and its line of the roster with it; the judge uses the other control file from the next judgement.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn machine_role_set(&mut self, scope: &Scope, id: &str, role: Role) -> StoreResult<()> {
        self.machine_require(scope, id).await?;
        on_db!(self, connection => {
            for sql in ["update machine set role = $2 where id = $1", "update roster_line set role = $2 where machine = $1"] {
                sqlx::query(sql).bind(id).bind(role.code()).execute(&mut *connection).await?;
            }
        });
        Ok(())
    }

    /// Moves a machine to another office; both must lie within `scope`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of them does not.
    pub async fn machine_move(&mut self, scope: &Scope, id: &str, office: &str) -> StoreResult<()> {
        self.machine_require(scope, id).await?;
        self.office_require(scope, office).await?;
        on_db!(self, connection => {
            sqlx::query("update machine set office = $2 where id = $1").bind(id).bind(office).execute(&mut *connection).await?;
            sqlx::query("update roster_line set machine = null where machine = $1 and office <> $2")
                .bind(id)
                .bind(office)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Marks a machine as cloned, once: the first sighting and its reason stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn machine_clone_set(&mut self, scope: &Scope, id: &str, at: i64, why: &str) -> StoreResult<()> {
        self.machine_require(scope, id).await?;
        on_db!(self, connection => {
            sqlx::query("update machine set clone_at = $2, clone_why = $3 where id = $1 and clone_at is null")
                .bind(id)
                .bind(at)
                .bind(why)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// An officer decided which machine keeps this identity: judging resumes with the next report.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn machine_clone_settle(&mut self, scope: &Scope, id: &str) -> StoreResult<()> {
        self.machine_require(scope, id).await?;
        on_db!(self, connection => {
            sqlx::query("update machine set clone_at = null, clone_why = null where id = $1")
                .bind(id)
                .execute(&mut *connection)
                .await?;
            sqlx::query("update machine_head set starts = '' where machine = $1").bind(id).execute(connection).await?;
        });
        Ok(())
    }
}
