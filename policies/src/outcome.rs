//! The outcome of one control on one machine: what was found, what was wanted, and the verdict between them.

use serde::{Deserialize, Serialize};

use crate::text::{Language, Text};

/// The verdict on one control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What is wanted holds (đạt).
    Pass,
    /// It does not (chưa đạt).
    Fail,
    /// The facts do not say (chưa xác định).
    Unknown,
    /// The control is not meant for this machine (không áp dụng).
    NotApplicable,
    /// An approved waiver with an end (ngoại lệ có thời hạn). Only the server can say so.
    Waived,
}

impl Verdict {
    /// The verdict as a person reads it.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::Pass => ("đạt", "pass"),
            Self::Fail => ("chưa đạt", "fail"),
            Self::Unknown => ("chưa xác định", "unknown"),
            Self::NotApplicable => ("không áp dụng", "not applicable"),
            Self::Waived => ("ngoại lệ có thời hạn", "waived"),
        };
        Text::new(vi, en)
    }

    /// How many of `verdicts` are of each kind, such as `12 pass, 3 fail, 0 unknown, 1 not applicable`. Without waivers, which a machine
    /// does not know.
    pub fn counted(verdicts: &[Self], language: Language) -> String {
        [Self::Pass, Self::Fail, Self::Unknown, Self::NotApplicable]
            .map(|kind| {
                let count = verdicts.iter().filter(|verdict| **verdict == kind).count();
                format!("{count} {}", kind.text().get(language))
            })
            .join(", ")
    }
}

/// The judge's result for one control on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The control's id.
    pub control: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What was found (hiện trạng). Contains text from the machine: hostile until shown with care.
    pub found: Text,
    /// What is wanted (mức cần đạt).
    pub wanted: Text,
    /// True when the verdict is unknown only because the product has no reader for the fact: left out of both sums.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_reader: bool,
    /// True when the verdict is unknown only because the agent is too old for the facts, its own or those of a control that would explain
    /// it, or because it says so. A server that knows the agent is old leaves it out of both sums for a time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agent_too_old: bool,
    /// The failing control that explains this failure, so that one cause costs once: left out of both sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implied_by: Option<String>,
}
