//! The machines of an office as rows, the worst first; and those waiting for a decision.

use policies::grade::MachineState;
use policies::text::visible;

use super::named;
use crate::store::machine::MachineStatus;
use crate::view::MachineLine;
use crate::web::catalogue::Catalogue;
use crate::web::grade::{points, state_class};
use crate::web::number::Numbers;

/// A machine of the roster, or an enrolled one.
#[derive(Debug)]
pub(super) struct MachineRow {
    pub(super) link: Option<String>,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) class: &'static str,
    pub(super) state: String,
    /// Two machines seem to use its key.
    pub(super) cloned: bool,
    pub(super) needs_agent: bool,
    pub(super) score: String,
    pub(super) failed: String,
    pub(super) reported: String,
    order: (u8, i64),
}

/// A machine that enrolled and is neither confirmed nor on the roster.
#[derive(Debug)]
pub(super) struct PendingRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) place: String,
    pub(super) role: String,
    pub(super) reported: String,
}

/// True for a machine outside the grade until somebody decides.
pub(super) fn is_pending(line: &MachineLine) -> bool {
    line.line.is_none() && line.status == Some(MachineStatus::Pending)
}

/// Every machine except the pending ones: those without figures first, then by score.
pub(super) fn machine_rows(machines: &[MachineLine], t: Catalogue, n: &Numbers) -> Vec<MachineRow> {
    let mut rows: Vec<MachineRow> =
        machines.iter().filter(|line| !is_pending(line)).map(|line| machine_row(line, t, n)).collect();
    rows.sort_by_key(|row| row.order);
    rows
}

fn machine_row(line: &MachineLine, t: Catalogue, n: &Numbers) -> MachineRow {
    let named = named(line);
    let graded = line.grade.as_ref();
    let state = graded.map(|graded| graded.state);
    let score = graded.and_then(|graded| graded.score);
    let urgency = match state {
        Some(MachineState::Unreported | MachineState::Stale | MachineState::Unscored) => 0,
        None | Some(MachineState::Scored | MachineState::Pending) => 1,
        Some(MachineState::Away) => 2,
    };
    let ungraded = if line.received_at.is_some() {
        t.text("đã có báo cáo, chưa chấm điểm", "reported, not graded yet")
    } else {
        t.text("chưa gửi báo cáo lần nào", "never reported")
    };
    MachineRow {
        link: named.link,
        name: named.name,
        role: t.word("role", line.role.code()),
        class: state.map_or("grey", state_class),
        state: state.map_or_else(|| ungraded.to_owned(), |state| t.pick(&state.text()).to_owned()),
        cloned: line.clone_at.is_some(),
        needs_agent: line.needs_agent(),
        score: score.map_or_else(String::new, |score| points(n, score)),
        failed: graded.filter(|_| score.is_some()).map_or_else(String::new, |graded| n.count(graded.failed)),
        reported: line.received_at.map_or_else(String::new, |at| n.moment(at)),
        order: (urgency, score.map_or(-1, |score| score.0)),
    }
}

/// The pending machines.
pub(super) fn pending_rows(machines: &[MachineLine], t: Catalogue, n: &Numbers) -> Vec<PendingRow> {
    let pending = machines.iter().filter(|line| is_pending(line));
    pending
        .filter_map(|line| {
            Some(PendingRow {
                id: line.machine.clone()?,
                name: named(line).name,
                place: visible(&line.place, 200),
                role: t.word("role", line.role.code()),
                reported: line.received_at.map_or_else(String::new, |at| n.moment(at)),
            })
        })
        .collect()
}
