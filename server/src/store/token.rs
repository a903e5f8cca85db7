//! Enrolment tokens (mã đăng ký máy), of which only a hash is stored, and the enrolments made with them.

use sqlx::FromRow;

use super::machine::{Machine, Role};
use super::{Noun, Scope, StoreError, StoreResult, Tx};

words! {
    /// The status of a machine that enrols with a token.
    Admission {
        /// It waits for an officer or a matching roster line.
        Pending = "pending",
        /// It is confirmed at once: for a quickstart's own machine.
        Confirmed = "confirmed",
    }
}

/// A token as the store knows it; the token itself is shown once, to the person who made it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Token {
    /// UUIDv7.
    pub id: String,
    /// SHA-256 of the token, hexadecimal.
    #[serde(skip)]
    pub hash: String,
    /// The office its machines belong to.
    pub office: String,
    /// The role of its machines.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// Whether its machines wait for confirmation.
    #[sqlx(try_from = "String")]
    pub admits: Admission,
    /// How many machines may still enrol.
    pub uses_left: i64,
    /// How many could enrol at first.
    pub uses_total: i64,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Who made it.
    pub created_by: String,
    /// Milliseconds UTC.
    pub expires_at: i64,
    /// Milliseconds UTC.
    pub revoked_at: Option<i64>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
}

/// One machine that enrolled with a token.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Enrolment {
    /// The token's id.
    pub token: String,
    /// The key's id.
    pub machine_key: String,
    /// The machine's id.
    pub machine: String,
    /// The serial of the certificate in the answer.
    pub certificate: String,
    /// Milliseconds UTC.
    pub at: i64,
}

