//! A tree right after leaves were appended to it: proves each of them from its own hashes and the right edge before, without a look at
//! any older leaf.

use super::frontier::Frontier;
use super::tree::node_hash;
use crate::digest::Digest;

/// What was appended, and every node above it.
#[derive(Clone, Debug)]
pub struct Appended {
    first: u64,
    /// From the leaves up to the root. A node without a sibling stands in for its parent.
    levels: Vec<Level>,
}

/// The nodes of one height that are, or stand beside, nodes above appended leaves.
#[derive(Clone, Debug)]
struct Level {
    /// How many nodes of this height stand before.
    start: u64,
    hashes: Vec<Digest>,
}

impl Level {
    fn get(&self, node: u64) -> Option<Digest> {
        self.hashes.get(usize::try_from(node.checked_sub(self.start)?).ok()?).copied()
    }
}

impl Appended {
    /// The tree that ended at `before`, with these `leaves` after it.
    pub fn new(before: &Frontier, leaves: Vec<Digest>) -> Self {
        let first = before.size();
        let (mut levels, mut level) = (Vec::new(), Level { start: first, hashes: leaves });
        while level.start + level.hashes.len() as u64 > 1 {
            if level.start & 1 == 1 {
                // Its sibling is older: a full subtree at the right edge, so this number stands at the first of the appended nodes.
                let height = u32::try_from(levels.len()).unwrap_or(u32::MAX);
                level.hashes.splice(0..0, before.subtree(height));
                level.start -= 1;
            }
            let above = level.hashes.chunks(2).map(|pair| match *pair {
                [left, right] => node_hash(left, right),
                _ => pair[0],
            });
            let above = Level { start: level.start / 2, hashes: above.collect() };
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Self { first, levels }
    }

    /// The number of the first leaf that was appended.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The proof that leaf `index` is in the tree; `None` when it is not one that was appended.
    pub fn proof(&self, index: u64) -> Option<Vec<Digest>> {
        let (leaves, mut node) = (self.levels.first()?, index);
        leaves.get(index).filter(|_| index >= self.first)?;
        let mut proof = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            proof.extend(level.get(node ^ 1));
            node /= 2;
        }
        Some(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::proof::inclusion_verify;
    use crate::log::tree::leaf_hash;

    #[test]
    fn every_appended_leaf_is_proved_at_every_size() {
        let leaf = |index: u64| leaf_hash(&index.to_be_bytes());
        for first in 0..40_u64 {
            let mut before = Frontier::default();
            (0..first).for_each(|index| before.append(leaf(index), |_, _| {}));
            let mut after = before.clone();
            for count in 1..40 {
                after.append(leaf(first + count - 1), |_, _| {});
                let size = first + count;
                let appended = Appended::new(&before, (first..size).map(leaf).collect());
                assert_eq!(appended.first(), first);
                for index in first..size {
                    let proof = appended.proof(index).unwrap();
                    assert_eq!(inclusion_verify(leaf(index), index, size, &proof, after.root()), Ok(()));
                }
                assert_eq!(appended.proof(size), None);
                assert_eq!(first.checked_sub(1).and_then(|older| appended.proof(older)), None);
            }
        }
        assert_eq!(Appended::new(&Frontier::default(), Vec::new()).proof(0), None);
    }
}
