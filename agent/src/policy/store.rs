//! The policy in use: one signed bundle in the state folder, replaced as a whole and checked on every read. From
//! network or disk it needs a signature by a pinned key, and its version is never lower than before.

use policies::policy::{PolicyErrors, PolicySet};
use protocol::bundle::BundleError;
use protocol::{Digest, SignedBundle};

use crate::identity::Identity;
use crate::state::{DAMAGED, Durability, StateError, StateFolder};

/// The bundle's folder, which is watched.
pub(crate) const FOLDER: &str = "policy";
/// The bundle's file.
pub(crate) const FILE: &str = "policy/bundle.json";

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyStoreError {
    /// The state folder refused, or the file is damaged.
    #[error(transparent)]
    State(#[from] StateError),
    /// Signature, server or version do not fit.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The files are not a policy that this agent can read.
    #[error("the policy cannot be read: {0}")]
    Policy(String),
}

/// A policy, parsed.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The bundle's address.
    pub(crate) address: Digest,
    /// Its version.
    pub(crate) version: u64,
    /// Its files.
    pub(crate) set: PolicySet,
}

/// Which bundle is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyStore {
    address: Option<Digest>,
    version: u64,
}

impl PolicyStore {
    /// Checks the bundle on disk; `floor` is the highest version ever used. A bundle that fails its checks is not used, and
    /// the error says why.
    pub(crate) fn open(state: &StateFolder, identity: &Identity, floor: u64) -> (Self, Option<PolicyStoreError>) {
        let mut store = Self { address: None, version: floor };
        let error = store.reload(state, identity).err();
        (store, error)
    }

    /// The address of the bundle in use.
    pub(crate) fn address(&self) -> Option<Digest> {
        self.address
    }

    /// The highest version ever in use.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Checks the disk again. True when a different bundle is now in use.
    ///
    /// # Errors
    /// When the bundle on disk fails its checks: then none is in use.
    pub(crate) fn reload(&mut self, state: &StateFolder, identity: &Identity) -> Result<bool, PolicyStoreError> {
        let before = self.address.take();
        if let Some(loaded) = self.load(state, identity)? {
            self.address = Some(loaded.address);
            self.version = self.version.max(loaded.version);
        }
        Ok(self.address != before)
    }

    /// Reads and checks the bundle on disk; none when there is none.
    ///
    /// # Errors
    /// When it fails its checks.
    pub(crate) fn load(&self, state: &StateFolder, identity: &Identity) -> Result<Option<Loaded>, PolicyStoreError> {
        let signed = match state.read_json::<SignedBundle>(FILE) {
            Err(error @ StateError::Damaged { .. }) => {
                // Reported once; the next fetched bundle replaces it.
                state.set_aside(FILE, DAMAGED)?;
                return Err(error.into());
            }
            read => read?,
        };
        signed.map(|signed| read(&signed, identity, self.version)).transpose()
    }

    /// Starts using a bundle. If it fails its checks, or this agent cannot read it, the former one stays in use.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn replace(
        &mut self,
        state: &StateFolder,
        identity: &Identity,
        signed: &SignedBundle,
    ) -> Result<(), PolicyStoreError> {
        let loaded = read(signed, identity, self.version)?;
        state.folder(FOLDER)?;
        state.write_json(FILE, signed, Durability::Synced)?;
        self.address = Some(loaded.address);
        self.version = loaded.version;
        Ok(())
    }
}

fn read(signed: &SignedBundle, identity: &Identity, floor: u64) -> Result<Loaded, PolicyStoreError> {
    let bundle = signed.open(&identity.policy_keys, &identity.server, floor)?;
    let set =
        PolicySet::read(&bundle.files).map_err(|errors: PolicyErrors| PolicyStoreError::Policy(errors.to_string()))?;
    Ok(Loaded { address: signed.address(), version: bundle.version, set })
}

#[cfg(test)]
pub(crate) mod tests {
    use policies::policy::Role;
    use proptest::prelude::*;
    use protocol::Bundle;
    use protocol::sign::SigningKey;

    use super::*;
    use crate::identity::keys::MachineKey;
    use crate::identity::tests::sample;
    use crate::state::Missing;

