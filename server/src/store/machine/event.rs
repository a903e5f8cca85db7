//! Events agents reported about themselves, the latest of each machine.

use sqlx::FromRow;

use crate::store::hold::unheld;
use crate::store::{Scope, StoreResult, Tx};

/// How many of a machine's latest events are kept.
const KEPT: i64 = 100;

words! {
    /// What happened to an agent.
    AgentEventKind {
        /// Somebody stopped it.
        Stopped = "stopped",
        /// The machine is shutting down.
        Shutdown = "shutdown",
        /// It is being removed.
        Uninstalled = "uninstalled",
        /// Its folder was open to others and was made private again.
        AccessRepaired = "access_repaired",
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AgentEvent {
    /// What happened.
    #[sqlx(try_from = "String")]
    pub kind: AgentEventKind,
    /// When, by the machine's clock; milliseconds UTC.
    pub said_at: i64,
    /// When the server received it.
    pub received_at: i64,
}

impl Tx {
    /// Stores an event and deletes the oldest beyond the limit that are not held. The machine was identified by its key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agent_event_insert(&mut self, machine: &str, event: &AgentEvent) -> StoreResult<()> {
        self.holds_lock().await?;
        on_db!(self, connection => {
            sqlx::query("insert into agent_event (id, machine, kind, said_at, received_at) values ($1, $2, $3, $4, $5)")
                .bind(crate::store::new_id())
                .bind(machine)
                .bind(event.kind.word())
                .bind(event.said_at)
                .bind(event.received_at)
                .execute(&mut *connection)
                .await?;
            sqlx::query(concat!(
                "delete from agent_event where machine = $1 and id not in
                     (select id from agent_event where machine = $1 order by received_at desc, id desc limit $2) and ",
                unheld!("agent_event.machine", "agent_event.received_at", "agent_event.received_at", "$3"),
            ))
            .bind(machine)
            .bind(KEPT)
            .bind(event.received_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The events of a machine, the newest first.
    ///
    /// # Errors
    /// [`crate::store::StoreError::NotFound`] when the machine is not within `scope`.
    pub async fn agent_event_list(&mut self, scope: &Scope, machine: &str) -> StoreResult<Vec<AgentEvent>> {
        self.machine_require(scope, machine).await?;
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select kind, said_at, received_at from agent_event where machine = $1
                 order by received_at desc, id desc",
            )
            .bind(machine)
            .fetch_all(connection)
            .await?
        }))
    }
}
