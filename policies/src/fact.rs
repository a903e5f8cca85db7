//! What can be known of a machine: sections of typed facts, each known or unknown with a reason.
//!
//! Facts hold instants, never ages or counters, so that nothing changes merely because time passes. Readers ignore fields
//! they do not know; a fact that an old agent did not send reads as unknown (`agent_too_old`). A new field of a record
//! must therefore be a [`Fact`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[macro_use]
mod define;
mod value;

mod accounts;
mod antivirus;
mod backup;
mod facts;
mod gap;
mod lan;
mod logging;
mod misread;
mod neighbours;
mod office;
mod patches;
mod ports;
mod remote;
mod sharing;
mod software;
mod system;
mod time;

pub use accounts::*;
pub use antivirus::*;
pub use backup::*;
pub use facts::{Facts, SCHEMA_VERSION, Section, find, names};
pub use gap::{Gap, Makers};
pub use lan::*;
pub use logging::*;
pub use misread::{MISREAD, Misread, On};
pub use neighbours::*;
pub use office::*;
pub use patches::*;
pub use ports::*;
pub use remote::*;
pub use sharing::*;
pub use software::*;
pub use system::*;
pub use time::*;
pub use value::{ChoiceItem, Days, Facet, Field, Kind, Mebibytes, Milliseconds, Record, Seconds, Unit, Value};

/// One thing observed on a machine: known with its value, or unknown with the reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// Observed.
    Known(T),
    /// Not observed.
    Unknown(Unknown),
}

// By way of `Option`, because that is how serde lets a missing field have a meaning: the agent is too old to send it.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fact<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case", rename = "Fact")]
        enum Wire<T> {
            Known(T),
            Unknown(Unknown),
        }
        Ok(match Option::<Wire<T>>::deserialize(deserializer)? {
            Some(Wire::Known(value)) => Self::Known(value),
            Some(Wire::Unknown(unknown)) => Self::Unknown(unknown),
            None => Self::default(),
        })
    }
}

impl<T> Fact<T> {
    /// An unknown fact with `reason` and, for the engineer, a `detail`.
    pub fn unknown(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Unknown(Unknown { reason, detail: detail.into() })
    }

    /// The value, when it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The same fact with its known value changed by `change`.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(change(value)),
            Self::Unknown(unknown) => Fact::Unknown(unknown),
        }
    }
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self::unknown(Reason::AgentTooOld, "")
    }
}

impl<T> From<T> for Fact<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

/// Why a fact is not known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unknown {
    /// What a program can act upon.
    pub reason: Reason,
    /// For an engineer: the file, program or error. English, may be empty; comes from the machine, so it is hostile text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The reasons for not knowing. Each has a sentence in [`Reason::text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The section was not collected (yet).
    NotCollected,
    /// The product has no reader for this fact on this system or for this maker. Believed only where
    /// the fact says so too ([`Field::gaps`]).
    NoReader,
    /// Only an administrator (root) may read it and the agent is not one.
    NeedsAdministrator,
    /// The file, program or service that answers is not on this machine.
    SourceMissing,
    /// The source did not answer before its deadline.
    TimedOut,
    /// The source failed or its answer could not be read.
    Unreadable,
    /// Two sources say the opposite of each other, and neither is known to be the better one.
    Contradictory,
    /// Of an office: it has approved no list to compare with.
    #[serde(skip_deserializing)]
    NotApproved,
    /// Of an office: it is not known of some of its machines.
    #[serde(skip_deserializing)]
    MachinesUnclear,
    /// Of an office: no machine of it is expected to report.
    #[serde(skip_deserializing)]
    NoMachine,
    /// The agent is older than the fact (or newer than this reader, and gave a reason it does not know).
    #[serde(other)]
    AgentTooOld,
}

impl Reason {
    /// The reason as a person reads it.
    pub fn text(self) -> crate::text::Text {
        let (vi, en) = match self {
            Self::AgentTooOld => ("phiên bản phần mềm trên máy quá cũ", "the agent is too old"),
            Self::NotCollected => ("chưa thu thập", "not collected yet"),
            Self::NoReader => {
                ("phần mềm chưa đọc được thông tin này trên hệ thống này", "not readable on this system yet")
            }
            Self::NeedsAdministrator => ("cần quyền quản trị để đọc", "needs administrator rights"),
            Self::SourceMissing => ("máy không có nguồn thông tin này", "the source is not on this machine"),
            Self::TimedOut => ("quá thời gian chờ trả lời", "no answer before the deadline"),
            Self::Unreadable => ("không đọc được câu trả lời", "the answer could not be read"),
            Self::Contradictory => ("các nguồn thông tin mâu thuẫn nhau", "the sources contradict each other"),
            Self::NotApproved => (
                "chưa có danh sách được duyệt; ghi ở trang Mạng nội bộ của cơ quan hoặc bằng lệnh posture-server office lan",
                "no list is approved; state it on the office's page Local network or with posture-server office lan",
            ),
            Self::MachinesUnclear => (
                "có máy chưa xác định được; xem các máy đó ở trang Mạng nội bộ của cơ quan",
                "for some machines it is not known; see which on the office's page Local network",
            ),
            Self::NoMachine => ("cơ quan chưa có máy nào cần theo dõi", "no machine of the office is expected"),
        };
        crate::text::Text::new(vi, en)
    }
}

/// A list that may have been cut at its cap. Where the missing rest could change an answer, the answer is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    /// The items that were kept, in a stable order.
    pub items: Vec<T>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl<T> List<T> {
    /// The most items a list of facts may hold.
    pub const CAP: usize = 500;

    /// Keeps the first [`List::CAP`] items and counts the rest.
    pub fn capped(mut items: Vec<T>) -> Self {
        let left_out = items.len().saturating_sub(Self::CAP);
        items.truncate(Self::CAP);
        Self { items, left_out: u32::try_from(left_out).unwrap_or(u32::MAX) }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), left_out: 0 }
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::capped(items.into_iter().collect())
    }
}

/// An instant on the UTC time line.
pub type Instant = Timestamp;
