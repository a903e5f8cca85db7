//! The keys with which a machine signed. Which one signed when is told by the chain, not by a clock: a clock that was wrong must not make a
//! true report look forged. A key that another one followed never signs again.

use std::collections::BTreeSet;

use protocol::sign::{Purpose, verify};

use crate::ca::csr::point_of;
use crate::store::machine::key::MachineKey;

/// The keys of a machine while its chain is walked.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    points: Vec<&'a [u8]>,
    current: Option<usize>,
    left: BTreeSet<usize>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(keys: &'a [MachineKey]) -> Self {
        let points = keys.iter().filter_map(|key| point_of(&key.public_key)).collect();
        Self { points, current: None, left: BTreeSet::new() }
    }

    /// True when one of them signed this.
    pub(super) fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        self.signer(bytes, signature).is_some()
    }

    /// True when the key in use signed the next report of the chain, or one that was never used before: it is in use from then on.
    pub(super) fn signed_next(&mut self, bytes: &[u8], signature: &[u8]) -> bool {
        let Some(signer) = self.signer(bytes, signature).filter(|signer| !self.left.contains(signer)) else {
            return false;
        };
        if self.current != Some(signer) {
            self.left.extend(self.current.replace(signer));
        }
        true
    }

    fn signer(&self, bytes: &[u8], signature: &[u8]) -> Option<usize> {
        let signs = |point: &&[u8]| verify(point, Purpose::Report, bytes, signature).is_ok();
        // Mostly the one in use.
        let current = self.current.filter(|current| signs(&self.points[*current]));
        current.or_else(|| self.points.iter().position(signs))
    }
}

#[cfg(test)]
mod tests {
    use protocol::sign::SigningKey;

    use super::*;

    #[test]
    fn a_key_that_another_followed_never_signs_again() {
        let pair = || SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let (old, new, other) = (pair(), pair(), pair());
        let row = |key: &SigningKey, since_at| MachineKey {
            id: String::new(),
            machine: String::new(),
            public_key: key.public_key().to_vec(),
            since_at,
            until_at: None,
        };
        // Their order and their times say nothing.
        let rows = [row(&new, 9), row(&old, 5_000)];
        let mut keys = Keys::new(&rows);
        let mut next = |key: &SigningKey| keys.signed_next(b"report", &key.sign(Purpose::Report, b"report").unwrap());
        assert_eq!(
            [&old, &old, &new, &new, &old, &other, &new].map(&mut next),
            [true, true, true, true, false, false, true]
        );
        let signature = old.sign(Purpose::Report, b"branch").unwrap();
        assert!(keys.signed(b"branch", &signature), "a refused branch may be of any time");
        assert!(!keys.signed(b"another", &signature));
    }
}
