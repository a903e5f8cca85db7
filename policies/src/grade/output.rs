//! The output of a grade: score, letter, caps, coverage, the ledger and every machine.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Points;
use crate::outcome::Outcome;
use crate::policy::{Letter, LiftedBy};
use crate::text::Text;

/// The grade of one office at one moment. `score` and the points of all lines add up to [`Points::FULL`] exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grade {
    /// The score (điểm chung), rounded down to a millionth.
    pub score: Points,
    /// The score over what can be fixed on the spot (khắc phục được tại chỗ); `None` when no such control applies.
    pub on_spot: Option<Points>,
    /// The score as if nothing were waived.
    pub without_waivers: Points,
    /// The letter, or why there is none.
    pub result: LetterResult,
    /// What caps the letter, or will.
    pub caps: Vec<Cap>,
    /// How many machines have figures.
    pub coverage: Coverage,
    /// Every point lost (bảng giải trình điểm).
    pub ledger: Vec<Line>,
    /// Every machine, in the order given.
    pub machines: Vec<MachineGrade>,
    /// False when the holidays of today are not listed in the policy: only weekends are known then.
    pub calendar_known: bool,
    /// The controls about the office as a whole (phần tổ chức), in the order of the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organisational: Vec<Outcome>,
}

impl Grade {
    /// The letter, when there is one.
    pub const fn letter(&self) -> Option<Letter> {
        self.result.letter()
    }

    /// The colour of the letter; grey without one.
    pub const fn colour(&self) -> Colour {
        Colour::of(self.letter())
    }
}

/// The letter, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterResult {
    /// There is one.
    Letter {
        /// The letter that counts.
        letter: Letter,
        /// The letter of the score alone, before caps.
        by_score: Letter,
    },
    /// There is none.
    NoLetter {
        /// Why.
        reason: NoLetter,
    },
}

impl LetterResult {
    /// The letter that counts, when there is one.
    pub const fn letter(&self) -> Option<Letter> {
        match self {
            Self::Letter { letter, .. } => Some(*letter),
            Self::NoLetter { .. } => None,
        }
    }
}

/// Why an office has a score and no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum NoLetter {
    /// No declared roster (chưa đủ căn cứ xếp loại).
    NoRoster,
    /// A roster on which no machine is expected.
    NoMachine,
    /// Being set up (đang khởi tạo).
    StartUp {
        /// Until when; `None` while no machine has enrolled.
        until: Option<Timestamp>,
    },
    /// A parent with too many machines that belong to offices without a letter.
    ChildrenWithout,
}

/// Colours of grades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// A or B.
    Green,
    /// C.
    Yellow,
    /// D or E.
    Red,
    /// No letter.
    Grey,
}

/// How many of the expected machines have fresh evidence (tỷ lệ máy có số liệu).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Machines that count.
    pub expected: u64,
    /// Those with fresh evidence.
    pub covered: u64,
}

impl Coverage {
    /// Expected machines without fresh evidence.
    pub const fn missing(self) -> u64 {
        self.expected - self.covered
    }
}

/// What a line of the ledger is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// A cap on the letter: 0 points.
    Cap,
    /// A control that fails.
    Failed,
    /// A control for which the facts do not say whether it holds.
    Unknown,
    /// Evidence that is too old: of one control, or of whole machines.
    Stale,
    /// Machines that never reported.
    Unreported,
    /// Machines on which no control applies.
    Unscored,
    /// A roster on which no machine is expected.
    NoMachine,
    /// An attested control that is not fulfilled.
    Attested,
}

/// One line of the ledger: points an office lost, with who and what can lift it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub kind: LineKind,
    /// The control, if it is about one.
    pub control: Option<String>,
    /// What a person reads first.
    pub title: Text,
    /// Points lost; 0 for a cap.
    pub points: Points,
    /// The machines affected, by the caller's ids.
    pub machines: Vec<String>,
    /// Minutes to lift it on all of them.
    pub minutes: u64,
    /// Who can lift it.
    pub lifted_by: LiftedBy,
    /// What lifts it.
    pub lift: Text,
    /// Controls that fail only because this one does; they cost nothing of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explains: Vec<String>,
}

/// The four kinds of cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapKind {
    /// A critical failure left unfixed.
    Critical,
    /// Such failures on many machines.
    Widespread,
    /// Too few machines with fresh evidence.
    Coverage,
    /// Too much that is waived.
    Waived,
}

/// Whether a cap holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum CapState {
    /// It holds.
    Holding {
        /// Since when, if known.
        since: Option<Timestamp>,
    },
    /// It will hold unless its cause is fixed.
    Announced {
        /// From when.
        from: Timestamp,
    },
}

/// A cap that limits the letter, or will.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Its kind.
    pub kind: CapKind,
    /// The best letter under it.
    pub at_most: Letter,
    /// Whether it holds already.
    pub state: CapState,
    /// The controls that cause it.
    pub controls: Vec<String>,
    /// The machines that cause it.
    pub machines: Vec<String>,
    /// What a person reads.
    pub title: Text,
    /// What lifts it.
    pub lift: Text,
}

/// How a machine counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// It has a score.
    Scored,
    /// No control applies to it: counts 0.
    Unscored,
    /// Its evidence is too old: counts 0.
    Stale,
    /// It never reported: counts 0.
    Unreported,
    /// Away with a person and an end: outside the mean.
    Away,
    /// Not confirmed: outside the grade.
    Pending,
}

/// One machine in a grade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineGrade {
    /// The caller's id.
    pub id: String,
    /// How it counts.
    pub state: MachineState,
    /// Its score; `None` when it has none. Stale and pending machines show the score of their last evidence.
    pub score: Option<Points>,
    /// True when it counts in the coverage.
    pub covered: bool,
    /// When its evidence becomes, or became, too old.
    pub stale_from: Option<Timestamp>,
    /// Weight of the controls that hold.
    pub passed: u64,
    /// Weight of the controls that count.
    pub applicable: u64,
    /// Weight of the controls that are waived.
    pub waived: u64,
    /// How many controls fail.
    pub failed: u32,
    /// How many are unknown or rest on old evidence.
    pub unknown: u32,
    /// How many critical controls fail.
    pub critical_failed: u32,
}
