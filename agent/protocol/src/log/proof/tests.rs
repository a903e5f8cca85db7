//! Roots and proofs over every size up to a few hundred leaves, compared with another implementation; and that no proof shows more than
//! is so.

use std::collections::HashMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::log::checkpoint::{Checkpoint, Origin};
use crate::log::proof_file::ProofFile;
use crate::log::tree::{Node, leaf_hash, nodes_of};
use crate::log::{Frontier, Note};
use crate::sign::SigningKey;

const MOST: u64 = 300;

/// A tree as the server keeps it: its full nodes, and the root at every size.
struct Tree {
    nodes: HashMap<Node, Digest>,
    roots: Vec<Digest>,
}

impl Tree {
    fn of(leaves: u64) -> Self {
        let (mut nodes, mut frontier) = (HashMap::new(), Frontier::default());
        let mut roots = vec![frontier.root()];
        for leaf in 0..leaves {
            frontier.append(leaf_hash(&content(leaf)), |node, hash| assert!(nodes.insert(node, hash).is_none()));
            roots.push(frontier.root());
        }
        Self { nodes, roots }
    }

    fn hashes(&self, ranges: Vec<Range<u64>>) -> Vec<Digest> {
        let root = |range| join(&nodes_of(range).iter().map(|node| self.nodes[node]).collect::<Vec<_>>());
        ranges.into_iter().map(root).collect()
    }
}

fn content(leaf: u64) -> Vec<u8> {
    format!("leaf {leaf}").into_bytes()
}

fn bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[test]
fn another_implementation_agrees_on_every_root_and_proof() {
    let tree = Tree::of(MOST);
    let mut other: MemoryBackedTree<Sha256, Vec<u8>> = MemoryBackedTree::new();
    for size in 1..=MOST {
        other.push(content(size - 1));
        assert_eq!(other.root().as_bytes()[..], tree.roots[size as usize].0);
        // Every leaf and every older size of some trees, the ends of all.
        let step = if size % 37 == 0 || size < 20 { 1 } else { size - 1 };
        for index in (0..size).step_by(step.max(1) as usize) {
            let proof = tree.hashes(inclusion(index, size).unwrap());
            assert_eq!(bytes(&proof), other.prove_inclusion(index as usize).as_bytes(), "{index} of {size}");
            inclusion_verify(leaf_hash(&content(index)), index, size, &proof, tree.roots[size as usize]).unwrap();
        }
        for old in (1..size).step_by(step.max(1) as usize) {
            let proof = tree.hashes(consistency(old, size).unwrap());
            let theirs = other.prove_consistency((size - old) as usize);
            assert_eq!(bytes(&proof), theirs.as_bytes(), "{old} to {size}");
        }
    }
}

#[test]
fn every_tree_continues_every_older_one() {
    let tree = Tree::of(100);
    for new in 0..=100 {
        for old in 0..=new {
            let proof = tree.hashes(consistency(old, new).unwrap());
            let root = |size| tree.roots[size as usize];
            consistency_verify(old, root(old), new, root(new), &proof).unwrap();
            if old > 0 && old < new {
                assert_eq!(consistency_verify(old, root(old - 1), new, root(new), &proof), Err(BadProof::Root));
                assert_eq!(consistency_verify(old, root(old), new, root(new - 1), &proof), Err(BadProof::Root));
            }
        }
    }
    assert_eq!(consistency(3, 2), Err(BadProof::Backwards { old: 3, new: 2 }));
    assert_eq!(consistency_verify(0, tree.roots[1], 1, tree.roots[1], &[]), Err(BadProof::Root));
    assert_eq!(inclusion(2, 2), Err(BadProof::Beyond { index: 2, size: 2 }));
}

