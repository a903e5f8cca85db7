//! Proofs that a leaf is in a tree and that a tree continues an older one (RFC 6962, 2.1.1 and 2.1.2): which hashes make them, and how
//! they are checked.

use std::ops::Range;

use super::tree::{join, node_hash};
use crate::digest::Digest;

/// Hashes in a proof at most: the height of the largest tree.
pub const LONGEST: usize = 63;

/// A proof does not show what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// The leaf lies beyond the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Beyond {
        /// The leaf.
        index: u64,
        /// The tree.
        size: u64,
    },
    /// The newer tree is the smaller one.
    #[error("a tree of {new} leaves cannot continue one of {old}")]
    Backwards {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
    /// Too few or too many hashes.
    #[error("the proof has {0} hashes, which do not fit trees of this size")]
    Length(usize),
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The ranges of leaves whose roots are the proof that leaf `index` is in the tree of `size` leaves, in the order of the proof.
///
/// # Errors
/// There is no such leaf.
pub fn inclusion(index: u64, size: u64) -> Result<Vec<Range<u64>>, BadProof> {
    if index >= size {
        return Err(BadProof::Beyond { index, size });
    }
    let (mut path, mut within) = (Vec::new(), 0..size);
    while within.end - within.start > 1 {
        let middle = middle(&within);
        let (near, far) = (within.start..middle, middle..within.end);
        let (next, sibling) = if index < middle { (near, far) } else { (far, near) };
        path.push(sibling);
        within = next;
    }
    path.reverse();
    Ok(path)
}

/// The same for the proof that the tree of `new` leaves continues the one of `old`. Every tree continues the empty one.
///
/// # Errors
/// The newer tree is smaller.
pub fn consistency(old: u64, new: u64) -> Result<Vec<Range<u64>>, BadProof> {
    if old > new {
        return Err(BadProof::Backwards { old, new });
    }
    let (mut path, mut within) = (Vec::new(), 0..new);
    while old > 0 && within.end != old {
        let middle = middle(&within);
        let (near, far) = (within.start..middle, middle..within.end);
        let (next, sibling) = if old <= middle { (near, far) } else { (far, near) };
        path.push(sibling);
        within = next;
    }
    // A left subtree that is the whole older tree needs no hash: its root is known.
    if old > 0 && within.start > 0 {
        path.push(within);
    }
    path.reverse();
    Ok(path)
}

/// Where the left subtree of a tree over more than one leaf ends: at the largest power of two below its size.
fn middle(within: &Range<u64>) -> u64 {
    let last = within.end - within.start - 1;
    within.start + (1 << last.ilog2())
}

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this `root`.
///
/// # Errors
/// The proof does not show it.
pub fn inclusion_verify(leaf: Digest, index: u64, size: u64, proof: &[Digest], root: Digest) -> Result<(), BadProof> {
    let wanted = inclusion(index, size)?;
    if wanted.len() != proof.len() {
        return Err(BadProof::Length(proof.len()));
    }
    let reached = wanted.iter().zip(proof).fold(leaf, |hash, (sibling, &beside)| {
        if sibling.start > index { node_hash(hash, beside) } else { node_hash(beside, hash) }
    });
    if reached == root { Ok(()) } else { Err(BadProof::Root) }
}

/// Checks that the tree of `new` leaves with `new_root` continues the tree of `old` leaves with `old_root`.
///
/// # Errors
/// The proof does not show it.
pub fn consistency_verify(
    old: u64,
    old_root: Digest,
    new: u64,
    new_root: Digest,
    proof: &[Digest],
) -> Result<(), BadProof> {
    let wanted = consistency(old, new)?;
    if wanted.len() != proof.len() {
        return Err(BadProof::Length(proof.len()));
    }
    if old == 0 {
        return if old_root == join(&[]) { Ok(()) } else { Err(BadProof::Root) };
    }
    // Both roots are built from the same hashes: the older from those of leaves it had, the newer from all.
    let known = wanted.first().is_none_or(|first| first.end != old);
    let parts = wanted.iter().zip(proof);
    let seed = if known { old_root } else { proof.first().copied().unwrap_or(old_root) };
    let rest = parts.skip(usize::from(!known));
    let (older, newer) = rest.fold((seed, seed), |(older, newer), (range, &beside)| {
        if range.end <= old {
            (node_hash(beside, older), node_hash(beside, newer))
        } else {
            (older, node_hash(newer, beside))
        }
    });
    if older == old_root && newer == new_root { Ok(()) } else { Err(BadProof::Root) }
}

#[cfg(test)]
mod tests;
