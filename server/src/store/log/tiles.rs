//! The hashes of one epoch while proofs are made: read 256 at a time, the children of one stored subtree, and kept. A proof touches few of
//! them: one or two at each level.

use std::collections::HashMap;
use std::ops::Range;

use protocol::Digest;
use protocol::log::Node;
use protocol::log::tree::{join, node_hash, nodes_of};

use super::{HEIGHT, StoreError, StoreResult, Tx, signed};

/// What was read of an epoch.
pub(super) struct Tiles {
    epoch: i64,
    /// By level and number.
    kept: HashMap<(u32, u64), Vec<Digest>>,
}

impl Tiles {
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch: signed(epoch), kept: HashMap::new() }
    }

    /// The root of each range of leaves.
    pub(super) async fn roots(&mut self, tx: &mut Tx, ranges: &[Range<u64>]) -> StoreResult<Vec<Digest>> {
        let mut roots = Vec::with_capacity(ranges.len());
        for range in ranges {
            let mut nodes = Vec::new();
            for node in nodes_of(range.clone()) {
                nodes.push(self.node(tx, node).await?);
            }
            roots.push(join(&nodes));
        }
        Ok(roots)
    }

    /// The hash of a full node, from at most 128 stored ones below it.
    async fn node(&mut self, tx: &mut Tx, node: Node) -> StoreResult<Digest> {
        let (level, above) = (node.height / HEIGHT, node.height % HEIGHT);
        let below = node.index << above..(node.index + 1) << above;
        let tile = below.start >> HEIGHT;
        let start = tile << HEIGHT;
        if !self.kept.contains_key(&(level, tile)) {
            let hashes = tx.log_tile(self.epoch, level, start..start + (1 << HEIGHT)).await?;
            self.kept.insert((level, tile), hashes);
        }
        let at = |index: u64| usize::try_from(index - start).unwrap_or(usize::MAX);
        let found = self.kept.get(&(level, tile)).and_then(|tile| tile.get(at(below.start)..at(below.end)));
        let mut hashes =
            found.ok_or_else(|| StoreError::log(format!("hashes {below:?} of level {level} are missing")))?.to_vec();
        while hashes.len() > 1 {
            hashes = hashes.as_chunks::<2>().0.iter().map(|&[left, right]| node_hash(left, right)).collect();
        }
        hashes.pop().ok_or_else(|| StoreError::log("no hash"))
    }
}

impl Tx {
    /// The hashes of these nodes of a level that are there, up to the first that is not.
    async fn log_tile(&mut self, epoch: i64, level: u32, range: Range<u64>) -> StoreResult<Vec<Digest>> {
        if level == 0 {
            return self.log_hashes(epoch, range).await;
        }
        let rows: Vec<(i64, Vec<u8>)> = on_db!(self, connection => {
            sqlx::query_as(
                "select number, hash from log_subtree where epoch = $1 and level = $2 and number >= $3 and number < $4 order by number",
            )
            .bind(epoch)
            .bind(i64::from(level))
            .bind(signed(range.start))
            .bind(signed(range.end))
            .fetch_all(connection)
            .await?
        });
        let whole = rows.into_iter().zip(range).take_while(|((number, _), index)| *number == signed(*index));
        Ok(whole.map_while(|((_, hash), _)| hash.try_into().ok().map(Digest)).collect())
    }

    /// The same for leaves.
    async fn log_hashes(&mut self, epoch: i64, range: Range<u64>) -> StoreResult<Vec<Digest>> {
        let (mut found, mut next) = (Vec::new(), range.start);
        for row in self.log_rows(epoch, range.clone()).await? {
            let numbered = row.hashes().unwrap_or_default().into_iter().zip(super::unsigned(row.first)?..);
            for (hash, index) in numbered.filter(|(_, index)| range.contains(index)) {
                if index != next {
                    return Ok(found);
                }
                found.push(hash);
                next += 1;
            }
        }
        Ok(found)
    }
}
