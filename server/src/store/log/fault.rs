//! What can be wrong with the evidence log.

use crate::evidence::Subject;

/// What is wrong with a log. Leaves are counted from 0 within their epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// These leaves, the last included, are not stored.
    Missing {
        /// The epoch.
        epoch: i64,
        /// The first leaf.
        from: u64,
        /// The last leaf.
        to: u64,
    },
    /// A leaf stands where another should, or beyond the end: it was added.
    Beside {
        /// The epoch.
        epoch: i64,
        /// The leaf.
        leaf: u64,
    },
    /// The row that begins with this leaf does not hold a hash for each subject.
    Row {
        /// The epoch.
        epoch: i64,
        /// The leaf.
        leaf: u64,
    },
    /// Among these leaves, the last included, one was changed or moved: they do not give the root that was signed.
    Tree {
        /// The epoch.
        epoch: i64,
        /// The first leaf.
        from: u64,
        /// The last leaf.
        to: u64,
    },
    /// The leaves give what was signed, but the stored root over these is missing or another.
    Subtree {
        /// The epoch.
        epoch: i64,
        /// The first leaf.
        from: u64,
        /// The last leaf.
        to: u64,
    },
    /// The stored end of the log, from which it goes on, is not that of its leaves.
    End {
        /// The epoch.
        epoch: i64,
    },
    /// A stored checkpoint is not readable, not of this log, or not signed with the server's key.
    Checkpoint {
        /// The epoch.
        epoch: i64,
        /// The leaves that it should be of.
        size: i64,
    },
    /// The log contradicts a checkpoint that was kept elsewhere: it was rewritten, or cut.
    Against {
        /// The epoch.
        epoch: u64,
        /// The leaves that the checkpoint is of.
        size: u64,
        /// The leaves there are.
        found: u64,
    },
    /// What the leaf is about is no longer in the store.
    Gone {
        /// The epoch.
        epoch: i64,
        /// The leaf.
        leaf: u64,
        /// What it is about.
        subject: Subject,
    },
    /// The record and its leaf differ. The tree tells which was changed: where it is whole, the record.
    Changed {
        /// The epoch.
        epoch: i64,
        /// The leaf.
        leaf: u64,
        /// What it is about.
        subject: Subject,
        /// Whether the record was changed rather than the leaf.
        record: bool,
    },
    /// The leaf of another audit entry should stand here.
    Order {
        /// The epoch.
        epoch: i64,
        /// The leaf.
        leaf: u64,
        /// The number of the entry that follows.
        expected: i64,
        /// The number of the one that does.
        found: i64,
    },
    /// A second leaf about the same.
    Twice {
        /// What it is about.
        subject: Subject,
    },
    /// A record that is no leaf: it was added behind the log's back.
    Added {
        /// What it is.
        subject: String,
    },
}
