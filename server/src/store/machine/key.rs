//! Keys and certificates of machines. A key's id is the hexadecimal SHA-256 of its SubjectPublicKeyInfo.

use sqlx::FromRow;

use super::{MachineStatus, Role};
use crate::store::{StoreResult, Tx};

/// A public key and the time it was in use.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct MachineKey {
    /// SHA-256 of `public_key`, hexadecimal.
    pub id: String,
    /// The machine's id.
    pub machine: String,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// Milliseconds UTC.
    pub since_at: i64,
    /// When a newer key replaced it.
    pub until_at: Option<i64>,
}

/// A certificate that was issued for a key.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Certificate {
    /// Hexadecimal.
    pub serial: String,
    /// The machine's id.
    pub machine: String,
    /// The key's id.
    pub machine_key: String,
    /// DER.
    pub der: Vec<u8>,
    /// Milliseconds UTC.
    pub issued_at: i64,
    /// Milliseconds UTC.
    pub not_before_at: i64,
    /// Milliseconds UTC.
    pub not_after_at: i64,
}

/// The machine at the other end of a connection, as the store knows it now.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Peer {
    /// The machine's id.
    pub machine: String,
    /// Its office.
    pub office: String,
    /// Its role.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// Whether it may still send requests.
    #[sqlx(try_from = "String")]
    pub status: MachineStatus,
    /// The key's id.
    pub key: String,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// When the key was replaced.
    pub until_at: Option<i64>,
}

impl Tx {
    /// The machine that holds the key `key`. It takes no scope: the key itself is the proof.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_peer(&mut self, key: &str) -> StoreResult<Option<Peer>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as(
                "select k.machine, m.office, m.role, m.status, k.id as key, k.public_key, k.until_at
                 from machine_key k join machine m on m.id = k.machine where k.id = $1",
            )
            .bind(key)
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Locks a machine until the transaction ends, so that two renewals happen one after the other. False when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_hold(&mut self, machine: &str) -> StoreResult<bool> {
        Ok(on_db!(self, connection => {
            sqlx::query("update machine set status = status where id = $1").bind(machine).execute(connection).await?.rows_affected()
        }) == 1)
    }

    /// Adds a key.
    ///
    /// # Errors
    /// A duplicate when the key is already known, for any machine.
    pub async fn machine_key_insert(&mut self, key: &MachineKey) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("insert into machine_key (id, machine, public_key, since_at, until_at) values ($1, $2, $3, $4, $5)")
                .bind(&key.id)
                .bind(&key.machine)
                .bind(&key.public_key)
                .bind(key.since_at)
                .bind(key.until_at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Ends every key of a machine except `kept`, as of `at`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_key_end_others(&mut self, machine: &str, kept: &str, at: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query("update machine_key set until_at = $3 where machine = $1 and id <> $2 and until_at is null")
                .bind(machine)
                .bind(kept)
                .bind(at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Every key of a machine, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn machine_key_list(&mut self, machine: &str) -> StoreResult<Vec<MachineKey>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from machine_key where machine = $1 order by since_at, id")
                .bind(machine)
                .fetch_all(connection)
                .await?
        }))
    }

    /// Stores an issued certificate.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificate_insert(&mut self, certificate: &Certificate) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into certificate (serial, machine, machine_key, der, issued_at, not_before_at, not_after_at)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&certificate.serial)
            .bind(&certificate.machine)
            .bind(&certificate.machine_key)
            .bind(&certificate.der)
            .bind(certificate.issued_at)
            .bind(certificate.not_before_at)
            .bind(certificate.not_after_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The certificate with this serial.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificate_get(&mut self, serial: &str) -> StoreResult<Option<Certificate>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from certificate where serial = $1").bind(serial).fetch_optional(connection).await?
        }))
    }

    /// The newest certificate of a machine.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificate_latest(&mut self, machine: &str) -> StoreResult<Option<Certificate>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from certificate where machine = $1 order by issued_at desc, serial limit 1")
                .bind(machine)
                .fetch_optional(connection)
                .await?
        }))
    }

    /// Deletes certificates of a machine except the newest `kept` and the one issued at enrolment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificate_prune(&mut self, machine: &str, kept: i64) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "delete from certificate where machine = $1 and serial not in
                     (select serial from certificate where machine = $1 order by issued_at desc, serial limit $2)
                 and not exists (select 1 from enrolment where enrolment.certificate = certificate.serial)",
            )
            .bind(machine)
            .bind(kept)
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
