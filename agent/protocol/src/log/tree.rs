//! How a Merkle tree is hashed (RFC 6962, 2.1), and the names of its full subtrees.

use std::ops::Range;

use crate::digest::Digest;

/// The hash of a leaf with this content.
pub fn leaf_hash(content: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], content])
}

/// The hash of a node over its two children.
pub fn node_hash(left: Digest, right: Digest) -> Digest {
    Digest::of_parts(&[&[1], &left.0, &right.0])
}

/// The root of the tree over full subtrees that follow each other, the largest first; of no subtree the root of the empty tree.
pub fn join(roots: &[Digest]) -> Digest {
    let joined = roots.iter().rev().copied().reduce(|right, left| node_hash(left, right));
    joined.unwrap_or_else(|| Digest::of(b""))
}

/// A node with 2^`height` leaves below it, all of them there. It never changes, whatever is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// 0 for a leaf.
    pub height: u32,
    /// How many nodes of this height stand before it.
    pub index: u64,
}

/// The full subtrees of the leaves `range`, the first leaves' first. `range` is the left part of a subtree: it begins at a multiple of a
/// power of two that is not below its length.
pub fn nodes_of(range: Range<u64>) -> Vec<Node> {
    let (mut nodes, mut start) = (Vec::new(), range.start);
    while start < range.end {
        let height = (range.end - start).ilog2();
        nodes.push(Node { height, index: start >> height });
        start += 1 << height;
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Frontier;

    /// The eight leaves with which implementations of RFC 6962 are tested, and the roots over the first 0 to 8 of them.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_roots_are_those_of_rfc_6962() {
        let mut frontier = Frontier::default();
        assert_eq!(frontier.root().to_string(), ROOTS[0]);
        for (leaf, root) in LEAVES.into_iter().zip(&ROOTS[1..]) {
            frontier.append(leaf_hash(leaf), |_, _| {});
            assert_eq!(frontier.root().to_string(), *root);
        }
    }

    #[test]
    fn a_range_is_cut_into_its_full_subtrees() {
        let node = |height, index| Node { height, index };
        assert_eq!(nodes_of(0..7), [node(2, 0), node(1, 2), node(0, 6)]);
        assert_eq!(nodes_of(8..11), [node(1, 4), node(0, 10)]);
        assert_eq!(nodes_of(4..4), []);
    }
}
