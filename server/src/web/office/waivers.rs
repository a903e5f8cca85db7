//! The waivers (ngoại lệ có thời hạn) of an office and those below it: first those waiting for a decision, then those in force,
//! each with a link to its machine, where it is decided.

use policies::policy::Role;
use policies::text;
use policies::text::visible;

use crate::act::waiver::REASON_MOST;
use crate::policy::CompiledPolicy;
use crate::store::waiver::ListedWaiver;
use crate::web::catalogue::Catalogue;
use crate::web::number::Numbers;
use crate::web::waiver::state_class;

/// Waivers on one page.
const MOST: i64 = 100;
/// One more than shown, to know whether there are more.
pub(super) const WAIVERS_READ: i64 = MOST + 1;

/// The waivers of an office.
#[derive(Debug)]
pub(super) struct WaiverList {
    pub(super) title: String,
    /// What waivers do and do not do, with the policy's own numbers.
    pub(super) hint: Option<String>,
    /// True when some are on machines of offices below: then every row names its office.
    pub(super) names_offices: bool,
    pub(super) rows: Vec<WaiverRow>,
    /// The note when there are more than are shown.
    pub(super) more: Option<String>,
}

/// One waiver.
#[derive(Debug)]
pub(super) struct WaiverRow {
    pub(super) machine: String,
    pub(super) machine_name: String,
    pub(super) office_name: String,
    /// The control's id, which the machine's page has as an anchor.
    pub(super) control: String,
    pub(super) title: String,
    pub(super) class: &'static str,
    pub(super) state: String,
    pub(super) until: String,
    pub(super) reason: String,
    pub(super) asked_by: String,
    pub(super) decided_by: String,
}

/// `found` as the page of `office` shows it at `now`; `None` when there is nothing to show.
pub(super) fn waiver_list(
    mut found: Vec<ListedWaiver>,
    office: &str,
    judge: Option<&CompiledPolicy>,
    now: i64,
    (t, n): (Catalogue, &Numbers),
) -> Option<WaiverList> {
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    // One that has just expired may not have been ended yet.
    found.retain(|listed| listed.waiver.is_open(now));
    if found.is_empty() {
        return None;
    }
    let count = if more { format!("{}+", n.count(MOST)) } else { n.count(found.len()) };
    Some(WaiverList {
        title: t.own(text!("Ngoại lệ có thời hạn ({0})", "Waivers ({0})", count)),
        hint: judge.map(|judge| {
            let cap = judge.rules().office.caps.waived;
            t.own(text!("Ngoại lệ chưa quyết định và đang áp dụng. Tiêu chí được ngoại lệ không tính vào điểm nhưng vẫn nằm trong danh sách và không gỡ giới hạn xếp loại. Khi phần được ngoại lệ vượt quá {0} % thì xếp loại cao nhất là {1}.", "Waiting for a decision, and in force. What is waived does not count in the score but stays listed and lifts no cap on the letter. When more than {0} % is waived, the letter is at most {1}.", cap.over_percent, cap.at_most.code()))
        }),
        names_offices: found.iter().any(|listed| listed.office != office),
        rows: found.iter().map(|listed| row(listed, judge, t, n)).collect(),
        more: more.then(|| t.own(text!("Danh sách chỉ hiện {0} ngoại lệ đầu tiên. Xem đủ bằng lệnh posture-server waiver list.", "Only the first {0} waivers are listed. posture-server waiver list shows all.", n.count(MOST)))),
    })
}

fn row(listed: &ListedWaiver, judge: Option<&CompiledPolicy>, t: Catalogue, n: &Numbers) -> WaiverRow {
    let waiver = &listed.waiver;
    let control =
        judge.and_then(|judge| Role::ALL.iter().find_map(|&role| judge.set().controls(role).control(&waiver.control)));
    WaiverRow {
        machine: waiver.machine.clone(),
        machine_name: visible(&listed.machine_name, 80),
        office_name: visible(&listed.office_name, 120),
        control: visible(&waiver.control, 80),
        title: control.map_or_else(|| visible(&waiver.control, 80), |control| visible(t.pick(control.title()), 300)),
        class: state_class(waiver.state),
        state: t.word("waiver_state", waiver.state.word()),
        until: n.date(waiver.until_at - 1),
        reason: visible(&waiver.reason, REASON_MOST),
        asked_by: t.actor(&waiver.asked_by),
        decided_by: waiver.decided_by.as_deref().map_or_else(String::new, |by| t.actor(by)),
    }
}
