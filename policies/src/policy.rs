//! What should hold: controls read from TOML. A [`Policy`] is valid once read; every error in a file is reported when it is
//! read, with file, line and column, in Vietnamese and English.

mod catalogue;
mod condition;
mod control;
mod error;
mod flat;
mod office;
mod operator;
mod part;
mod schema;
mod set;
mod source;
mod table;

pub use catalogue::{CATALOGUE_FILE, WindowsBuild, WindowsCatalogue, WindowsEdition, WindowsKind, WindowsUpdate};
pub use condition::{Bound, Condition, CountBound, Matcher, Operand, Subject, Test};
pub use control::read::{FORMAT, MOST_CONTROLS, MOST_STEPS};
pub use control::{Clause, Control, ControlSource, Fix, Policy};
pub use error::{PolicyError, PolicyErrors};
pub use operator::{Operator, Takes};
pub use part::CONTROLS_FILE;
pub use schema::schema;
pub use set::{OFFICE_FILE, PolicySet, SHIPPED};
pub use source::{DEEPEST_NESTING, LARGEST_FILE};
pub use table::section_named;

pub use office::{
    CalendarDays, Caps, ControlFiles, CoverageCap, CriticalCap, Evidence, Letter, Letters, Office, Roster, Shares,
    StartUp, WaivedCap, Waivers, Weights, WidespreadCap,
};

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// A set of words of the policy language: the code in files, on the wire and in the store, and what a person reads.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        $name:ident { $( $(#[doc = $item_doc:literal])+ $item:ident = $code:literal, $vi:literal, $en:literal; )+ }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $( $(#[doc = $item_doc])+ $item, )+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$( Self::$item ),+];

            /// The word in files, on the wire and in the store.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$item => $code, )+ }
            }

            /// The value with this word.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $( $code => Some(Self::$item), )+ _ => None }
            }

            /// The value as a person reads it.
            pub fn text(self) -> Text {
                match self { $( Self::$item => Text::new($vi, $en), )+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownCode;

            fn from_str(code: &str) -> Result<Self, UnknownCode> {
                Self::from_code(code).ok_or_else(|| UnknownCode {
                    code: code.to_owned(),
                    wanted: concat!($($code, " "),+).trim_end(),
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.code())
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownCode;

            fn try_from(code: String) -> Result<Self, UnknownCode> {
                code.parse()
            }
        }
    };
}

/// A word outside the set.
#[derive(Debug, thiserror::Error)]
#[error("{code:?} is not one of: {wanted}")]
pub struct UnknownCode {
    /// The word.
    pub code: String,
    /// The allowed words, separated by spaces.
    pub wanted: &'static str,
}

words! {
    /// What a machine serves as. Decided by the server, never by the machine.
    Role {
        /// Used by a person at it.
        Workstation = "workstation", "máy trạm", "workstation";
        /// Serves others.
        Server = "server", "máy chủ", "server";
    }
}

words! {
    /// How much a failure matters, worst first.
    Severity {
        /// May cap a letter. Only what an office can fix on the spot.
        Critical = "critical", "then chốt", "critical";
        /// High.
        High = "high", "cao", "high";
        /// Medium.
        Medium = "medium", "trung bình", "medium";
        /// Low.
        Low = "low", "thấp", "low";
    }
}

words! {
    /// Where the wanted value comes from.
    Duty {
        /// A law or decree demands it.
        Law = "law", "luật bắt buộc", "law";
        /// The standard demands it.
        Standard = "standard", "tiêu chuẩn yêu cầu", "standard";
        /// The standard or the product suggests the value; another one may be argued for in writing.
        Suggested = "suggested", "mức gợi ý", "suggested";
    }
}

words! {
    /// Who can lift a failure.
    LiftedBy {
        /// Whoever looks after the machine.
        OnSpot = "on_spot", "tại chỗ", "on the spot";
        /// Something must be bought.
        Money = "money", "cần kinh phí", "needs money";
        /// A higher office must act.
        Superior = "superior", "cần cấp trên", "needs a superior office";
    }
}
