//! Making and revoking enrolment tokens.

use std::time::Duration;

use protocol::token::Token as TokenText;
use ring::rand::{SecureRandom, SystemRandom};

use super::By;
use crate::audit::Action;
use crate::store::machine::{Machine, MachineStatus, Role};
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::token::{Admission, Token};
use crate::store::{Db, Noun, StoreError, new_id};

/// The longest validity of a token.
pub const VALID_MOST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most machines one token may enrol.
pub const USES_MOST: u32 = 1000;

/// The terms of a new token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The office its machines belong to.
    pub office: String,
    /// The role of its machines.
    pub role: Role,
    /// How many machines it enrols; 1 to [`USES_MOST`].
    pub uses: u32,
    /// How long it is valid; at most [`VALID_MOST`].
    pub valid: Duration,
    /// Whether its machines wait for confirmation.
    pub admits: Admission,
}

/// What is revoked along with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The token alone; the machines it enrolled stay.
    Token,
    /// Also every machine it enrolled.
    Machines,
}

/// Makes a token. The text is returned once and never again; the store keeps its hash.
///
/// # Errors
/// The office is not within scope, the system gives no random bytes, or the database fails.
pub async fn token_make(db: &Db, by: &By, new: &NewToken) -> anyhow::Result<(Token, TokenText)> {
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    let text = TokenText::new(random);
    let uses = i64::from(new.uses.clamp(1, USES_MOST));
    let valid_ms = i64::try_from(new.valid.min(VALID_MOST).as_millis())?;
    let token = Token {
        id: new_id(),
        hash: text.digest().to_string(),
        office: new.office.clone(),
        role: new.role,
        admits: new.admits,
        uses_left: uses,
        uses_total: uses,
        created_at: by.at,
        created_by: by.name(),
        expires_at: by.at.saturating_add(valid_ms),
        revoked_at: None,
        revoked_by: None,
    };
    let mut tx = db.write().await?;
    tx.token_insert(&by.scope, &token).await?;
    let change = by
        .change(Action::TokenMade, Some(&token.office), &token.id)
        .with("role", token.role)
        .with("uses", uses)
        .with("admits", token.admits)
        .with("expires_at", token.expires_at);
    let event = NewEvent { subject: Some(token.id.clone()), ..NewEvent::of_office(EventKind::Token, &token.office) };
    by.conclude(tx, &change, &[event]).await?;
    Ok((token, text))
}

/// Revokes a token and returns the machines it enrolled; they are revoked too when `reach` says so.
///
/// # Errors
/// [`StoreError::NotFound`] when it is not within scope.
pub async fn token_revoke(db: &Db, by: &By, id: &str, reach: Reach) -> Result<Vec<Machine>, StoreError> {
    let mut tx = db.write().await?;
    tx.token_revoke(&by.scope, id, by.at, &by.name()).await?;
    let token = tx.token_get(&by.scope, id).await?.ok_or_else(|| StoreError::not_found(Noun::Token, id))?;
    let mut events =
        vec![NewEvent { subject: Some(token.id.clone()), ..NewEvent::of_office(EventKind::Token, &token.office) }];
    let mut machines = Vec::new();
    for enrolment in tx.enrolment_list(&by.scope, id).await? {
        // A machine that has been moved out of this person's scope belongs to someone else now.
        let Some(machine) = tx.machine_get(&by.scope, &enrolment.machine).await? else { continue };
        if reach == Reach::Machines && machine.status != MachineStatus::Revoked {
            tx.machine_revoke(&by.scope, &machine.id, by.at, &by.name(), "token revoked").await?;
            let change = by
                .change(Action::MachineRevoked, Some(&machine.office), format!("{} {}", machine.id, machine.name))
                .with("token", id);
            tx.audit_append(by.at, &change).await?;
            events.push(NewEvent::of_machine(EventKind::Revoked, &machine.office, &machine.id));
            events.push(NewEvent::of_office(EventKind::Roster, &machine.office));
        }
        machines.push(tx.machine_require(&by.scope, &machine.id).await?);
    }
    let change = by.change(Action::TokenRevoked, Some(&token.office), id).with("machines", machines.len());
    by.conclude(tx, &change, &events).await?;
    Ok(machines)
}