    /// The shipped policy, signed for the identity of `identity::tests::sample`.
    pub(crate) fn bundle(key: &SigningKey, version: u64) -> SignedBundle {
        let files = PolicySet::shipped().unwrap().files_for_agents().unwrap();
        let bundle = Bundle { server: "s".to_owned(), version, key: String::new(), made_at: 0, files };
        SignedBundle::sign(bundle, key).unwrap()
    }

    fn with_store(test: impl FnOnce(&StateFolder, &Identity, &SigningKey)) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("s"), Missing::Create).unwrap();
        let identity = sample(&state);
        test(&state, &identity, MachineKey::load_or_make(&state).unwrap().signing());
    }

    #[test]
    fn a_signed_bundle_is_used_and_a_lower_version_is_not() {
        with_store(|state, identity, key| {
            let (mut store, error) = PolicyStore::open(state, identity, 0);
            assert!(error.is_none() && store.address().is_none());
            let second = bundle(key, 2);
            store.replace(state, identity, &second).unwrap();
            assert_eq!(store.address(), Some(second.address()));
            let lower = store.replace(state, identity, &bundle(key, 1)).unwrap_err();
            assert!(matches!(lower, PolicyStoreError::Bundle(BundleError::Older { offered: 1, used: 2 })));
            assert_eq!(PolicyStore::open(state, identity, 0).0, store);
            // The file is lost, the floor is not.
            state.remove(FILE).unwrap();
            let (mut store, _) = PolicyStore::open(state, identity, 2);
            assert!(store.replace(state, identity, &bundle(key, 1)).is_err());
        });
    }

    /// Bundles signed before the controls had a single source stay readable forever.
    #[test]
    fn the_first_bundle_is_read_as_ever() {
        with_store(|state, identity, _| {
            let signed = include_str!("../../../policies/tests/bundles/format-1.json");
            let key = include_str!("../../../policies/tests/bundles/format-1.key.json");
            let pinned = vec![serde_json::from_str(key).unwrap()];
            let identity = Identity { server: "format-1".to_owned(), policy_keys: pinned, ..identity.clone() };
            let (mut store, _) = PolicyStore::open(state, &identity, 0);
            store.replace(state, &identity, &serde_json::from_str(signed).unwrap()).unwrap();
            let loaded = store.load(state, &identity).unwrap().unwrap();
            assert_eq!(loaded.set.controls(Role::Workstation).controls().len(), 63);
            assert_eq!(loaded.set.controls(Role::Server).controls().len(), 66);
        });
    }

    #[test]
    fn a_policy_this_agent_cannot_read_leaves_the_former_in_use() {
        with_store(|state, identity, key| {
            let (mut store, _) = PolicyStore::open(state, identity, 0);
            store.replace(state, identity, &bundle(key, 1)).unwrap();
            let before = store;
            let files = [("level-2.toml".to_owned(), "colour = 1".to_owned())].into();
            let unreadable = Bundle { server: "s".to_owned(), version: 2, key: String::new(), made_at: 0, files };
            let unreadable = SignedBundle::sign(unreadable, key).unwrap();
            assert!(matches!(store.replace(state, identity, &unreadable), Err(PolicyStoreError::Policy(_))));
            assert_eq!(store, before);
            assert!(store.load(state, identity).unwrap().is_some());
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn a_bundle_changed_anywhere_on_disk_is_not_used(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut outcome = Ok(());
            with_store(|state, identity, key| {
                let (mut store, _) = PolicyStore::open(state, identity, 0);
                store.replace(state, identity, &bundle(key, 1)).unwrap();
                let mut bytes = state.read(FILE).unwrap().unwrap();
                let at = at.index(bytes.len());
                let changed = bytes[at] != to && !bytes[at].is_ascii_whitespace() && !to.is_ascii_whitespace();
                bytes[at] = to;
                state.write(FILE, &bytes, Durability::Relaxed).unwrap();
                let used = store.reload(state, identity);
                if changed && used.is_ok() {
                    // A changed byte outside the two texts (in a field's name) may turn the file into one without a
                    // bundle.
                    outcome = Err((at, to));
                }
            });
            prop_assert_eq!(outcome, Ok(()));
        }
    }
}
