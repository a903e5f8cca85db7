//! Events: one table that is read at least every second for pages and polls, the same on both databases, so that any
//! number of servers see what each of them did.

use sqlx::FromRow;

use super::{StoreResult, Tx};

words! {
    /// What happened.
    EventKind {
        /// Reports of machines of one office were accepted in one commit; `subject` lists the machines.
        Reported = "reported",
        /// An outcome or the score of a machine changed.
        Judged = "judged",
        /// A machine enrolled, was confirmed, was moved or flagged, or got another role.
        Machine = "machine",
        /// A machine was revoked: its open polls end.
        Revoked = "revoked",
        /// A machine has an order waiting.
        Ordered = "ordered",
        /// A waiver was requested, decided, withdrawn or ended.
        Waiver = "waiver",
        /// Offices, rosters or their declarations changed.
        Roster = "roster",
        /// A token was made, used or revoked.
        Token = "token",
        /// A policy was published; `subject` is its address.
        Policy = "policy",
    }
}

/// An event about to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The office affected; `None`: all.
    pub office: Option<String>,
    /// The machine affected, if one.
    pub machine: Option<String>,
    /// Anything else affected: a token's id, a policy's address, machines.
    pub subject: Option<String>,
}

/// A published event.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct OutboxEvent {
    /// Increases without gaps, in the order of commits.
    pub sequence: i64,
    /// Milliseconds UTC.
    pub at: i64,
    /// What happened.
    #[sqlx(try_from = "String")]
    pub kind: EventKind,
    /// The office affected; `None`: all.
    pub office: Option<String>,
    /// The machine affected, if one.
    pub machine: Option<String>,
    /// Anything else affected.
    pub subject: Option<String>,
}

impl NewEvent {
    /// An event about a machine of an office.
    pub fn of_machine(kind: EventKind, office: &str, machine: &str) -> Self {
        Self { kind, office: Some(office.to_owned()), machine: Some(machine.to_owned()), subject: None }
    }

    /// Reports of these machines of an office.
    pub fn reported(office: &str, machines: &[&str]) -> Self {
        Self { subject: Some(machines.join(" ")), ..Self::of_office(EventKind::Reported, office) }
    }

    /// An event about an office.
    pub fn of_office(kind: EventKind, office: &str) -> Self {
        Self { kind, office: Some(office.to_owned()), machine: None, subject: None }
    }
}

impl OutboxEvent {
    /// Whether it is about this machine.
    pub fn concerns(&self, machine: &str) -> bool {
        let listed = || self.subject.iter().flat_map(|subject| subject.split(' ')).any(|listed| listed == machine);
        self.machine.as_deref() == Some(machine) || self.kind == EventKind::Reported && listed()
    }
}

impl Tx {
    /// Publishes events. Call it last before the commit: until then no other transaction can publish, which keeps the numbers in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_append(&mut self, at: i64, changes: &[NewEvent]) -> StoreResult<()> {
        let Ok(count) = i64::try_from(changes.len()) else { return Ok(()) };
        if count == 0 {
            return Ok(());
        }
        let last: i64 = on_db!(self, connection => {
            sqlx::query_scalar("update sequence set value = value + $1 where name = 'change' returning value")
                .bind(count)
                .fetch_one(connection)
                .await?
        });
        let mut sequence = last - count;
        for chunk in changes.chunks(100) {
            on_db!(self, connection => {
                let mut insert = sqlx::QueryBuilder::new("insert into change (sequence, at, kind, office, machine, subject) ");
                insert.push_values(chunk, |mut row, change| {
                    sequence += 1;
                    row.push_bind(sequence)
                        .push_bind(at)
                        .push_bind(change.kind.word())
                        .push_bind(change.office.clone())
                        .push_bind(change.machine.clone())
                        .push_bind(change.subject.clone());
                });
                insert.build().execute(connection).await?;
            });
        }
        Ok(())
    }

    /// The events after number `sequence`, at most `limit`, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_list(&mut self, sequence: i64, limit: i64) -> StoreResult<Vec<OutboxEvent>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from change where sequence > $1 order by sequence limit $2")
                .bind(sequence)
                .bind(limit)
                .fetch_all(connection)
                .await?
        }))
    }

    /// The number of the last event; 0 when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_last(&mut self) -> StoreResult<i64> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select value from sequence where name = 'change'").fetch_one(connection).await?
        }))
    }

    /// Deletes events older than `before`; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_prune(&mut self, before: i64) -> StoreResult<u64> {
        Ok(on_db!(self, connection => {
            sqlx::query("delete from change where at < $1").bind(before).execute(connection).await?.rows_affected()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_database::on_both;
    use super::*;

    on_both! {
        async fn events_are_numbered_in_the_order_of_commits(test_database: &TestDatabase) {
            let event = NewEvent { kind: EventKind::Policy, office: None, machine: None, subject: Some("a".to_owned()) };
            for count in [1_usize, 130] {
                let mut tx = test_database.db.write().await.unwrap();
                tx.change_append(5, &vec![event.clone(); count]).await.unwrap();
                tx.commit().await.unwrap();
            }
            let mut undone = test_database.db.write().await.unwrap();
            undone.change_append(6, std::slice::from_ref(&event)).await.unwrap();
            drop(undone);

            let mut tx = test_database.db.read().await.unwrap();
            assert_eq!(tx.change_last().await.unwrap(), 131);
            let changes = tx.change_list(1, 1000).await.unwrap();
            assert_eq!(changes.iter().map(|change| change.sequence).collect::<Vec<_>>(), (2..=131).collect::<Vec<_>>());
            assert_eq!(changes[0].kind, EventKind::Policy);
            drop(tx);

            let mut tx = test_database.db.write().await.unwrap();
            assert_eq!(tx.change_prune(5).await.unwrap(), 0);
            assert_eq!(tx.change_prune(6).await.unwrap(), 131);
        }
    }
}
