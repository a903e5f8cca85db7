//! Offices: the tree, and the closure table that turns a [`Scope`] check into one comparison.

use sqlx::FromRow;

use super::{Noun, Scope, StoreError, StoreResult, Tx};

words! {
    /// The kind of an office.
    OfficeKind {
        /// Tỉnh, thành phố.
        Province = "province",
        /// Phường.
        Ward = "ward",
        /// Xã.
        Commune = "commune",
        /// Đặc khu.
        SpecialZone = "special_zone",
        /// Phòng, ban.
        Department = "department",
        /// Anything else.
        Other = "other",
    }
}

/// A node of the office tree.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Office {
    /// UUIDv7.
    pub id: String,
    /// The parent office; `None` for a root.
    pub parent: Option<String>,
    /// Its display name.
    pub name: String,
    /// Its kind.
    #[sqlx(try_from = "String")]
    pub kind: OfficeKind,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Until then the office is being set up (đang khởi tạo); `None`: the policy's days after the first enrolment.
    pub setup_until_at: Option<i64>,
}

impl Tx {
    /// Adds an office. The office above must lie within `scope`; a root needs the whole tree.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the office above is not within `scope`.
    pub async fn office_insert(&mut self, scope: &Scope, office: &Office) -> StoreResult<()> {
        match &office.parent {
            Some(parent) => self.office_require(scope, parent).await?,
            None if scope.is_whole() => {}
            None => return Err(StoreError::not_found(Noun::Office, "")),
        }
        on_db!(self, connection => {
            sqlx::query(
                "insert into office (id, parent, name, kind, created_at, setup_until_at) values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(&office.id)
            .bind(&office.parent)
            .bind(&office.name)
            .bind(office.kind.word())
            .bind(office.created_at)
            .bind(office.setup_until_at)
            .execute(&mut *connection)
            .await?;
            sqlx::query("insert into office_within (office, ancestor, depth) values ($1, $1, 0), ($1, '*', -1)")
                .bind(&office.id)
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "insert into office_within (office, ancestor, depth)
                 select cast($1 as text), ancestor, depth + 1 from office_within where office = $2 and ancestor <> '*'",
            )
            .bind(&office.id)
            .bind(&office.parent)
            .execute(&mut *connection)
            .await?;
        });
        Ok(())
    }

    /// One office.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_get(&mut self, scope: &Scope, id: &str) -> StoreResult<Option<Office>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select o.* from office o join office_within w on w.office = o.id where w.ancestor = $1 and o.id = $2",
            )
            .bind(scope.ancestor())
            .bind(id)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Fails unless the office `id` lies within `scope`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it does not.
    pub async fn office_require(&mut self, scope: &Scope, id: &str) -> StoreResult<()> {
        self.office_get(scope, id).await?.map(|_| ()).ok_or_else(|| StoreError::not_found(Noun::Office, id))
    }

    /// Every office within `scope`, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_list(&mut self, scope: &Scope) -> StoreResult<Vec<Office>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select o.* from office o join office_within w on w.office = o.id where w.ancestor = $1
                 order by o.name, o.id",
            )
            .bind(scope.ancestor())
            .fetch_all(connection)
            .await?
        }))
    }

    /// True when `scope` begins strictly above the office `id`, so that its holder is outside what that office is graded for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_is_below(&mut self, scope: &Scope, id: &str) -> StoreResult<bool> {
        let depth: Option<i64> = on_db!(self, connection => {
            sqlx::query_scalar("select depth from office_within where office = $1 and ancestor = $2")
                .bind(id)
                .bind(scope.ancestor())
                .fetch_optional(connection)
                .await?
        });
        Ok(depth.is_some_and(|depth| depth != 0))
    }

    /// The office `id` and the offices above it within `scope`, topmost first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn office_path(&mut self, scope: &Scope, id: &str) -> StoreResult<Vec<Office>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select o.* from office_within above join office o on o.id = above.ancestor
                 join office_within w on w.office = o.id
                 where above.office = $2 and w.ancestor = $1 order by above.depth desc",
            )
            .bind(scope.ancestor())
            .bind(id)
            .fetch_all(connection)
            .await?
        }))
    }

    /// Gives an office another name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn office_rename(&mut self, scope: &Scope, id: &str, name: &str) -> StoreResult<()> {
        self.office_require(scope, id).await?;
        on_db!(self, connection => {
            sqlx::query("update office set name = $2 where id = $1").bind(id).bind(name).execute(connection).await?;
        });
        Ok(())
    }

    /// Sets until when an office is being set up; `Some(created_at)` ends it at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn office_setup_set(&mut self, scope: &Scope, id: &str, until_at: Option<i64>) -> StoreResult<()> {
        self.office_require(scope, id).await?;
        on_db!(self, connection => {
            sqlx::query("update office set setup_until_at = $2 where id = $1")
                .bind(id)
                .bind(until_at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_database::{self, on_both};
    use super::*;

    on_both! {
        async fn a_scope_reaches_down_and_never_up(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let province = test_database::office(&mut tx, "Tỉnh", None).await;
            let commune = test_database::office(&mut tx, "Xã", Some(&province)).await;
            let room = test_database::office(&mut tx, "Phòng", Some(&commune)).await;
            let other = test_database::office(&mut tx, "Xã khác", Some(&province)).await;
            tx.commit().await.unwrap();

            let mut tx = test_database.db.read().await.unwrap();
            let names = |offices: Vec<Office>| offices.into_iter().map(|office| office.name).collect::<Vec<_>>();
            assert_eq!(tx.office_list(&Scope::whole()).await.unwrap().len(), 4);
            let scope = Scope::office(&commune);
            assert_eq!(names(tx.office_list(&scope).await.unwrap()), ["Phòng", "Xã"]);
            assert_eq!(names(tx.office_path(&Scope::whole(), &room).await.unwrap()), ["Tỉnh", "Xã", "Phòng"]);
            assert_eq!(names(tx.office_path(&scope, &room).await.unwrap()), ["Xã", "Phòng"]);
            assert!(tx.office_get(&scope, &province).await.unwrap().is_none());
            assert!(tx.office_get(&scope, &other).await.unwrap().is_none());
            assert!(tx.office_list(&Scope::office("*")).await.unwrap().is_empty());
            drop(tx);

            let mut tx = test_database.db.write().await.unwrap();
            assert!(matches!(tx.office_rename(&scope, &other, "x").await, Err(StoreError::NotFound { .. })));
            tx.office_rename(&scope, &room, "Phòng Văn hoá").await.unwrap();
            let below_other = Office { parent: Some(other), ..tx.office_get(&scope, &room).await.unwrap().unwrap() };
            assert!(matches!(tx.office_insert(&scope, &below_other).await, Err(StoreError::NotFound { .. })));
            let root = Office { parent: None, ..below_other };
            assert!(matches!(tx.office_insert(&scope, &root).await, Err(StoreError::NotFound { .. })));
        }
    }
}
