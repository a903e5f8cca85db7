//! The policies that judgements were made under, by their address: each is trusted only under a known key.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::policy::{CompiledPolicy, Policies, SignedPolicy};
use crate::store::{Db, StoreResult};

/// Policies that were read.
#[derive(Debug)]
pub(super) struct Shelf<'a> {
    policies: &'a Policies,
    read: BTreeMap<String, Option<Arc<CompiledPolicy>>>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(policies: &'a Policies) -> Self {
        Self { policies, read: BTreeMap::new() }
    }

    /// The policy at `address`; `None` when it is not stored, or not as it was signed.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn get(&mut self, db: &Db, address: &str) -> StoreResult<Option<Arc<CompiledPolicy>>> {
        if let Some(known) = self.read.get(address) {
            return Ok(known.clone());
        }
        let stored = db.read().await?.policy_bundle_get(address).await?;
        let read = stored.and_then(|stored| {
            let signed = SignedPolicy { agents: stored.signed().ok()?, server: stored.signed_for_server().ok()? };
            let opened = self.policies.open(signed, 0).ok()?;
            (opened.address.to_string() == address).then_some(opened.judge)
        });
        self.read.insert(address.to_owned(), read.clone());
        Ok(read)
    }
}
