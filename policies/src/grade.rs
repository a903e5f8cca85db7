//! The grade of an office, and why: machine scores, the office's score, its letter and caps, and the ledger that lists
//! every lost point. Pure arithmetic over plain values; the numbers come from the policy.

mod caps;
mod exact;
mod frozen;
mod input;
mod ledger;
mod machine;
mod movement;
mod office;
mod organisational;
mod output;
mod parent;
mod plan;
mod points;
#[cfg(test)]
mod sample;
mod survey;
#[cfg(test)]
mod tests;
mod words;

pub use frozen::{DailyScore, FrozenScore, frozen_score};
pub use input::{
    Attested, Away, AwayReason, Control, Controls, Judged, Machine, OfficeState, RosterState, RosterStatus, Rules,
};
pub use movement::{Cause, Movement};
pub use office::{grade_machine, grade_office, is_fresh};
pub use output::{
    Cap, CapKind, CapState, Colour, Coverage, Grade, LetterResult, Line, LineKind, MachineGrade, MachineState, NoLetter,
};
pub use parent::{Child, Figures, ParentGrade, grade_parent};
pub use plan::{FixReason, Plan, Step, plan_next_letter};
pub use points::Points;
pub use words::{disclaimer, ledger_title};
