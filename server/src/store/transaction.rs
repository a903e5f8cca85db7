//! A transaction: commit, and savepoints that can be undone separately.

mod append;
mod epoch;
mod log_end;
mod logged;

use std::sync::Arc;

use sqlx::{Postgres, Sqlite, Transaction};

use super::{Db, Health, StoreError, StoreResult};
use crate::evidence::Leaf;

use append::Step;
pub(in crate::store) use log_end::{HEIGHT, Head, Log, MADE_BY, unsigned};
pub use logged::Logged;

/// A transaction. Dropped without [`Tx::commit`], it leaves no trace.
#[derive(Debug)]
pub struct Tx {
    pub(in crate::store) link: Link,
    pub(in crate::store) intent: Intent,
    pub(in crate::store) health: Arc<Health>,
    log: Arc<Log>,
    /// Leaves of the evidence log, appended at the end.
    leaves: Vec<Leaf>,
    /// How many there were when the part began.
    leaves_before: usize,
}

/// The transaction of one of the two databases.
#[derive(Debug)]
pub(in crate::store) enum Link {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Whether a transaction was begun to read or to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Intent {
    Read,
    Write,
}

impl Tx {
    pub(super) fn new(link: Link, intent: Intent, db: &Db) -> Self {
        let (health, log) = (Arc::clone(&db.health), Arc::clone(&db.log));
        Self { link, intent, health, log, leaves: Vec::new(), leaves_before: 0 }
    }

    /// Makes everything done in this transaction durable: when this returns, it survives a power cut. What is a leaf of the evidence log is
    /// appended to it first, with one signed checkpoint.
    ///
    /// # Errors
    /// When the database could not commit; nothing is changed then.
    pub async fn commit(self) -> StoreResult<()> {
        self.conclude().await.map(drop)
    }

    /// The same; returns what was appended to the log, to make receipts of it.
    ///
    /// # Errors
    /// See [`Tx::commit`].
    pub async fn commit_logged(self) -> StoreResult<Option<Logged>> {
        let appended = self.conclude().await?;
        Ok(appended.map(|(leaves, step)| Logged::new(leaves, step)))
    }

    async fn conclude(mut self) -> StoreResult<Option<(Vec<Leaf>, Step)>> {
        let leaves = std::mem::take(&mut self.leaves);
        let step = self.log_append(&leaves).await.map_err(|error| self.health.noted(error))?;
        let Self { link, intent, health, log, .. } = self;
        let ended = match link {
            Link::Sqlite(transaction) => transaction.commit().await,
            Link::Postgres(transaction) => commit_postgres(transaction).await,
        };
        match ended {
            Ok(()) if intent == Intent::Write => health.written(),
            Ok(()) => {}
            Err(error) => return Err(health.noted(error.into())),
        }
        log.keep(step.as_ref().map(|step| step.head.clone()));
        Ok(step.map(|step| (leaves, step)))
    }

    /// Begins a part that can be undone separately. Parts do not nest.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn savepoint(&mut self) -> StoreResult<()> {
        self.leaves_before = self.leaves.len();
        self.part("savepoint part").await
    }

    /// Ends the part; what it did belongs to the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn savepoint_release(&mut self) -> StoreResult<()> {
        self.part("release savepoint part").await
    }

    /// Undoes the part.
    ///
    /// # Errors
    /// When the database fails; the whole transaction has then ended and must not be used again: SQLite would commit each further
    /// statement on its own.
    pub(crate) async fn savepoint_rollback(&mut self) -> StoreResult<()> {
        self.part("rollback to savepoint part").await?;
        self.leaves.truncate(self.leaves_before);
        self.savepoint_release().await
    }

    async fn part(&mut self, statement: &'static str) -> StoreResult<()> {
        let done = on_db!(self, connection => sqlx::query(statement).execute(connection).await.map(drop));
        done.map_err(|error| self.health.noted(error.into()))
    }
}

/// Commits, after checking that there is something to commit: PostgreSQL answers a commit after a failed statement with a rollback and no error.
async fn commit_postgres(mut transaction: Transaction<'static, Postgres>) -> sqlx::Result<()> {
    sqlx::query("select 1").execute(&mut *transaction).await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::super::test_database::{count, office, on_both};

    on_both! {
        async fn a_commit_behind_a_failed_statement_is_an_error_and_the_next_transaction_is_whole(test_database: &TestDatabase) {
            for _ in 0..3 {
                let mut tx = test_database.db.write().await.unwrap();
                let id = office(&mut tx, "UBND xã An Bình", None).await;
                let twice = tx.office_get(&Scope::whole(), &id).await.unwrap().unwrap();
                assert!(tx.office_insert(&Scope::whole(), &twice).await.unwrap_err().is_duplicate());
                // SQLite undoes only the statement; PostgreSQL the transaction.
                let kept = i64::from(tx.commit().await.is_ok());
                let mut tx = test_database.db.read().await.unwrap();
                assert_eq!(count(&mut tx, "select count(*) from office where id = $1", &id).await, kept);
            }
        }

        async fn whoever_leaves_while_a_transaction_begins_leaves_none_open(test_database: &TestDatabase) {
            for _ in 0..20 {
                for _ in 0..20 {
                    let db = test_database.db.clone();
                    let asked = tokio::spawn(async move { db.read().await.map(drop) });
                    tokio::task::yield_now().await;
                    asked.abort();
                }
                let mut tx = test_database.db.write().await.unwrap();
                office(&mut tx, "UBND xã An Bình", None).await;
                tx.commit().await.unwrap();
            }
        }
    }

    /// What a full disk or an I/O error does, simulated by a statement that ends the transaction behind sqlx's back.
    #[tokio::test]
    async fn a_connection_that_lost_its_transaction_is_not_used_again() {
        let test_database = super::super::test_database::TestDatabase::sqlite().await;
        for lost in [true, false] {
            let mut tx = test_database.db.write().await.unwrap();
            office(&mut tx, "UBND xã An Bình", None).await;
            if lost {
                tx.part("rollback").await.unwrap();
                assert!(test_database.db.health().failing_for().is_none());
            }
            assert_eq!(tx.commit().await.is_err(), lost);
            assert_eq!(test_database.db.health().failing_for().is_some(), lost);
        }
        let mut tx = test_database.db.write().await.unwrap();
        tx.part("rollback").await.unwrap();
        drop(tx);
        test_database.db.write().await.unwrap().commit().await.unwrap();
        test_database.end().await;
    }
}
