//! One control (tiêu chí) and the file that holds them: what should hold, why, how much it matters and how to achieve it.

pub(super) mod read;

use super::condition::Condition;
use super::table::unknown_name;
use super::{Duty, LiftedBy, Role, Severity};
use crate::text::Text;

/// A control file: the controls for one role. Valid once read.
#[derive(Clone, Debug)]
pub struct Policy {
    id: String,
    title: Text,
    role: Role,
    controls: Vec<Control>,
}

impl Policy {
    /// Reads a control file. `file` is the name that errors carry.
    ///
    /// # Errors
    /// All errors, each with line and column.
    pub fn read(file: &str, text: impl AsRef<[u8]>) -> Result<Self, super::PolicyErrors> {
        read::policy(file, text.as_ref())
    }

    /// The policy's id, such as `level-2-workstation`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The policy's name.
    pub fn title(&self) -> &Text {
        &self.title
    }

    /// The role it is meant for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The controls, in the order of the file. Never empty.
    pub fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// The control called `id`.
    pub fn control(&self, id: &str) -> Option<&Control> {
        self.controls.iter().find(|control| control.id == id)
    }

    /// The control called `id`.
    ///
    /// # Errors
    /// No such control: a sentence that says so, with the most similar name.
    pub fn control_named(&self, id: &str) -> Result<&Control, Text> {
        let known = self.controls.iter().map(|control| control.id.as_str());
        self.control(id).ok_or_else(|| unknown_name("tiêu chí", "control", id, known))
    }
}

/// The source of all controls: one file, in which a control, a clause, a remedy or a value may be meant for one role only.
#[derive(Clone, Debug)]
pub struct ControlSource {
    /// The part for workstations.
    pub workstation: Policy,
    /// The part for servers.
    pub server: Policy,
    /// The controls about an office.
    pub office: Vec<Control>,
}

impl ControlSource {
    /// Reads the source. `file` is the name that errors carry.
    ///
    /// # Errors
    /// All errors, each with line and column.
    pub fn read(file: &str, text: impl AsRef<[u8]>) -> Result<Self, super::PolicyErrors> {
        read::shared(file, text.as_ref())
    }
}

/// One control.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) id: String,
    pub(super) title: Text,
    pub(super) clauses: Vec<Clause>,
    pub(super) severity: Severity,
    pub(super) duty: Duty,
    pub(super) lifted_by: LiftedBy,
    pub(super) minutes: u32,
    pub(super) applies: Option<Condition>,
    pub(super) require: Condition,
    pub(super) wanted: Text,
    pub(super) implied_by: Option<usize>,
    pub(super) implied_by_id: Option<String>,
    pub(super) fixes: Vec<Fix>,
}

impl Control {
    /// The id, unique in its file: lower-case letters, digits and hyphens.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What should hold, in a few words.
    pub fn title(&self) -> &Text {
        &self.title
    }

    /// The clauses that ask for it. Never empty.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// How much a failure matters.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Where the wanted value comes from.
    pub fn duty(&self) -> Duty {
        self.duty
    }

    /// Who can lift a failure.
    pub fn lifted_by(&self) -> LiftedBy {
        self.lifted_by
    }

    /// Minutes the remedy takes on one machine.
    pub fn minutes(&self) -> u32 {
        self.minutes
    }

    /// When the control is meant for a machine; `None` means always.
    pub fn applies(&self) -> Option<&Condition> {
        self.applies.as_ref()
    }

    /// What should hold.
    pub fn require(&self) -> &Condition {
        &self.require
    }

    /// The wanted state in words (mức cần đạt).
    pub fn wanted(&self) -> &Text {
        &self.wanted
    }

    /// True when what is found may name people and so must not be shown to everybody.
    pub fn tells_of_people(&self) -> bool {
        let mut tells = false;
        let mut look = |test: &super::condition::Test| {
            if let super::condition::Subject::Fact { field, .. } = test.subject {
                tells |= field.tells_of_people();
            }
        };
        self.require.visit(&mut look);
        tells
    }

    /// The control whose failure explains this one's.
    pub fn implied_by(&self) -> Option<&str> {
        self.implied_by_id.as_deref()
    }

    /// The position of [`Control::implied_by`] in [`Policy::controls`].
    pub(crate) fn implied_by_index(&self) -> Option<usize> {
        self.implied_by
    }

    /// All remedies, in the order of the file; the last one has no condition.
    pub fn fixes(&self) -> &[Fix] {
        &self.fixes
    }
}

/// A clause of a standard or a law.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Clause {
    /// The standard with its year, such as `TCVN 14423:2026`.
    pub standard: String,
    /// The clause in it, such as `4.10.2.1 a`.
    pub clause: String,
}

impl std::fmt::Display for Clause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.standard, self.clause)
    }
}

/// The steps of a remedy and the machines they are meant for.
#[derive(Clone, Debug)]
pub struct Fix {
    /// The machines; `None` means all.
    pub when: Option<Condition>,
    /// The steps, in order.
    pub steps: Vec<Text>,
}
