//! The audit log in the database: appending after the last entry, reading a page, and walking all entries to verify the
//! chain. What an entry says and how it is hashed is in [`crate::audit`].

use super::many::pieces;
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

/// Which entries are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listed {
    /// What people changed.
    #[default]
    Changes,
    /// What people looked at.
    Looks,
    /// Both.
    All,
}

/// The entries of which `$condition` holds; each condition has an index with the same text.
macro_rules! list {
    ($tx:expr, $condition:literal, $scope:expr, $before:expr, $limit:expr) => {
        if $scope.is_whole() {
            on_db!($tx, connection => {
                sqlx::query_as(concat!(
                    "select * from audit_entry where number < $1 and ", $condition, " order by number desc limit $2"
                ))
                .bind($before)
                .bind($limit)
                .fetch_all(connection)
                .await?
            })
        } else {
            on_db!($tx, connection => {
                sqlx::query_as(concat!(
                    "select a.* from audit_entry a join office_within w on w.office = a.office
                     where w.ancestor = $1 and a.number < $2 and ", $condition, " order by a.number desc limit $3"
                ))
                .bind($scope.ancestor())
                .bind($before)
                .bind($limit)
                .fetch_all(connection)
                .await?
            })
        }
    };
}

impl Tx {
    /// Appends `change` after the last entry, in the transaction of the change itself. Until the commit no other
    /// transaction can append, so call it late.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_append(&mut self, at: i64, change: &Change) -> StoreResult<Head> {
        self.audit_append_all(at, std::slice::from_ref(change)).await
    }

    /// Appends `changes` in their order, in few statements.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_append_all(&mut self, at: i64, changes: &[Change]) -> StoreResult<Head> {
        let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
        let last: i64 = on_db!(self, connection => {
            sqlx::query_scalar("update sequence set value = value + $1 where name = 'audit' returning value")
                .bind(count)
                .fetch_one(connection)
                .await?
        });
        let before = last - count;
        let previous: Option<String> = on_db!(self, connection => {
            sqlx::query_scalar("select hash from audit_entry where number = $1")
                .bind(before)
                .fetch_optional(connection)
                .await?
        });
        let mut hash = previous.unwrap_or_else(|| BEGINNING.to_owned());
        let mut entries = Vec::with_capacity(changes.len());
        for (number, change) in (before + 1..).zip(changes) {
            let entry = Entry::chain(change, at, number, &hash);
            self.log_note(Leaf::audit(number, &entry.hash, at));
            hash.clone_from(&entry.hash);
            entries.push(entry);
        }
        for piece in pieces(&entries) {
            on_db!(self, connection => {
                let mut insert = sqlx::QueryBuilder::new(
                    "insert into audit_entry (number, at, person, actor, office, action, subject, detail, previous, hash) ",
                );
                insert.push_values(piece, |mut row, entry: &Entry| {
                    row.push_bind(entry.number)
                        .push_bind(entry.at)
                        .push_bind(entry.person.clone())
                        .push_bind(entry.actor.clone())
                        .push_bind(entry.office.clone())
                        .push_bind(entry.action.clone())
                        .push_bind(entry.subject.clone())
                        .push_bind(entry.detail.clone())
                        .push_bind(entry.previous.clone())
                        .push_bind(entry.hash.clone());
                });
                insert.build().execute(connection).await?;
            });
        }
        Ok(Head { number: last, hash })
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

    /// The entries that `scope` may read and `listed` names, with a number below `before`, at most `limit`, the newest first. Entries that
    /// concern the whole server are visible only to a scope of the whole tree.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_list_only(
        &mut self,
        scope: &Scope,
        listed: Listed,
        before: i64,
        limit: i64,
    ) -> StoreResult<Vec<Entry>> {
        Ok(match listed {
            Listed::Changes => list!(self, "action <> 'detail_viewed'", scope, before, limit),
            Listed::Looks => list!(self, "action = 'detail_viewed'", scope, before, limit),
            Listed::All => list!(self, "true", scope, before, limit),
        })
    }

    /// All entries that `scope` may read, as [`Tx::audit_list_only`] gives them.
    #[cfg(test)]
    pub(crate) async fn audit_list(&mut self, scope: &Scope, before: i64, limit: i64) -> StoreResult<Vec<Entry>> {
        self.audit_list_only(scope, Listed::All, before, limit).await
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
