//! Published policies. A bundle is kept for ever under its address, so that every past judgement can be explained.

use anyhow::Context;
use protocol::SignedBundle;
use sqlx::FromRow;

use super::{StoreResult, Tx};

/// A published bundle as stored.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct PolicyBundle {
    /// Digest of `bytes`, hexadecimal.
    pub address: String,
    /// Increases with every publication.
    pub version: i64,
    /// JSON of the bundle, exactly as signed.
    pub bytes: Vec<u8>,
    /// Its signature, DER.
    pub signature: Vec<u8>,
    /// JSON of the set for the server only, exactly as signed; `None` for policies from before it existed.
    pub server_bytes: Option<Vec<u8>>,
    /// Its signature, DER.
    pub server_signature: Option<Vec<u8>>,
    /// Id of the signing key.
    pub key_id: String,
    /// Milliseconds UTC.
    pub published_at: i64,
    /// Who published it.
    pub published_by: String,
}

impl PolicyBundle {
    /// The bundle in its wire form.
    ///
    /// # Errors
    /// The bytes are not text: the database was damaged.
    pub fn signed(&self) -> anyhow::Result<SignedBundle> {
        signed(&self.bytes, &self.signature)
    }

    /// The set for the server only, never sent to agents.
    ///
    /// # Errors
    /// The bytes are not text: the database was damaged.
    pub fn signed_for_server(&self) -> anyhow::Result<Option<SignedBundle>> {
        let (Some(bytes), Some(signature)) = (&self.server_bytes, &self.server_signature) else { return Ok(None) };
        signed(bytes, signature).map(Some)
    }
}

fn signed(bytes: &[u8], signature: &[u8]) -> anyhow::Result<SignedBundle> {
    Ok(SignedBundle {
        bundle: String::from_utf8(bytes.to_vec()).context("a policy in the database is damaged")?,
        signature: data_encoding::BASE64.encode(signature),
    })
}

impl Tx {
    /// Stores a bundle.
    ///
    /// # Errors
    /// A duplicate when the version or the address already exists.
    pub async fn policy_bundle_insert(&mut self, bundle: &PolicyBundle) -> StoreResult<()> {
        on_db!(self, connection => {
            sqlx::query(
                "insert into policy_bundle
                 (address, version, bytes, signature, key_id, published_at, published_by, server_bytes, server_signature)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(&bundle.address)
            .bind(bundle.version)
            .bind(&bundle.bytes)
            .bind(&bundle.signature)
            .bind(&bundle.key_id)
            .bind(bundle.published_at)
            .bind(&bundle.published_by)
            .bind(&bundle.server_bytes)
            .bind(&bundle.server_signature)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The bundle in force: the one with the highest version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn policy_bundle_latest(&mut self) -> StoreResult<Option<PolicyBundle>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from policy_bundle order by version desc limit 1").fetch_optional(connection).await?
        }))
    }

    /// The bundle with this address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn policy_bundle_get(&mut self, address: &str) -> StoreResult<Option<PolicyBundle>> {
        Ok(on_db!(self, connection => {
            sqlx::query_as("select * from policy_bundle where address = $1")
                .bind(address)
                .fetch_optional(connection)
                .await?
        }))
    }
}
