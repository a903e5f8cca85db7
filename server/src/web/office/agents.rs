//! Which versions of the agent the machines of an office run, and which machines need the new one.

use std::collections::BTreeMap;

use policies::text;
use policies::text::visible;

use super::named;
use crate::store::agent::AgentState;
use crate::view::{MachineLine, OfficeView};
use crate::web::catalogue::Catalogue;
use crate::web::grade::Named;
use crate::web::number::Numbers;

/// The most machines named for a version; each is marked in the list of machines as well.
const NAMED: usize = 60;

/// The versions, the old ones first.
#[derive(Debug)]
pub(super) struct AgentList {
    pub(super) rows: Vec<AgentRow>,
    /// What it means that some are too old, and until when; empty when none is.
    pub(super) hints: Vec<String>,
}

/// One version.
#[derive(Debug)]
pub(super) struct AgentRow {
    pub(super) version: String,
    pub(super) count: String,
    /// The machines that need the new agent, and how many more there are; `None` when the version is new enough.
    pub(super) old: Option<(Vec<Named>, String)>,
}

/// The version of an agent for display.
pub(in crate::web) fn version(agent: &AgentState, t: Catalogue) -> String {
    if agent.version.is_empty() {
        t.text("bản cũ, chưa rõ số phiên bản", "old, its number is not known").to_owned()
    } else {
        visible(&agent.version, 40)
    }
}

/// What an agent that is too old means for the sums, as of `now`.
pub(in crate::web) fn old_agent_words(until: i64, now: i64, t: Catalogue, n: &Numbers) -> String {
    if now < until {
        t.own(text!("Phần mềm bản cũ đọc chưa đúng một số thông tin, nên các thông tin đó được coi là chưa xác định. Đến {0}, các tiêu chí liên quan chưa tính vào điểm; sau thời điểm đó, chúng được tính là chưa xác định và không có điểm. Hãy cài bản mới đè lên bản cũ; máy giữ nguyên đăng ký, không cần mã mới.", "The old version reads some facts wrongly, so these count as unknown. Until {0} the controls concerned stay out of the score; after that they count as unknown and earn nothing. Install the new version over the old one; the machine keeps its enrolment and needs no new token.", n.moment(until)))
    } else {
        t.own(text!("Phần mềm bản cũ đọc chưa đúng một số thông tin, nên các thông tin đó được coi là chưa xác định. Từ {0}, các tiêu chí liên quan được tính là chưa xác định và không có điểm. Hãy cài bản mới đè lên bản cũ; máy giữ nguyên đăng ký, không cần mã mới.", "The old version reads some facts wrongly, so these count as unknown. Since {0} the controls concerned count as unknown and earn nothing. Install the new version over the old one; the machine keeps its enrolment and needs no new token.", n.moment(until)))
    }
}

/// The versions in use, with how many machines run each.
pub(super) fn agent_list(view: &OfficeView, t: Catalogue, n: &Numbers) -> AgentList {
    let mut versions: BTreeMap<(bool, String), Vec<&MachineLine>> = BTreeMap::new();
    for line in &view.machines {
        if let Some(agent) = &line.agent {
            versions.entry((!agent.too_old, version(agent, t))).or_default().push(line);
        }
    }
    let row = |((new, version), machines): ((bool, String), Vec<&MachineLine>)| {
        let left = machines.len().saturating_sub(NAMED);
        let more =
            if left > 0 { t.own(text!(" và {0} máy khác", " and {0} more", n.count(left))) } else { String::new() };
        let names = || machines.iter().take(NAMED).map(|line| named(line)).collect();
        AgentRow { version, count: n.count(machines.len()), old: (!new).then(|| (names(), more)) }
    };
    let mut hints = Vec::from_iter(view.old_agents_until.map(|until| old_agent_words(until, view.at, t, n)));
    if view.machines.iter().any(MachineLine::gone_back) {
        hints.push(t.text("Máy đã có bản mới rồi quay lại dùng bản cũ thì không được hưởng thời gian chờ: các tiêu chí liên quan được tính ngay là chưa xác định và không có điểm.", "A machine that had the new version and went back to an old one is given no time: the controls concerned count as unknown at once and earn nothing.").to_owned());
    }
    AgentList { rows: versions.into_iter().map(row).collect(), hints }
}

/// The warning at the top of the page that some machines need the new agent.
pub(super) fn agents_warning(machines: &[MachineLine], t: Catalogue, n: &Numbers) -> Option<String> {
    let old = machines.iter().filter(|line| line.needs_agent()).count();
    (old > 0).then(|| {
        t.own(text!(
            "{0} máy đang chạy phần mềm bản cũ và cần được cài bản mới (xem mục “Phần mềm trên các máy”).",
            "{0} machines run an old version of the software and need the new one (see “Software on the machines”).",
            n.count(old)
        ))
    })
}
