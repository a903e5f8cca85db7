//! What happened to a machine, the newest first: verdicts that changed, breaks in its chain of reports, refused branches,
//! what its agent reported about itself, and what people decided about it.

use policies::text;
use policies::text::visible;

use super::journal;
use crate::policy::CompiledPolicy;
use crate::store::machine::event::{AgentEvent, AgentEventKind};
use crate::store::waiver::{Waiver, WaiverState};
use crate::view::MachineView;
use crate::web::catalogue::Catalogue;
use crate::web::number::Numbers;

/// One line of the history.
#[derive(Debug)]
pub(super) struct EventView {
    sort: i64,
    pub(super) at: String,
    pub(super) what: String,
    pub(super) why: String,
}

/// The history of a machine.
pub(super) fn history(
    view: &MachineView,
    judge: Option<&CompiledPolicy>,
    (t, n): (Catalogue, &Numbers),
) -> Vec<EventView> {
    let machine = &view.machine;
    let event = |sort: i64, what: String, why: String| EventView { sort, at: n.moment(sort), what, why };
    let mut events = Vec::new();
    let title = |id: &str| {
        let control = judge.and_then(|judge| judge.set().controls(machine.role).control(id));
        control.map_or_else(|| visible(id, 80), |control| t.pick(control.title()).to_owned())
    };
    for change in &view.history {
        let verdict = |word: &Option<String>| match word {
            Some(word) => t.word("verdict", word),
            None => t.text("chưa có", "none").to_owned(),
        };
        let what = t.own(text!(
            "{0}: {1} → {2}",
            "{0}: {1} → {2}",
            title(&change.control),
            verdict(&change.before),
            verdict(&change.after)
        ));
        events.push(event(change.at, what, t.word("cause", change.cause.word())));
    }
    for segment in &view.segments {
        let why = format!("{} ({})", t.word("segment", segment.kind.word()), visible(&segment.reason, 80));
        events.push(event(
            segment.opened_at,
            t.own(text!(
                "chuỗi báo cáo bắt đầu đoạn mới số {0}",
                "the chain of reports opened segment {0}",
                segment.segment
            )),
            why,
        ));
    }
    for fork in &view.forks {
        events.push(event(
            fork.received_at,
            t.own(text!(
                "nhận báo cáo trùng số {0} nhưng khác nội dung; đã từ chối và lưu lại",
                "another report came under number {0}; refused and kept",
                fork.number
            )),
            String::new(),
        ));
    }
    for waiver in &view.waivers {
        let steps = waiver_steps(waiver).into_iter().filter_map(|(at, state, by, why)| Some((at?, state, by?, why)));
        for (at, state, by, why) in steps {
            let what = t.own(text!(
                "Ngoại lệ cho tiêu chí “{0}”: {1}",
                "Waiver from “{0}”: {1}",
                title(&waiver.control),
                t.word("waiver_step", state.word())
            ));
            let why = why.map_or_else(String::new, |why| format!(": {}", visible(why, 200)));
            events.push(event(at, what, format!("{}{why}", t.own(text!("bởi {0}", "by {0}", t.actor(by))))));
        }
    }
    for former in &view.former {
        let what = t.own(text!(
            "máy trước của cùng dòng danh mục: {0}",
            "the machine before it on the same line of the roster: {0}",
            format!("{} ({})", visible(&former.name, 80), former.id)
        ));
        events.push(event(former.revoked_at.unwrap_or(machine.enrolled_at), what, String::new()));
    }
    // What the signed journal tells too is not told twice; nor is a shutdown, because a list of them would be an attendance clock.
    let twin = |said: &AgentEvent| {
        let signed = view.events.events.iter();
        signed.into_iter().any(|event| event.at == said.said_at && journal::word(event.kind) == said.kind.word())
    };
    let told = view.said.iter().filter(|said| said.kind != AgentEventKind::Shutdown && !twin(said));
    for said in told {
        events.push(event(said.received_at, t.word("agent_event", said.kind.word()), String::new()));
    }
    let by = |by: &Option<String>| {
        by.as_deref().map_or_else(String::new, |by| t.own(text!("bởi {0}", "by {0}", t.actor(by))))
    };
    if let Some(at) = machine.confirmed_at {
        events.push(event(at, t.text("được xác nhận", "confirmed").to_owned(), by(&machine.confirmed_by)));
    }
    if let Some(at) = machine.revoked_at {
        events.push(event(at, t.text("bị thu hồi", "revoked").to_owned(), by(&machine.revoked_by)));
    }
    events.push(event(machine.enrolled_at, t.text("Đăng ký", "Enrolled").to_owned(), String::new()));
    events.sort_by_key(|event| std::cmp::Reverse(event.sort));
    events
}

type Step<'w> = (Option<i64>, WaiverState, Option<&'w str>, Option<&'w str>);

/// What was done about a waiver: when, what, by whom and why. A step not done yet has no time.
fn waiver_steps(waiver: &Waiver) -> [Step<'_>; 3] {
    let decided = if waiver.state == WaiverState::Refused { WaiverState::Refused } else { WaiverState::Granted };
    let ended = if waiver.state == WaiverState::Ended { WaiverState::Ended } else { WaiverState::Withdrawn };
    [
        (Some(waiver.asked_at), WaiverState::Asked, Some(&waiver.asked_by), Some(&waiver.reason)),
        (waiver.decided_at, decided, waiver.decided_by.as_deref(), waiver.decided_why.as_deref()),
        (waiver.ended_at, ended, waiver.ended_by.as_deref(), None),
    ]
}
