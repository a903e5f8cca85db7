//! The one read model: what pages, commands and programs show of a grade. An office with its ledger, machines, plan, tree and history;
//! a machine with every outcome and its agent's events. Read on request; owns no wording and no page.

mod journal;
pub mod lan;
pub mod machine;
pub mod office;
mod outcome;
pub mod tree;

pub use journal::{MachineEvent, MachineEvents, machine_events};
pub use machine::{MachineView, machine_view};
pub use office::{MachineLine, OfficePage, OfficeView, office_page, office_view, outcomes_add};
pub use outcome::{OrganisationalView, OutcomeView};
pub use tree::{Tree, tree_view};