impl Tx {
    /// Stores a new token.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when its office is not within `scope`.
    pub async fn token_insert(&mut self, scope: &Scope, token: &Token) -> StoreResult<()> {
        self.office_require(scope, &token.office).await?;
        on_db!(self, connection => {
            sqlx::query(
                "insert into token (id, hash, office, role, admits, uses_left, uses_total, created_at, created_by, expires_at,
                     revoked_at, revoked_by)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            )
            .bind(&token.id)
            .bind(&token.hash)
            .bind(&token.office)
            .bind(token.role.code())
            .bind(token.admits.word())
            .bind(token.uses_left)
            .bind(token.uses_total)
            .bind(token.created_at)
            .bind(&token.created_by)
            .bind(token.expires_at)
            .bind(token.revoked_at)
            .bind(&token.revoked_by)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// True when there is a token with this hash, whatever its state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_is_known(&mut self, hash: &str) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query_scalar("select exists (select 1 from token where hash = $1)").bind(hash).fetch_one(connection).await?
        }))
    }

    /// The token with this hash, used up, expired and revoked ones included. It takes no scope: knowing the token is the proof.
    /// It is locked until the transaction ends: enrolments with one token run one after the other, so that two identical
    /// concurrent requests cannot make two machines.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_hold(&mut self, hash: &str) -> StoreResult<Option<Token>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("update token set uses_left = uses_left where hash = $1 returning *")
                .bind(hash)
                .fetch_optional(connection)
                .await?
        }))
    }

    /// Takes one use of a token that is neither revoked, expired at `now` nor used up. False otherwise.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_use(&mut self, id: &str, now: i64) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query(
                "update token set uses_left = uses_left - 1
                 where id = $1 and uses_left > 0 and revoked_at is null and expires_at > $2",
            )
            .bind(id)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// The tokens of one office, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_list(&mut self, scope: &Scope, office: &str) -> StoreResult<Vec<Token>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select t.* from token t join office_within w on w.office = t.office
                 where w.ancestor = $1 and t.office = $2 order by t.created_at desc, t.id",
            )
            .bind(scope.ancestor())
            .bind(office)
            .fetch_all(connection)
            .await?
        }))
    }

    /// One token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_get(&mut self, scope: &Scope, id: &str) -> StoreResult<Option<Token>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select t.* from token t join office_within w on w.office = t.office where w.ancestor = $1 and t.id = $2",
            )
            .bind(scope.ancestor())
            .bind(id)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Revokes a token. The machines it enrolled are listed by [`Tx::enrolment_list`] and revoked separately.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not within `scope`.
    pub async fn token_revoke(&mut self, scope: &Scope, id: &str, at: i64, by: &str) -> StoreResult<()> {
        self.token_get(scope, id).await?.ok_or_else(|| StoreError::not_found(Noun::Token, id))?;
        on_db!(self, connection => {
            sqlx::query("update token set revoked_at = $2, revoked_by = $3 where id = $1 and revoked_at is null")
                .bind(id)
                .bind(at)
                .bind(by)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// The machines that a token enrolled, the oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_machines(&mut self, scope: &Scope, token: &str) -> StoreResult<Vec<Machine>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select m.* from machine m join office_within w on w.office = m.office
                 where w.ancestor = $1 and m.id in (select machine from enrolment where token = $2)
                 order by m.enrolled_at, m.id",
            )
            .bind(scope.ancestor())
            .bind(token)
            .fetch_all(connection)
            .await?
        }))
    }

    /// The enrolment that this token and this key have already made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enrolment_get(&mut self, token: &str, machine_key: &str) -> StoreResult<Option<Enrolment>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from enrolment where token = $1 and machine_key = $2")
                .bind(token)
                .bind(machine_key)
                .fetch_optional(connection)
                .await?
        }))
    }

    /// Stores an enrolment.
    ///
    /// # Errors
    /// A duplicate when the token and key made one already.
    pub async fn enrolment_insert(&mut self, enrolment: &Enrolment) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("insert into enrolment (token, machine_key, machine, certificate, at) values ($1, $2, $3, $4, $5)")
                .bind(&enrolment.token)
                .bind(&enrolment.machine_key)
                .bind(&enrolment.machine)
                .bind(&enrolment.certificate)
                .bind(enrolment.at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Everything a token enrolled, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enrolment_list(&mut self, scope: &Scope, token: &str) -> StoreResult<Vec<Enrolment>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select e.* from enrolment e join token t on t.id = e.token join office_within w on w.office = t.office
                 where w.ancestor = $1 and e.token = $2 order by e.at, e.machine",
            )
            .bind(scope.ancestor())
            .bind(token)
            .fetch_all(connection)
            .await?
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_database::{self, on_both};
    use super::*;

    on_both! {
        async fn a_token_is_used_as_often_as_it_says_and_only_while_it_is_good(test_database: &TestDatabase) {
            let mut tx = test_database.db.write().await.unwrap();
            let office = test_database::office(&mut tx, "Xã", None).await;
            let token = Token {
                id: "t".to_owned(),
                hash: "h".to_owned(),
                office: office.clone(),
                role: Role::Workstation,
                admits: Admission::Pending,
                uses_left: 2,
                uses_total: 2,
                created_at: 1,
                created_by: "lan".to_owned(),
                expires_at: 100,
                revoked_at: None,
                revoked_by: None,
            };
            tx.token_insert(&Scope::whole(), &token).await.unwrap();
            assert!(!tx.token_use("t", 100).await.unwrap(), "expired");
            assert!(tx.token_use("t", 99).await.unwrap());
            assert!(tx.token_use("t", 99).await.unwrap());
            assert!(!tx.token_use("t", 99).await.unwrap(), "used up");
            assert_eq!(tx.token_hold("h").await.unwrap().unwrap().uses_left, 0);

            let second = Token { id: "u".to_owned(), hash: "i".to_owned(), ..token };
            tx.token_insert(&Scope::office(&office), &second).await.unwrap();
            tx.token_revoke(&Scope::office(&office), "u", 5, "lan").await.unwrap();
            assert!(!tx.token_use("u", 9).await.unwrap(), "revoked");
            assert!(matches!(
                tx.token_revoke(&Scope::office("elsewhere"), "u", 5, "lan").await,
                Err(StoreError::NotFound { .. })
            ));
            assert_eq!(tx.token_list(&Scope::office(&office), &office).await.unwrap().len(), 2);
        }
    }
}
