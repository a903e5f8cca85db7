//! All that must be kept of a tree to append to it: the roots of its full subtrees, one for each bit of its size.

use super::tree::{Node, join, node_hash};
use crate::digest::Digest;

/// The right edge of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The largest subtree first.
    roots: Vec<Digest>,
}

/// The stored bytes are not the frontier of a tree of that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves has {wanted} full subtrees, not {bytes} bytes of them")]
pub struct BadFrontier {
    /// The size.
    pub size: u64,
    /// Full subtrees of a tree of that size.
    pub wanted: u32,
    /// Bytes there are; 32 for each subtree were wanted.
    pub bytes: usize,
}

impl Frontier {
    /// Reads what [`Frontier::to_bytes`] wrote for a tree of `size` leaves.
    ///
    /// # Errors
    /// The number of hashes does not fit the size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, BadFrontier> {
        let (roots, rest) = bytes.as_chunks::<32>();
        let wanted = size.count_ones();
        if !rest.is_empty() || u32::try_from(roots.len()) != Ok(wanted) {
            return Err(BadFrontier { size, wanted, bytes: bytes.len() });
        }
        Ok(Self { size, roots: roots.iter().copied().map(Digest).collect() })
    }

    /// 32 bytes for each full subtree, the largest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.roots.iter().flat_map(|root| root.0).collect()
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    pub fn root(&self) -> Digest {
        join(&self.roots)
    }

    /// The full subtree with 2^`height` leaves at the right edge, if there is one.
    pub(super) fn subtree(&self, height: u32) -> Option<Digest> {
        let above = self.size.checked_shr(height).filter(|above| above & 1 == 1)?;
        self.roots.get(usize::try_from(above.count_ones()).ok()?.checked_sub(1)?).copied()
    }

    /// Appends a leaf. `full` is told of the leaf and then of every node that it completes, from the lowest up.
    pub fn append(&mut self, leaf: Digest, mut full: impl FnMut(Node, Digest)) {
        let (mut node, mut hash) = (Node { height: 0, index: self.size }, leaf);
        full(node, hash);
        while node.index & 1 == 1 {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(left, hash);
            node = Node { height: node.height + 1, index: node.index >> 1 };
            full(node, hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tree::leaf_hash;

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else() {
        let mut frontier = Frontier::default();
        for leaf in 0..300_u64 {
            assert_eq!(Frontier::from_bytes(leaf, &frontier.to_bytes()).unwrap(), frontier);
            frontier.append(leaf_hash(&leaf.to_be_bytes()), |_, _| {});
        }
        let bytes = frontier.to_bytes();
        let refused = Frontier::from_bytes(299, &bytes).unwrap_err();
        assert_eq!(refused.to_string(), "a tree of 299 leaves has 5 full subtrees, not 128 bytes of them");
        assert!(Frontier::from_bytes(300, &bytes[1..]).is_err() && Frontier::from_bytes(0, &bytes).is_err());
    }

    #[test]
    fn completed_nodes_are_told_once() {
        let (mut frontier, mut full) = (Frontier::default(), Vec::new());
        for leaf in 0..8_u64 {
            frontier.append(leaf_hash(&leaf.to_be_bytes()), |node, _| full.push((node.height, node.index)));
        }
        assert_eq!(full.len(), 15);
        assert_eq!(full[11..], [(0, 7), (1, 3), (2, 1), (3, 0)]);
    }
}
