//! Adding and closing accounts, setting first passwords and ending sessions. The password is returned to the caller only: no log, audit
//! entry or JSON contains it.

use anyhow::Context;
use policies::text;
use tokio::task::spawn_blocking;

use super::By;
use crate::act::password;
use crate::audit::Action;
use crate::error::UserError;
use crate::store::person::{Person, PersonRole};
use crate::store::{Db, StoreResult, Tx, new_id};

/// A new account.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// The login name the person types.
    pub login: String,
    /// Their display name.
    pub name: String,
    /// Their permissions.
    pub role: PersonRole,
    /// The top of the person's part of the tree; all of it when absent.
    pub office: Option<String>,
}

/// Adds a person and draws a first password, to be changed at the first login.
///
/// # Errors
/// The login is not usable or taken, the office is not within scope, or the database fails.
pub async fn person_add(db: &Db, by: &By, new: &NewPerson) -> anyhow::Result<(Person, String)> {
    let login = new.login.trim().to_lowercase();
    if !is_login(&login) {
        return Err(UserError::from(text!("Tên đăng nhập {login:?} không dùng được: chỉ gồm chữ cái không dấu, chữ số, dấu chấm, gạch ngang, gạch dưới; từ 3 đến 64 ký tự.", "The login {login:?} cannot be used: letters without marks, digits, dot, dash and underscore, 3 to 64 of them."))
        .into());
    }
    let (secret, password_hash) = first_password().await?;
    let person = Person {
        id: new_id(),
        login,
        name: new.name.trim().to_owned(),
        password_hash,
        must_change: true,
        role: new.role,
        office: new.office.clone(),
        language: "vi".to_owned(),
        created_at: by.at,
        disabled_at: None,
        last_login_at: None,
    };
    let mut tx = db.write().await?;
    tx.person_insert(&by.scope, &person).await.map_err(|error| {
        if error.is_duplicate() {
            let login = &person.login;
            anyhow::Error::from(UserError::from(text!("Tên đăng nhập {login} đã có. Hãy chọn tên khác, hoặc cấp lại mật khẩu: posture-server person password {login}", "The login {login} is taken. Choose another, or give a new password: posture-server person password {login}")))
        } else {
            error.into()
        }
    })?;
    let change = by
        .change(Action::PersonAdded, person.office.as_deref(), format!("{} {}", person.id, person.login))
        .with("role", person.role);
    by.conclude(tx, &change, &[]).await?;
    Ok((person, secret))
}

/// Gives a person a new first password and ends all their sessions.
///
/// # Errors
/// There is no such person within scope, or the database fails.
pub async fn password_reset(db: &Db, by: &By, login: &str) -> anyhow::Result<(Person, String)> {
    let (secret, password_hash) = first_password().await?;
    let mut tx = db.write().await?;
    let person = person_find(&mut tx, by, login).await?;
    if person.disabled_at.is_some() {
        return Err(UserError::from(text!(
            "Tài khoản {login} đã đóng. Hãy thêm tài khoản mới với tên khác: posture-server person add",
            "The account {login} is closed. Add another one under another login: posture-server person add"
        ))
        .into());
    }
    tx.person_password_set(&person.id, &password_hash, true).await?;
    tx.session_delete_others(&person.id, "").await?;
    let change = by.change(Action::PasswordReset, person.office.as_deref(), format!("{} {}", person.id, person.login));
    by.conclude(tx, &change, &[]).await?;
    Ok((person, secret))
}

/// Closes an account for good and ends all its sessions. Closing it again changes nothing.
///
/// # Errors
/// There is no such person within scope, or the database fails.
pub async fn person_close(db: &Db, by: &By, login: &str) -> anyhow::Result<Person> {
    let mut tx = db.write().await?;
    let person = person_find(&mut tx, by, login).await?;
    if tx.person_close(&person.id, by.at).await? {
        tx.session_delete_others(&person.id, "").await?;
        let subject = format!("{} {}", person.id, person.login);
        let change = by.change(Action::PersonClosed, person.office.as_deref(), subject);
        by.conclude(tx, &change, &[]).await?;
    }
    Ok(Person { disabled_at: person.disabled_at.or(Some(by.at)), ..person })
}

async fn person_find(tx: &mut Tx, by: &By, login: &str) -> anyhow::Result<Person> {
    let found = tx.person_list(&by.scope).await?.into_iter().find(|person| person.login == login);
    Ok(found.ok_or_else(|| {
        UserError::from(text!(
            "Không có tài khoản {login}. Xem danh sách: posture-server person list",
            "There is no account {login}. See: posture-server person list"
        ))
    })?)
}

/// Which sessions of a person end.
#[derive(Clone, Copy, Debug)]
pub enum Ended<'a> {
    /// The one with this hash of its token.
    One(&'a str),
    /// All but the one with this hash.
    Others(&'a str),
}

/// Ends sessions that a person has open elsewhere. Those already ended are no error and get no log entry.
///
/// # Errors
/// When the database fails.
pub async fn sessions_end(db: &Db, by: &By, person: &Person, ended: Ended<'_>) -> StoreResult<()> {
    let mut tx = db.write().await?;
    let count = match ended {
        Ended::One(token_hash) => tx.session_delete_own(&person.id, token_hash).await?,
        Ended::Others(kept) => tx.session_delete_others(&person.id, kept).await?,
    };
    if count == 0 {
        return Ok(());
    }
    let change = by.change(Action::LoggedOut, person.office.as_deref(), &person.login).with("sessions", count);
    by.conclude(tx, &change, &[]).await
}

/// Draws a password and hashes it off the threads that serve requests.
async fn first_password() -> anyhow::Result<(String, String)> {
    spawn_blocking(|| {
        let secret = password::draw_first()?;
        let hash = password::hash(&secret)?;
        Ok((secret, hash))
    })
    .await
    .context("the password could not be hashed")?
}

fn is_login(login: &str) -> bool {
    (3..=64).contains(&login.len())
        && login.chars().all(|character| character.is_ascii_alphanumeric() || "._-".contains(character))
}

#[cfg(test)]
mod tests;
