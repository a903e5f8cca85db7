//! What a leaf of the evidence log says. Its content is text, every field on a line of its own, so that anyone can make it again and hash
//! it; the first line names kind and version:
//!
//! ```text
//! tram-an/leaf/report/1      tram-an/leaf/fork/1      tram-an/leaf/audit/1      tram-an/leaf/figure/1      tram-an/leaf/checkpoint/1
//! machine                    machine                  number                    office                     the signed checkpoint,
//! segment                    segment                  hash of the entry         day                          whole
//! number                     number                                             revision
//! hash of the header         hash of the header                                 hash of the figure
//! received at (ms UTC)       received at (ms UTC)
//! ```
//!
//! Ids and days are made by the server and hold neither spaces nor newlines; hashes are lower-case hexadecimal.

use std::fmt;
use std::str::FromStr;

use protocol::Digest;
use protocol::log::leaf;
use protocol::log::tree::leaf_hash;

/// What a leaf is about: where its content is found in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An accepted report.
    Report {
        /// The machine's id.
        machine: String,
        /// Its segment.
        segment: i64,
        /// Its number within the segment.
        number: i64,
    },
    /// A refused second branch.
    Fork {
        /// The machine's id.
        machine: String,
        /// Hash of its header.
        hash: String,
    },
    /// An entry of the audit log.
    Audit {
        /// Its number.
        number: i64,
    },
    /// The frozen figure of an office and day.
    Figure {
        /// The office's id.
        office: String,
        /// As `2026-11-22`.
        day: String,
        /// 1, or more for a correction.
        revision: i64,
    },
    /// The last checkpoint known when an epoch began.
    Checkpoint {
        /// The epoch before.
        epoch: i64,
        /// Its leaves.
        size: i64,
    },
}

/// A stored line that names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this line names no subject of a leaf")]
pub struct NoSubject;

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report { machine, segment, number } => write!(f, "report {machine} {segment} {number}"),
            Self::Fork { machine, hash } => write!(f, "fork {machine} {hash}"),
            Self::Audit { number } => write!(f, "audit {number}"),
            Self::Figure { office, day, revision } => write!(f, "figure {office} {day} {revision}"),
            Self::Checkpoint { epoch, size } => write!(f, "checkpoint {epoch} {size}"),
        }
    }
}

impl FromStr for Subject {
    type Err = NoSubject;

    fn from_str(line: &str) -> Result<Self, NoSubject> {
        let number = |text: &str| text.parse::<i64>().map_err(|_| NoSubject);
        let owned = str::to_owned;
        Ok(match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["report", machine, segment, at] => {
                Self::Report { machine: owned(machine), segment: number(segment)?, number: number(at)? }
            }
            ["fork", machine, hash] => Self::Fork { machine: owned(machine), hash: owned(hash) },
            ["audit", at] => Self::Audit { number: number(at)? },
            ["figure", office, day, revision] => {
                Self::Figure { office: owned(office), day: owned(day), revision: number(revision)? }
            }
            ["checkpoint", epoch, size] => Self::Checkpoint { epoch: number(epoch)?, size: number(size)? },
            _ => return Err(NoSubject),
        })
    }
}

/// A leaf to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// What it is about.
    pub subject: Subject,
    /// What is hashed.
    pub content: String,
    /// When it came to be, milliseconds UTC: dates the checkpoint.
    pub at: i64,
}

impl Leaf {
    fn new(subject: Subject, at: i64, fields: &[&dyn fmt::Display]) -> Self {
        let kind = subject.to_string();
        let kind = kind.split(' ').next().unwrap_or_default();
        let content = leaf::content(kind, fields);
        Self { subject, content, at }
    }

    /// An accepted report; `hash` in hexadecimal, `received_at` in milliseconds UTC.
    pub fn report(machine: &str, segment: i64, number: i64, hash: &str, received_at: i64) -> Self {
        let subject = Subject::Report { machine: machine.to_owned(), segment, number };
        Self::new(subject, received_at, &[&machine, &segment, &number, &hash, &received_at])
    }

    /// A refused second branch; as [`Leaf::report`].
    pub fn fork(machine: &str, segment: i64, number: i64, hash: &str, received_at: i64) -> Self {
        let subject = Subject::Fork { machine: machine.to_owned(), hash: hash.to_owned() };
        Self::new(subject, received_at, &[&machine, &segment, &number, &hash, &received_at])
    }

    /// An entry of the audit log, by its number and hash.
    pub fn audit(number: i64, hash: &str, at: i64) -> Self {
        Self::new(Subject::Audit { number }, at, &[&number, &hash])
    }

    /// A frozen figure, by its hash.
    pub fn figure(office: &str, day: &str, revision: i64, hash: &str, at: i64) -> Self {
        let subject = Subject::Figure { office: office.to_owned(), day: day.to_owned(), revision };
        Self::new(subject, at, &[&office, &day, &revision, &hash])
    }

    /// The last checkpoint of the epoch before.
    pub fn checkpoint(epoch: i64, size: i64, note: &str, at: i64) -> Self {
        Self { subject: Subject::Checkpoint { epoch, size }, content: leaf::checkpoint(note), at }
    }

    /// The leaf's hash in the tree.
    pub fn hash(&self) -> Digest {
        leaf_hash(self.content.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_content_is_pinned() {
        let leaves = [
            (Leaf::report("m", 2, 7, "aa", 9), "report m 2 7", "tram-an/leaf/report/1\nm\n2\n7\naa\n9\n"),
            (Leaf::fork("m", 2, 7, "aa", 9), "fork m aa", "tram-an/leaf/fork/1\nm\n2\n7\naa\n9\n"),
            (Leaf::audit(3, "bb", 9), "audit 3", "tram-an/leaf/audit/1\n3\nbb\n"),
            (
                Leaf::figure("o", "2026-11-22", 1, "cc", 9),
                "figure o 2026-11-22 1",
                "tram-an/leaf/figure/1\no\n2026-11-22\n1\ncc\n",
            ),
            (Leaf::checkpoint(1, 2, "a\n\n— b\n", 9), "checkpoint 1 2", "tram-an/leaf/checkpoint/1\na\n\n— b\n"),
        ];
        for (leaf, subject, content) in leaves {
            assert_eq!((leaf.subject.to_string().as_str(), leaf.content.as_str()), (subject, content));
            assert_eq!(subject.parse(), Ok(leaf.subject));
        }
        // printf '\0tram-an/leaf/audit/1\n3\nbb\n' | sha256sum
        let hash = "2d03cafb34b2889bc5c22dfe847760bcb61530f0558721dc34e0ad28399a237f";
        assert_eq!(Leaf::audit(3, "bb", 9).hash().to_string(), hash);
    }

    #[test]
    fn other_lines_name_nothing() {
        for line in ["", "report m 1", "report m 1 x", "audit", "audit 1 2", "letter 1", "fork m", "figure o d 1 2"] {
            assert_eq!(line.parse::<Subject>(), Err(NoSubject), "{line:?}");
        }
    }
}
