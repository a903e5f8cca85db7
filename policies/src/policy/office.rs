//! The office's numbers, read from `level-2.toml`. Letters, caps, weights, shares, deadlines, the calendar of working days and
//! the names of the two control files. Owns the numbers and their bounds, not the arithmetic (that is `grade`).

pub(super) mod read;

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use super::{Role, Severity};
use crate::text::Text;

/// Everything of a grade that is a number rather than a rule. Valid once read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Office {
    /// The policy's id, such as `level-2`.
    pub id: String,
    /// The policy's name.
    pub title: Text,
    /// The names of the two control files.
    pub controls: ControlFiles,
    /// What a control of each severity weighs.
    pub weights: Weights,
    /// How the score is split between what programs see and what people attest.
    pub shares: Shares,
    /// The lowest score of each letter.
    pub letters: Letters,
    /// What caps a letter regardless of the score.
    pub caps: Caps,
    /// When evidence no longer counts.
    pub evidence: Evidence,
    /// Bounds of waivers with an end (ngoại lệ có thời hạn).
    pub waivers: Waivers,
    /// Bounds of the roster (danh mục máy tính).
    pub roster: Roster,
    /// The time in which an office has a score and no letter.
    pub start_up: StartUp,
    /// Working days.
    pub calendar: CalendarDays,
}

impl Office {
    /// Reads an office file. `file` is the name that errors carry.
    ///
    /// # Errors
    /// All errors, each with line and column.
    pub fn read(file: &str, text: impl AsRef<[u8]>) -> Result<Self, super::PolicyErrors> {
        read::office(file, text.as_ref())
    }
}

/// The files of the controls, by role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFiles {
    /// For workstations (máy trạm).
    pub workstation: String,
    /// For servers (máy chủ).
    pub server: String,
}

impl ControlFiles {
    /// The file for `role`.
    pub fn get(&self, role: Role) -> &str {
        match role {
            Role::Workstation => &self.workstation,
            Role::Server => &self.server,
        }
    }
}

/// Weight of a control in a machine's score, by severity; each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Of a critical control.
    pub critical: u32,
    /// Of a high one.
    pub high: u32,
    /// Of a medium one.
    pub medium: u32,
    /// Of a low one.
    pub low: u32,
}

impl Weights {
    /// The weight of a control of `severity`.
    pub fn get(self, severity: Severity) -> u32 {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
        }
    }
}

/// Percent of the office score; the two add up to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The machines' part.
    pub technical_percent: u32,
    /// The attested part (tự đánh giá kèm tài liệu kiểm chứng).
    pub organisational_percent: u32,
}

/// The letter of an office, best first, so that `max` of two is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Letter {
    /// Tốt.
    A,
    /// Khá.
    B,
    /// Trung bình.
    C,
    /// Yếu.
    D,
    /// Chưa đáp ứng.
    E,
}

impl Letter {
    /// All letters, best first.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// The letter as it is written.
    pub const fn code(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
        }
    }

    /// The letter's name as a person reads it.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::A => ("tốt", "good"),
            Self::B => ("khá", "fair"),
            Self::C => ("trung bình", "average"),
            Self::D => ("yếu", "weak"),
            Self::E => ("chưa đáp ứng", "not met"),
        };
        Text::new(vi, en)
    }
}

/// The lowest score (0 to 100) of each letter, falling from A to D; E is the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letters {
    /// At least this is A.
    pub a: u32,
    /// At least this is B.
    pub b: u32,
    /// At least this is C.
    pub c: u32,
    /// At least this is D.
    pub d: u32,
}

impl Letters {
    /// The lowest score of `letter`.
    pub fn lowest(self, letter: Letter) -> u32 {
        match letter {
            Letter::A => self.a,
            Letter::B => self.b,
            Letter::C => self.c,
            Letter::D => self.d,
            Letter::E => 0,
        }
    }
}

/// What caps a letter regardless of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// A critical failure left unfixed.
    pub critical: CriticalCap,
    /// Such failures on many machines.
    pub widespread: WidespreadCap,
    /// Too few machines with fresh evidence.
    pub coverage: CoverageCap,
    /// Too much that is waived.
    pub waived: WaivedCap,
}

/// A critical failure older than a number of working days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CriticalCap {
    /// Caps when older than this.
    pub older_than_working_days: u32,
    /// The best letter under this cap.
    pub at_most: Letter,
}

/// Critical failures older than [`CriticalCap::older_than_working_days`] on many machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WidespreadCap {
    /// Caps on more than this percent of the expected machines...
    pub over_percent: u32,
    /// ...and at least this many.
    pub at_least_machines: u32,
    /// The best letter under this cap.
    pub at_most: Letter,
}

/// Coverage below a percentage with at least a number of machines missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverageCap {
    /// Caps when coverage is under this percent...
    pub under_percent: u32,
    /// ...and at least this many machines are missing.
    pub at_least_missing: u32,
    /// The best letter under this cap.
    pub at_most: Letter,
}

/// Waived weight above a percentage of the applicable weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaivedCap {
    /// Caps when more than this percent is waived.
    pub over_percent: u32,
    /// The best letter under this cap.
    pub at_most: Letter,
}

/// When evidence no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Stale (số liệu quá hạn) when older than this many working days.
    pub stale_after_working_days: u32,
    /// A critical control unknown for more than this many days makes the machine not covered.
    pub critical_unknown_after_days: u32,
}

/// Bounds of waivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waivers {
    /// The longest waiver for a critical control, in days.
    pub critical_at_most_days: u32,
    /// The longest waiver for any other control, in days.
    pub other_at_most_days: u32,
}

/// Bounds of the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roster {
    /// The longest a line may be on leave, in repair, in store or awaiting disposal, in days.
    pub away_at_most_days: u32,
}

/// The time in which an office is set up (đang khởi tạo): a score and no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartUp {
    /// Days after the first enrolment; 0 gives a letter at once.
    pub days: u32,
}

/// The days on which an office works, as data. `calendar` counts by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarDays {
    /// The offset of the office's clock from UTC in minutes, 420 for Viet Nam (no summer time).
    pub utc_offset_minutes: i32,
    /// Days of the week without work.
    pub weekend: Vec<Weekday>,
    /// Public holidays, one by one.
    pub holidays: BTreeSet<Date>,
    /// Days of a weekend or holiday that are worked in exchange (làm bù).
    pub worked: BTreeSet<Date>,
    /// The last year whose holidays are listed. Later days know only weekends.
    pub known_to_year: i16,
}
