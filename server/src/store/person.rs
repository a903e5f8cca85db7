//! People who log in. Owns no password rule: it only sees the hash.

use sqlx::FromRow;

use super::{Noun, Scope, StoreError, StoreResult, Tx};

words! {
    /// What a person may do; the person's office says where.
    PersonRole {
        /// Cán bộ phụ trách công nghệ thông tin.
        Officer = "officer",
        /// Lãnh đạo cơ quan.
        Head = "head",
        /// Công an.
        Police = "police",
        /// Người kiểm tra.
        Auditor = "auditor",
        /// Quản trị hệ thống.
        Administrator = "administrator",
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Person {
    /// UUIDv7.
    pub id: String,
    /// The login name the person types; unique.
    pub login: String,
    /// The display name.
    pub name: String,
    /// argon2id, in its own text form.
    pub password_hash: String,
    /// True while the first password must be changed before anything else.
    pub must_change: bool,
    /// The person's permissions.
    #[sqlx(try_from = "String")]
    pub role: PersonRole,
    /// The top office of the person's scope; `None`: the whole tree.
    pub office: Option<String>,
    /// `vi` or `en`.
    pub language: String,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Set when the account was closed.
    pub disabled_at: Option<i64>,
    /// Milliseconds UTC.
    pub last_login_at: Option<i64>,
}

impl Person {
    /// The scope of this person.
    pub fn scope(&self) -> Scope {
        Scope::of(self.office.as_deref())
    }
}

impl Tx {
    /// Adds a person whose office lies within `scope` (a person without an office needs the whole tree).
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the office does not; a duplicate when the login is taken.
    pub async fn person_insert(&mut self, scope: &Scope, person: &Person) -> StoreResult<()> {
        match &person.office {
            Some(office) => self.office_require(scope, office).await?,
            None if scope.is_whole() => {}
            None => return Err(StoreError::not_found(Noun::Office, "")),
        }
        on_db!(self, connection => {
            sqlx::query(
                "insert into person (id, login, name, password_hash, must_change, role, office, language, created_at,
                     disabled_at, last_login_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(&person.id)
            .bind(&person.login)
            .bind(&person.name)
            .bind(&person.password_hash)
            .bind(person.must_change)
            .bind(person.role.word())
            .bind(&person.office)
            .bind(&person.language)
            .bind(person.created_at)
            .bind(person.disabled_at)
            .bind(person.last_login_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The person with this login. It takes no scope, because it is used before anyone is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_by_login(&mut self, login: &str) -> StoreResult<Option<Person>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from person where login = $1").bind(login).fetch_optional(connection).await?
        }))
    }

    /// The person with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_get(&mut self, id: &str) -> StoreResult<Option<Person>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from person where id = $1").bind(id).fetch_optional(connection).await?
        }))
    }

    /// The people whose own scope lies within `scope`, by login.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_list(&mut self, scope: &Scope) -> StoreResult<Vec<Person>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select p.* from person p where (p.office is null and $1 = '*')
                     or exists (select 1 from office_within w where w.office = p.office and w.ancestor = $1)
                 order by p.login",
            )
            .bind(scope.ancestor())
            .fetch_all(connection)
            .await?
        }))
    }

    /// Replaces a password; `must_change` is set when somebody else chose it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such person.
    pub async fn person_password_set(&mut self, id: &str, password_hash: &str, must_change: bool) -> StoreResult<()> {
        let changed = on_db!(self, connection => {
            sqlx::query("update person set password_hash = $2, must_change = $3 where id = $1")
                .bind(id)
                .bind(password_hash)
                .bind(must_change)
                .execute(connection)
                .await?
                .rows_affected()
        });
        if changed == 0 { Err(StoreError::not_found(Noun::Person, id)) } else { Ok(()) }
    }

    /// Closes an account for good. False when it was closed before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_close(&mut self, id: &str, at: i64) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query("update person set disabled_at = $2 where id = $1 and disabled_at is null")
                .bind(id)
                .bind(at)
                .execute(connection)
                .await?
                .rows_affected()
        }) == 1)
    }

    /// Records a login.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_login_set(&mut self, id: &str, at: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("update person set last_login_at = $2 where id = $1").bind(id).bind(at).execute(connection).await?;
        });
        Ok(())
    }

    /// Remembers the language a person chose (`vi` or `en`).
    ///
    /// # Errors
    /// When the database fails, also on any other word.
    pub async fn person_language_set(&mut self, id: &str, language: &str) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("update person set language = $2 where id = $1").bind(id).bind(language).execute(connection).await?;
        });
        Ok(())
    }
}
