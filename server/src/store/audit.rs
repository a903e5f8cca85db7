//! The audit log in the database: appending after the last entry, reading a page, and walking all entries to verify the
//! chain. What an entry says and how it is hashed is in [`crate::audit`].

use super::{Db, Scope, StoreResult, Tx};
use crate::audit::{BEGINNING, Break, Change, Entry, Verifier};
use crate::evidence::Leaf;

/// The end of the log. Receipts for machines carry it, so that anyone who kept one can prove a truncated log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last entry; 0 before the first.
    pub number: i64,
    /// Its hash; [`BEGINNING`] before the first.
    pub hash: String,
}

impl Tx {
    /// Appends `change` after the last entry, in the transaction of the change itself. Until the commit no other
    /// transaction can append, so call it late.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_append(&mut self, at: i64, change: &Change) -> StoreResult<Head> {
        let number: i64 = on_db!(self, connection => {
            sqlx::query_scalar("update sequence set value = value + 1 where name = 'audit' returning value")
                .fetch_one(connection)
                .await?
        });
        let previous: Option<String> = on_db!(self, connection => {
            sqlx::query_scalar("select hash from audit_entry where number = $1")
                .bind(number - 1)
                .fetch_optional(connection)
                .await?
        });
        let entry = Entry::chain(change, at, number, previous.as_deref().unwrap_or(BEGINNING));
        on_db!(self, connection => {
            sqlx::query(
                "insert into audit_entry (number, at, person, actor, office, action, subject, detail, previous, hash)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(entry.number)
            .bind(entry.at)
            .bind(&entry.person)
            .bind(&entry.actor)
            .bind(&entry.office)
            .bind(&entry.action)
            .bind(&entry.subject)
            .bind(&entry.detail)
            .bind(&entry.previous)
            .bind(&entry.hash)
            .execute(connection)
            .await?;
        });
        self.log_note(Leaf::audit(number, &entry.hash, at));
        Ok(Head { number, hash: entry.hash })
    }

    /// The entry with this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_get(&mut self, number: i64) -> StoreResult<Option<Entry>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from audit_entry where number = $1").bind(number).fetch_optional(connection).await?
        }))
    }

    /// The end of the log as this transaction sees it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_head(&mut self) -> StoreResult<Head> {
        let last: Option<(i64, String)> = on_db!(self, connection => {
            sqlx::query_as("select number, hash from audit_entry order by number desc limit 1")
                .fetch_optional(connection)
                .await?
        });
        Ok(last.map_or_else(|| Head { number: 0, hash: BEGINNING.to_owned() }, |(number, hash)| Head { number, hash }))
    }

    /// The entries that `scope` may read with a number below `before`, at most `limit`, the newest first. Entries that
    /// concern the whole server are visible only to a scope of the whole tree.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_list(&mut self, scope: &Scope, before: i64, limit: i64) -> StoreResult<Vec<Entry>> {
        Ok(if scope.is_whole() {
            on_db!(self, connection => {
                sqlx::query_as("select * from audit_entry where number < $1 order by number desc limit $2")
                    .bind(before)
                    .bind(limit)
                    .fetch_all(connection)
                    .await?
            })
        } else {
            on_db!(self, connection => {
                sqlx::query_as(
                    "select a.* from audit_entry a join office_within w on w.office = a.office
                     where w.ancestor = $1 and a.number < $2 order by a.number desc limit $3",
                )
                .bind(scope.ancestor())
                .bind(before)
                .bind(limit)
                .fetch_all(connection)
                .await?
            })
        })
    }

    /// Walks the whole log as this transaction sees it and checks every link; returns the number of entries when none is broken.
    ///
    /// # Errors
    /// When the database fails; a broken chain is the inner result.
    pub async fn audit_verify(&mut self) -> StoreResult<Result<i64, Break>> {
        let mut walk = Walk::default();
        loop {
            if let Some(end) = self.audit_step(&mut walk).await? {
                return Ok(end);
            }
        }
    }

    /// Checks a piece of the log; the result at its end, or where it is broken.
    async fn audit_step(&mut self, walk: &mut Walk) -> StoreResult<Option<Result<i64, Break>>> {
        let now = self.audit_written().await?;
        let written = *walk.written.get_or_insert(now);
        let mut entries = self.audit_page(walk.verifier.number()).await?;
        if now > written {
            entries.retain(|entry| entry.number <= written);
        }
        if entries.is_empty() {
            return Ok(Some(walk.verifier.clone().finish(written)));
        }
        Ok(walk.verifier.verify(&entries).err().map(Err))
    }
}

/// How far a walk over the log came.
#[derive(Default)]
struct Walk {
    verifier: Verifier,
    /// Entries there were when it began: what is written meanwhile is left out.
    written: Option<i64>,
}

impl Db {
    /// The same in short transactions, beside a running server.
    ///
    /// # Errors
    /// When the database fails; a broken chain is the inner result.
    pub async fn audit_verify(&self) -> StoreResult<Result<i64, Break>> {
        let mut walk = Walk::default();
        loop {
            if let Some(end) = self.read().await?.audit_step(&mut walk).await? {
                return Ok(end);
            }
        }
    }
}
