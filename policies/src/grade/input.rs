//! The input of a grade: the policy's numbers and controls, the roster, and what was judged on each machine.
//! Plain values, filled by the caller that has the store.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::outcome::Verdict;
use crate::policy::{LiftedBy, Office, PolicySet, Role, Severity};
use crate::text::Text;

/// What the grade needs to know of a control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Its title.
    pub title: Text,
    /// How much a failure matters.
    pub severity: Severity,
    /// Who can lift a failure.
    pub lifted_by: LiftedBy,
    /// Minutes to fix it on one machine.
    pub minutes: u32,
}

/// The controls of one role by id.
pub type Controls = BTreeMap<String, Control>;

/// The parts of one published policy that a grade needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The office's numbers.
    pub office: Office,
    /// Controls of workstations (máy trạm).
    pub workstation: Controls,
    /// Controls of servers (máy chủ).
    pub server: Controls,
}

impl From<&PolicySet> for Rules {
    fn from(set: &PolicySet) -> Self {
        let controls = |role| {
            let control = |control: &crate::policy::Control| Control {
                title: control.title().clone(),
                severity: control.severity(),
                lifted_by: control.lifted_by(),
                minutes: control.minutes(),
            };
            set.controls(role).controls().iter().map(|item| (item.id().to_owned(), control(item))).collect()
        };
        Self { office: set.office().clone(), workstation: controls(Role::Workstation), server: controls(Role::Server) }
    }
}

impl Rules {
    /// The controls for machines of `role`.
    pub const fn controls(&self, role: Role) -> &Controls {
        match role {
            Role::Workstation => &self.workstation,
            Role::Server => &self.server,
        }
    }

    /// The control `id` of either role, workstations first.
    pub fn control(&self, id: &str) -> Option<&Control> {
        self.workstation.get(id).or_else(|| self.server.get(id))
    }
}

/// The state of one control on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The control's id.
    pub control: String,
    /// The verdict on the newest evidence.
    pub verdict: Verdict,
    /// When this verdict began.
    pub since: Timestamp,
    /// When a failure was first seen that has not been seen fixed since. It stays while the control is unknown, while it is
    /// waived and while the machine is silent: hiding a failure does not make it younger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When the oldest evidence the verdict rests on was last confirmed.
    pub observed_at: Timestamp,
    /// Unknown for a reason that is not the office's: the product has no reader for the fact on this system, or the machine's agent is too
    /// old and the time to replace it has not ended. Left out of both sums.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub excused: bool,
    /// The failing control that explains this failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implied_by: Option<String>,
}

/// Why a rostered machine is not expected to report for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwayReason {
    /// Its user is on leave.
    Leave,
    /// It is in repair.
    Repair,
    /// It is in store.
    Store,
    /// It awaits disposal.
    Disposal,
}

impl AwayReason {
    /// The reason as a person reads it.
    pub fn text(self) -> Text {
        let (vi, en) = match self {
            Self::Leave => ("người dùng nghỉ phép", "user on leave"),
            Self::Repair => ("đang sửa chữa", "in repair"),
            Self::Store => ("đang cất kho", "in store"),
            Self::Disposal => ("chờ thanh lý", "awaiting disposal"),
        };
        Text::new(vi, en)
    }
}

/// A line of the roster that is away for a time. Valid only with a person, an end within the policy's bound and no report
/// since it began; otherwise the machine is expected as before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// The reason.
    pub reason: AwayReason,
    /// Who answers for it.
    pub person: String,
    /// The beginning.
    pub from: Timestamp,
    /// The end.
    pub until: Timestamp,
}

/// The status of a machine in its office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RosterStatus {
    /// Rostered, or confirmed by an officer: counts.
    Expected,
    /// Rostered and recorded as away.
    Away(Away),
    /// Enrolled and neither confirmed nor rostered (chờ xác nhận): outside the grade.
    Pending,
}

/// One machine of an office: a roster line, an enrolled machine, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The caller's id for it; repeated in ledger lines.
    pub id: String,
    /// What it serves as.
    pub role: Role,
    /// Whether it counts.
    pub roster_status: RosterStatus,
    /// When its newest evidence was observed; `None` when it never reported.
    pub evidence_at: Option<Timestamp>,
    /// What was judged, one item per control.
    pub outcomes: Vec<Judged>,
}

/// A control no program can check, answered by a person (tự đánh giá kèm tài liệu kiểm chứng).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    /// The control's id.
    pub id: String,
    /// What is asked.
    pub control: Control,
    /// Whether it is fulfilled, with its document.
    pub fulfilled: bool,
}

/// Whether an office has said which machines it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RosterState {
    /// It has: the machines with [`RosterStatus::Expected`] or [`RosterStatus::Away`] are that roster.
    Declared,
    /// It has not: the machines are those that enrolled, and there is no letter.
    Undeclared,
}

/// An office at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfficeState {
    /// Whether there is a roster (danh mục máy tính).
    pub roster: RosterState,
    /// When its first machine enrolled.
    pub first_enrolled_at: Option<Timestamp>,
    /// The end of the start-up (đang khởi tạo) as the parent set it; replaces the days of the policy.
    pub start_up_until: Option<Timestamp>,
    /// Its machines.
    pub machines: Vec<Machine>,
    /// Its attested controls; used only when the policy gives them a share.
    pub attested: Vec<Attested>,
}