proptest! {
    #[test]
    fn a_proof_shows_one_leaf_in_one_tree(
        size in 1..MOST, index in 0..MOST, wrong_index in 0..MOST, wrong_size in 1..MOST, at in 0..16_usize, bit in 0..256_usize,
    ) {
        let (tree, index) = (Tree::of(MOST), index % size);
        let (leaf, root) = (leaf_hash(&content(index)), tree.roots[size as usize]);
        let proof = tree.hashes(inclusion(index, size).unwrap());
        prop_assert_eq!(inclusion_verify(leaf, index, size, &proof, root), Ok(()));
        let path = inclusion(wrong_index % size, size).unwrap();
        if wrong_index % size != index {
            prop_assert!(inclusion_verify(leaf, wrong_index % size, size, &proof, root).is_err());
            prop_assert!(inclusion_verify(leaf, wrong_index % size, size, &tree.hashes(path), root).is_err());
        }
        if wrong_size != size {
            prop_assert!(inclusion_verify(leaf, index, size, &proof, tree.roots[wrong_size as usize]).is_err());
        }
        if let Some(hash) = (!proof.is_empty()).then_some(at % proof.len().max(1)) {
            let mut changed = proof.clone();
            changed[hash].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(inclusion_verify(leaf, index, size, &changed, root), Err(BadProof::Root));
            prop_assert_eq!(inclusion_verify(leaf, index, size, &proof[1..], root), Err(BadProof::Length(proof.len() - 1)));
        }
    }

    #[test]
    fn a_rewritten_tree_does_not_continue_the_old_one(old in 2..MOST, more in 0..MOST, changed in 0..MOST) {
        let (new, changed) = ((old + more).min(MOST), changed % old);
        let (tree, mut frontier, mut nodes) = (Tree::of(MOST), Frontier::default(), HashMap::new());
        for leaf in 0..new {
            let told = if leaf == changed { b"rewritten".to_vec() } else { content(leaf) };
            frontier.append(leaf_hash(&told), |node, hash| { nodes.insert(node, hash); });
        }
        let rewritten = Tree { nodes, roots: vec![frontier.root()] };
        let proof = rewritten.hashes(consistency(old, new).unwrap());
        prop_assert_eq!(consistency_verify(old, tree.roots[old as usize], new, frontier.root(), &proof), Err(BadProof::Root));
    }

    #[test]
    fn no_file_makes_the_readers_panic(text in "\\PC*", lines in proptest::collection::vec("[a-z0-9/@ .=—\\n]{0,40}", 0..6)) {
        let _ = text.parse::<ProofFile>();
        let _ = text.parse::<Note>();
        let _ = format!("c2sp.org/tlog-proof@v1\n{}", lines.join("\n")).parse::<ProofFile>();
    }

    #[test]
    fn sizes_near_the_largest_are_computed(index in 0..(1_u64 << 63) - 1) {
        let path = inclusion(index, (1 << 63) - 1).unwrap();
        prop_assert!(path.len() <= LONGEST && consistency(index, (1 << 63) - 1).unwrap().len() <= LONGEST + 1);
    }
}

#[test]
fn a_proof_in_a_file_is_checked_with_the_servers_key_alone() {
    let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    let tree = Tree::of(21);
    let checkpoint = Checkpoint { origin: Origin { server: "s".to_owned(), epoch: 1 }, size: 21, root: tree.roots[21] };
    let file = ProofFile {
        content: content(20),
        index: 20,
        hashes: tree.hashes(inclusion(20, 21).unwrap()),
        checkpoint: checkpoint.sign(&key).unwrap(),
    };
    let text = file.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra bGVhZiAyMA==\nindex 20\n"));
    let read: ProofFile = text.parse().unwrap();
    assert_eq!(read, file);
    assert_eq!(read.verify(key.public_key()), Ok(checkpoint));

    let told = |from: &str, to: &str| {
        let read = text.replacen(from, to, 1).parse::<ProofFile>();
        read.and_then(|file| file.verify(key.public_key())).unwrap_err().to_string()
    };
    assert_eq!(told("bGVhZiAyMA==", "bGVhZiAyMQ=="), "the proof leads to another root");
    assert_eq!(told("index 20", "index 19"), "the proof has 2 hashes, which do not fit trees of this size");
    assert_eq!(told("index 20", "index 21"), "leaf 21 is not in a tree of 21 leaves");
    assert_eq!(told("index 20", "index 020"), "line 3 of the proof cannot be read");
    assert_eq!(told("extra ", "extra"), "line 2 of the proof cannot be read");
    assert_eq!(told("index 20\n", "index 20\nAAAA\n"), "line 4 of the proof cannot be read");
    assert!(told("\n21\n", "\n22\n").contains("the signature by tram-an/log/1/s/1 does not fit"));
}
